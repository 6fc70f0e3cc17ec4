"""Everything that the rules look at: the archive, its code, the networks in it."""

import ast
import contextlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from submission import runtimes
from submission.archive import Archive
from submission.checks import values
from submission.checks.networks import Network, networks
from submission.checks.paths import Paths
from submission.checks.source import FUNCTION as Function
from submission.checks.source import UNREADABLE, Source, join

FILES = 50              # files of code that are read
POINTER = b"version https://git-lfs"
Class = tuple[Source, ast.ClassDef]
RUBBISH = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/",
           "__pycache__/", ".git/", ".venv/")


@dataclass
class Facts:
    """unread: the texts of imported files that are no Python, once ``sources`` was asked.

    None for what is no text.
    """

    archive: Archive
    unread: dict[str, str | None] = field(default_factory=dict)

    @cached_property
    def source(self) -> Source | None:
        """model.py, None where it is missing or no Python."""
        text = self.archive.model
        try:
            return Source(text) if text is not None else None
        except UNREADABLE:
            return None

    @cached_property
    def sources(self) -> list[Source]:
        """model.py and the archive's files that it imports, and these import."""
        found = [self.source] if self.source else []
        for source in found:
            for file in self.imported(source):
                if len(found) >= FILES or file in self.unread or file in [s.file for s in found]:
                    continue
                self.unread[file] = text = self.archive.text(file)
                if text is not None:
                    with contextlib.suppress(*UNREADABLE):
                        found.append(Source(text, file))
                        del self.unread[file]
            join(found)
        # An import that may fail is not followed, but what it gives isn't a package's either.
        for source in found:
            source.files |= self.modules
        return found

    @cached_property
    def modules(self) -> set[str]:
        """The names that Python files have, and the folders that these lie in."""
        parts = {p for n in self.names if n.endswith(".py")
                 for p in n.removesuffix(".py").removesuffix("/__init__").split("/")}
        # A folder of one of these names, such as nets/keras, hides no package.
        return parts - {"keras", "tensorflow", "numpy"}

    @cached_property
    def lineage(self) -> list[Class | None]:
        """Model and its base classes, the nearest first, each with the file that it stands in.

        None stands for one that isn't in the archive, or that can't be told.
        """
        found: list[Class | None] = []
        waiting = [(self.source, "Model")] if self.source else []
        while waiting and len(found) < FILES:
            source, name = waiting.pop(0)
            known = self.class_of(source, name, 0)
            if known:
                source, owner = known
                bases = [source.name(b) for b in owner.bases]
                waiting[:0] = [(source, b) for b in bases if b not in ("object", "abc.ABC")]
            found.append(known)
        return [*found, None] if waiting else found

    def class_of(self, source: Source, name: str, depth: int) -> Class | None:
        """What a name in a file stands for, through imports and assignments."""
        if name in source.classes:
            return source, source.classes[name]
        *module, last = source.imports.get(name, name).split(".")
        same = [n.value for n in source.tree.body if isinstance(n, ast.Assign)
                and [ast.unparse(t) for t in n.targets] == [name]]
        if depth < 10 and len(same) == 1 and isinstance(same[0], ast.Name | ast.Attribute):
            return self.class_of(source, source.name(same[0]), depth + 1)
        other = self.file_of(source, module, last)
        return self.class_of(other, last, depth + 1) if other and depth < 10 else None

    def file_of(self, source: Source, module: list[str], name: str) -> Source | None:
        """The one other file that a name of a module, or of none that is told, comes from."""
        files = [s for s in self.sources if s is not source and (
            s.parts[-len(module):] == module if module else
            "*" in source.imports and name in s.bound)]
        return files[0] if len(files) == 1 else None

    def called(self, source: Source, call: ast.Call) -> tuple[Source, ast.FunctionDef] | None:
        """The function or method of the archive that a call means, where that is certain."""
        own = self.own(source, call)
        if own:
            return own
        if source.imported(call.func):
            *module, last = source.name(call.func).split(".")
            other = self.file_of(source, module, last)
            return (other, other.functions[last]) if other and last in other.functions else None
        if not isinstance(call.func, ast.Attribute):
            return None
        given = assigned(source, call.func.value)
        if len(given) != 1 or not isinstance(given[0], ast.Call):
            return None
        known = self.class_of(source, source.name(given[0].func), 0)
        found = [n for n in known[1].body if isinstance(n, ast.FunctionDef)
                 and n.name == call.func.attr] if known else []
        return (known[0], found[-1]) if known and found else None

    def own(self, source: Source, call: ast.Call) -> tuple[Source, ast.FunctionDef] | None:
        """The function of the file, or the method of ``self``, that is called."""
        owner = next((o for o in source.around(call) if isinstance(o, ast.ClassDef)), None)
        found = source.own(call)
        if isinstance(call.func, ast.Attribute) and found and owner in [
                known[1] for known in self.lineage if known]:
            method = self.method(call.func.attr)      # Model's own goes before this class's
            return (method[0], method[1]) if method and isinstance(
                method[1], ast.FunctionDef) else None
        return (source, found) if found else None

    def method(self, name: str) -> tuple[Source, Function] | None:
        """A method of Model, its own or of a base class, and the file that it stands in."""
        for known in self.lineage:
            if known is None:
                return None
            for node in reversed(known[1].body):
                if isinstance(node, Function) and node.name == name:
                    return known[0], node
        return None

    def imported(self, source: Source) -> Iterator[str]:
        """The files of the archive that a file of code imports, a failure of which is its own."""
        for node in [*source.walk(ast.Import), *source.walk(ast.ImportFrom)]:
            if source.optional(node):
                continue
            names = [a.name for a in node.names]  # type: ignore[attr-defined]
            folder = ""
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                names = [module, *(f"{module}.{n}".strip(".") for n in names)]
                folder = folder_of(source, node)
            for name in names:
                parts = name.split(".")
                for i in range(len(parts)):
                    yield from self.module(folder + "/".join(parts[:i + 1]))

    def module(self, path: str) -> list[str]:
        """The file that a module is, in any folder if code changes where Python looks."""
        ends = (f"{path}.py", f"{path}/__init__.py")
        found = [n for n in self.names if n in ends]
        if not found and self.source and "sys.path" in self.source.text:
            found = [n for n in self.names if n.endswith(tuple(f"/{end}" for end in ends))]
        return found if len(found) == 1 else []

    @cached_property
    def paths(self) -> list[Paths]:
        return [Paths(source) for source in self.sources]

    @cached_property
    def opened(self) -> list[tuple[str, list[str]]]:
        """(where, paths) of everything that is opened for certain by paths that are known whole."""
        if any(p.making or "chdir" in p.source.text for p in self.paths):
            return []
        return [(f"Line {call.lineno} of {p.source.file}", found)
                for p in self.paths for call, found in values.opened(p)]

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

        wanted = posixpath.normpath(name).lower().replace("[", "[[]")
        for entry in self.names:
            if any(fnmatch.fnmatch(entry.lower(), w) for w in (wanted, f"*/{wanted}")) or (
                    "*" in wanted and fnmatch.fnmatch(entry.lower(), "*" + wanted)):
                return entry
        return None


