"""Everything that the rules look at: the archive, its model.py, the networks in it."""

from dataclasses import dataclass
from functools import cached_property

from submission import runtimes
from submission.archive import Archive
from submission.checks.networks import Network, networks
from submission.checks.paths import Paths
from submission.checks.source import Source

POINTER = b"version https://git-lfs"
RUBBISH = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/",
           "__pycache__/", ".git/", ".venv/")


@dataclass
class Facts:
    archive: Archive

    @cached_property
    def source(self) -> Source | None:
        """model.py, None where it is missing or no Python."""
        text = self.archive.model
        try:
            return Source(text) if text is not None else None
        except (SyntaxError, ValueError, RecursionError):
            return None

    @cached_property
    def paths(self) -> list[Paths]:
        return [Paths(self.source)] if self.source else []

    @cached_property
    def names(self) -> list[str]:
        """The files that somebody meant to send: without what systems and editors add."""
        return [n for n in self.archive.names if not rubbish(n)]

    @cached_property
    def networks(self) -> list[Network]:
        return networks(self.archive, self.names)

    @cached_property
    def keras(self) -> tuple[int, ...]:
        """The version of Keras that the platform has."""
        return number(dict(p.split("==") for p in runtimes.PLATFORM.split(","))["keras"])

    @cached_property
    def pointers(self) -> list[str]:
        return [n for n in self.names if self.archive.sizes[n] < 1024
                and self.archive.read(n, 64).startswith(POINTER)]

    def named(self, name: str) -> str | None:
        """The entry that ``name`` or a pattern in model.py means, None where there is none."""
        import fnmatch

        wanted = name.replace("\\", "/").removeprefix("./").lower()
        wanted = wanted.replace("[", "[[]")
        for entry in self.names:
            if any(fnmatch.fnmatch(entry.lower(), w) for w in (wanted, f"*/{wanted}")) or (
                    "*" in wanted and fnmatch.fnmatch(entry.lower(), "*" + wanted)):
                return entry
        return None


def rubbish(name: str) -> bool:
    """Whether a system or an editor put the file there; ._NAME is what macOS keeps beside NAME."""
    return any(r in name for r in RUBBISH) or name.split("/")[-1].startswith("._")


def number(version: str) -> tuple[int, ...]:
    """ "3.4.1" as (3, 4, 1); what is no number counts as 0."""
    return tuple(int(p) if p.isdigit() else 0 for p in version.split(".")[:3])
