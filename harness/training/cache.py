"""The folder of cached activations: found by content, bounded in size, safe for many processes.

A file is written under another name and renamed when whole; reading touches it, and what was
read longest ago goes first when room is needed. A file that goes while it is read stays readable.
"""

import contextlib
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UserError
from zoo.files import CACHE, cache_folder, user_errors

LIMIT = "HARNESS_CACHE_LIMIT"  # in GB
DEFAULT_LIMIT = 40.0
STALE = 24 * 3600.0  # seconds after which a temporary file has no writer


@dataclass(frozen=True)
class Cache:
    """The cache in ``folder``, of at most ``limit`` bytes."""

    folder: Path
    limit: int

    def files(self) -> list[Path]:
        """Whole files, the one that was used longest ago first."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.glob("*.npy"):
                with contextlib.suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(found)]

    def size(self) -> int:
        """Bytes in whole files."""
        total = 0
        for path in self.files():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.npy"

    def find(self, key: str) -> Path | None:
        """The file of this key, marked as used, or None."""
        path = self.path(key)
        try:
            os.utime(path)
        except OSError:  # missing, or in a cache that may only be read
            return path if path.is_file() else None
        return path

    def make_room(self, need: int, keep: set[Path]) -> None:
        """Delete what was used longest ago until ``need`` more bytes fit, but nothing in ``keep``.

        Raises UserError where they can't.
        """
        with user_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.sweep()
        for path in self.files():
            if self.size() + need <= self.limit and need < shutil.disk_usage(self.folder).free:
                return
            if path not in keep:
                with contextlib.suppress(OSError):  # gone, or somebody else's
                    path.unlink()
        free = shutil.disk_usage(self.folder).free
        if self.size() + need > self.limit:
            raise UserError(f"The cache {self.folder} may hold {self.limit / 1e9:.1f} GB, and this "
                            f"run needs {need / 1e9:.1f} GB more. Raise {LIMIT} (in GB), or lower "
                            "the number of views.")
        if need >= free:
            raise UserError(f"The disk of the cache {self.folder} has {free / 1e9:.1f} GB left, "
                            f"and this run needs {need / 1e9:.1f} GB. Free some, name another "
                            f"folder with {CACHE}, or lower the number of views.")

    def sweep(self) -> None:
        """Delete what writers that were killed left behind."""
        import time

        for path in self.folder.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE:
                    path.unlink()

    def clear(self) -> int:
        """Delete everything; the bytes that were freed. Raises UserError where that is refused."""
        freed = self.size()
        for path in [*self.files(), *self.folder.glob(".*.tmp")]:
            with user_errors(path):
                path.unlink(missing_ok=True)
        return freed


def default() -> Cache:
    """The cache that HARNESS_CACHE names, or this user's."""
    text = os.environ.get(LIMIT) or str(DEFAULT_LIMIT)
    try:
        limit = 1e9 * float(text)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise UserError(f"{LIMIT} must be a number of gigabytes above 0, not {text!r}.")
    return Cache(cache_folder() / "activations", int(limit))