def assigned(source: Source, node: ast.AST) -> list[ast.AST]:
    """All values that the file assigns to a name; none where it may get others."""
    name = ast.unparse(node)
    if any(isinstance(o, Function) and name in [a.arg for a in ast.walk(o.args)
                                                if isinstance(a, ast.arg)]
           for o in source.around(node)):
        return []           # another function's variable may have that name
    bound = [source.parents[n] for n in ast.walk(source.tree)
             if isinstance(n, ast.Name | ast.Attribute | ast.Subscript)
             and not isinstance(n.ctx, ast.Load) and ast.unparse(n) == name]
    found = [b.value for b in bound if isinstance(b, ast.Assign | ast.AnnAssign) and b.value]
    return [*found] if len(found) == len(bound) else []


def folder_of(source: Source, node: ast.ImportFrom) -> str:
    """Where an import looks for its module, "" for an absolute one."""
    return "/".join([*source.file.split("/")[:-node.level], ""]) if node.level else ""


def rubbish(name: str) -> bool:
    """Whether a system or an editor put the file there; ._NAME is what macOS keeps beside NAME."""
    return any(r in name for r in RUBBISH) or name.split("/")[-1].startswith("._")


def number(version: str) -> tuple[int, ...]:
    """ "3.4.1" as (3, 4, 1); what is no number counts as 0."""
    return tuple(int(p) if p.isdigit() else 0 for p in version.split(".")[:3])
