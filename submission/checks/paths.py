"""Which strings of a file of code name files, and whether the platform's run would open them."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from submission.checks.source import FUNCTION, Source, locals_of

FILES = (".keras", ".h5", ".hdf5", ".npz", ".npy", ".pkl", ".pickle", ".joblib", ".json", ".pt",
         ".pth", ".ckpt", ".tflite", ".pb", ".onnx", ".yaml", ".yml", ".txt", ".csv", ".mat",
         ".bin", ".index", ".safetensors")
TELLING = {"print", "debug", "info", "warning", "warn", "error", "exception", "log"}
WRITING = ("save", "dump", "to_", "write", "plot", "export")
# Calls whose first argument is a file that must be there, by their last name or by two.
OPENING = {"load_model", "load_weights", "TFSMLayer", "open", "File", "ZipFile", "loadtxt",
           "genfromtxt", "loadmat", "memmap", "imread", "read_csv", "read_text", "read_bytes",
           "Interpreter", "InferenceSession", "chdir", "GFile", "read_file", "fromfile",
           "load_file", "read_pickle"}
LOADING = ("numpy.load", "joblib.load", "torch.load", "saved_model.load", "torch.jit.load")
# Calls that give back the path, or a longer one.
SAME_PATH = {"join", "joinpath", "Path", "PurePath", "str", "abspath", "realpath", "normpath",
             "expanduser", "fspath", "resolve", "absolute", "as_posix", "with_name", "format",
             "list", "tuple", "sorted"}
MAKING = {"extract", "extractall", "save", "savez", "savez_compressed", "urlretrieve", "get_file",
          "system", "write_bytes", "write_text", "symlink", "hf_hub_download", "tofile",
          "write_file", "save_weights", "dump", "to_csv", "savetxt"}
TAKING = {"sum", "list", "tuple", "set", "sorted", "dict", "max", "min"}
ASKING = {"exists", "lexists", "isfile", "is_file", "isdir", "is_dir", "access", "listdir", "glob",
          "iglob", "rglob", "iterdir", "scandir", "walk"}

T = TypeVar("T")


@dataclass(frozen=True)
class FileName:
    """A string that names a file.

    pattern: with "*" for what isn't known. code, line: where it stands.
    sure: a call opens it, and nothing excuses its absence. harmless: its absence is noticed.
    """

    pattern: str
    code: str
    line: int
    sure: bool
    harmless: bool


class Paths:
    """The ways that paths take through one file of code."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.steps = 0      # what finding values has cost

    @cached_property
    def files(self) -> list[FileName]:
        """Every string that names a file which the platform's run would open."""
        found, seen = [], set()
        for node in self.source.walk(ast.AST):
            if not isinstance(node, ast.JoinedStr) and not (
                    isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            path = self.joined(node)
            # A folder that isn't known may be the archive's own: only what follows counts.
            text = re.sub(r"\{[^{}]*\}", "*", self.text_of(path))    # what format fills later
            pattern = re.sub(r"^(\*/)+", "", re.sub(r"\*+", "*", text))
            stem = pattern.replace("\\", "/").rsplit("/", 1)[-1]
            ends = stem.lower().endswith(FILES) and stem.lower() not in FILES
            if path in seen or not ends or "\n" in pattern or "://" in pattern:
                continue
            seen.add(path)
            ways = list(self.openings(path, set()))
            if ways:
                harmless = self.excused(path) or all(way and self.excused(way) for way in ways)
                found.append(FileName(pattern, self.source.file, getattr(node, "lineno", 0),
                                      self.opened(path), harmless))
        return found

    def joined(self, node: ast.AST) -> ast.AST:
        """The whole string expression that a string is a piece of."""
        while True:
            outer = self.source.parents.get(node)
            if isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Add | ast.Mod) \
                    or isinstance(outer, ast.JoinedStr | ast.FormattedValue):
                node = outer
            elif isinstance(outer, ast.Attribute) and outer.attr == "format":
                node = self.source.parents[outer]
            else:
                return node

    def text_of(self, node: ast.AST, depth: int = 0) -> str:
        """A string expression's text, with "*" for what isn't known of it."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text_of(v, depth) for v in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and depth < 50:
            return self.text_of(node.left, depth + 1) + self.text_of(node.right, depth + 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return re.sub(r"%[-+ #0-9.]*[a-z]", "*", self.text_of(node.left, depth))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
                and node.func.attr == "format":
            return re.sub(r"\{[^{}]*\}", "*", self.text_of(node.func.value, depth))
        return "/" if self.source.name(node) in ("os.sep", "os.path.sep") else "*"

    def opened(self, path: ast.AST) -> bool:
        """Whether a file must be there: some call opens it, and nothing asks for it or makes it."""
        return not self.making and not self.excused(path) and any(
            way and not self.excused(way) for way in self.openings(path, set()))

    def excused(self, node: ast.AST) -> bool:
        return self.source.guarded(node) or self.asked(node)

    def openings(self, node: ast.AST, seen: set[ast.AST]) -> Iterator[ast.Call | None]:
        """The calls that open a path which ``node`` is a part of, None where its way is lost.

        Nothing comes for a path that is never used, or only told or written.
        """
        outer = self.source.parents.get(node)
        if node in seen or outer is None:
            return
        seen.add(node)
        if isinstance(outer, ast.keyword):
            node, outer = outer, self.source.parents[outer]
        if isinstance(outer, ast.Call) and node is not outer.func:
            yield from self._through_call(node, outer, seen)
        elif isinstance(outer, ast.Attribute):
            yield from self._through_method(outer, seen)
        elif isinstance(outer, ast.JoinedStr | ast.FormattedValue | ast.List | ast.Tuple) or (
                isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Add | ast.Div | ast.Mod)):
            yield from self.openings(outer, seen)
        elif isinstance(outer, ast.Assign) and len(outer.targets) == 1:
            yield from self._through_name(outer.targets[0], seen)
        elif isinstance(outer, ast.AnnAssign | ast.NamedExpr):
            yield from self._through_name(outer.target, seen)
        elif isinstance(outer, ast.For | ast.comprehension) and node is outer.iter:
            yield from self._through_loop(outer, seen)
        elif isinstance(outer, ast.arguments):
            yield from self._through_default(node, outer, seen)
        elif not isinstance(outer, ast.Expr | ast.Raise | ast.Assert | ast.Compare):
            yield None

    def _through_call(self, node: ast.AST, call: ast.Call, seen: set[ast.AST]
                      ) -> Iterator[ast.Call | None]:
        last = self.source.name(call.func).split(".")[-1]
        function = self.source.own(call)
        if function:
            names = parameters(function)
            at = call.args.index(node) if node in call.args else -1
            name = node.arg if isinstance(node, ast.keyword) else \
                names[at] if at < len(names) else None
            yield from self._loads(name, function, seen) if name else [None]
        elif last == "open" and isinstance(call.func, ast.Attribute) \
                and not self.source.imported(call.func):
            return      # a member of what is open already, such as a zip
        elif last in TELLING or last.startswith(WRITING) or opens_to_write(last, call) \
                or any(isinstance(o, ast.Raise | ast.Assert) for o in self.source.around(call)):
            return
        elif last in SAME_PATH:
            yield from self.openings(call, seen)
        elif last not in ASKING:
            first = isinstance(node, ast.keyword) or call.args[:1] == [node]
            yield call if first and self.opens(call) else None

    def _through_method(self, method: ast.Attribute, seen: set[ast.AST]
                        ) -> Iterator[ast.Call | None]:
        call = self.source.parents[method]
        if not isinstance(call, ast.Call) or call.func is not method:
            yield None
        elif method.attr in SAME_PATH:
            yield from self.openings(call, seen)
        elif not method.attr.startswith(WRITING) and not opens_to_write(method.attr, call, 0):
            yield call if self.opens(call) else None

    def _through_name(self, target: ast.AST, seen: set[ast.AST]) -> Iterator[ast.Call | None]:
        """A path that is given a name, followed where the name stands for nothing else."""
        around = list(self.source.around(target))
        owner = next((o for o in around if isinstance(o, ast.ClassDef)), self.source.tree)
        scope: ast.AST = self.source.function_of(target) or self.source.tree
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
            scope = owner
        elif not isinstance(target, ast.Name):
            yield None
            return
        elif around[1] is owner is not self.source.tree:
            yield from self._through_class(target.id, owner, seen)
            return
        name = ast.unparse(target)
        if name.split(".")[-1] in self.source.changed or scope is owner and self.source.dynamic:
            yield None
            return
        stores = [n for n in self.within(name, scope) if not isinstance(n.ctx, ast.Load)]
        value = getattr(self.source.parents[target], "value", None)
        given = isinstance(scope, FUNCTION) and name in parameters(scope, whole=True) and not any(
            isinstance(n, ast.Name) and n.id == name for n in ast.walk(value or target))
        yield from [None] if len(stores) > 1 or given else self._loads(name, scope, seen)
        if scope is self.source.tree and self.used_elsewhere(name, seen):
            yield None

    def used_elsewhere(self, name: str, seen: set[ast.AST]) -> bool:
        """Whether another file that runs imports this file's name and does something with it."""
        meant = [self.source.parts[-1], name]
        return any(
            isinstance(n, ast.Name | ast.Attribute) and other.runs(n) and other.imported(n)
            and other.name(n).split(".")[-2:] == meant and any(True for _ in Paths(other).openings(
                n, seen))
            for other in self.source.together if other is not self.source
            for n in ast.walk(other.tree))

    def _through_class(self, name: str, owner: ast.AST, seen: set[ast.AST]
                       ) -> Iterator[ast.Call | None]:
        """A path that is an attribute of Model, followed where nothing else has that name."""
        nodes = [n for n in ast.walk(self.source.tree) if name in (
            getattr(n, "attr", None), getattr(n, "id", None), getattr(n, "arg", None))]
        stores = [n for n in nodes if not isinstance(getattr(n, "ctx", None), ast.Load)]
        uses = [n for n in nodes if n not in stores and self.source.runs(n)]
        final = self.source.file == "model.py" and owner is self.source.classes.get("Model")
        if not final or len(stores) > 1 or not uses or self.source.dynamic \
                or getattr(owner, "decorator_list", None):
            yield None
            return
        for use in uses:
            known = isinstance(use, ast.Name) or ast.unparse(use) in (
                f"self.{name}", f"cls.{name}", f"Model.{name}")
            yield from self.openings(use, seen) if known else [None]

    def _through_loop(self, loop: ast.For | ast.comprehension, seen: set[ast.AST]
                      ) -> Iterator[ast.Call | None]:
        """A list of paths, of which a loop opens every one if it is never left."""
        whole = loop if isinstance(loop, ast.For) else self.source.parents[loop]
        left = any(isinstance(n, ast.Break | ast.Continue | ast.Return) for n in ast.walk(whole))
        # A loop that asks whether the file is there may be left once it is.
        early = left and not self.asked(whole) or not self.taken(whole) or getattr(
            loop, "ifs", None)
        if early or not isinstance(loop.target, ast.Name):
            yield None
        else:
            yield from self._loads(loop.target.id, whole, seen)

    def taken(self, loop: ast.AST) -> bool:
        """Whether all of a loop runs; of a generator, others may take only the first."""
        outer = self.source.parents[loop]
        return not isinstance(loop, ast.GeneratorExp) or isinstance(outer, ast.Assign) or (
            isinstance(outer, ast.Call) and self.source.name(outer.func) in TAKING)

    def _through_default(self, node: ast.AST, arguments: ast.arguments, seen: set[ast.AST]
                         ) -> Iterator[ast.Call | None]:
        """A parameter's default, which counts only where a call leaves it."""
        function = self.source.parents[arguments]
        pairs = {**dict(zip(arguments.defaults[::-1],
                            [*arguments.posonlyargs, *arguments.args][::-1], strict=False)),
                 **{d: a for d, a in zip(arguments.kw_defaults, arguments.kwonlyargs, strict=True)
                    if d}}
        name = pairs[node].arg  # type: ignore[index]
        if function in (self.source.method("__init__"), self.source.method("predict")):
            yield from self._loads(name, function, seen)
            return
        if not isinstance(function, FUNCTION):
            return
        for call in self.calls_of(function):
            names = parameters(function)
            given = {*names[:len(call.args)], *(k.arg for k in call.keywords)}
            if name not in given and not any(isinstance(a, ast.Starred) for a in call.args):
                yield from self._loads(name, function, seen)

    def calls_of(self, function: ast.AST) -> Iterator[ast.Call]:
        """The calls of a function, in its own file and of an imported one in the others."""
        s = self.source
        yield from (call for _, call in s.calls if s.own(call) is function)
        if isinstance(function, ast.FunctionDef) and s.functions.get(function.name) is function:
            for other in s.together:
                yield from (call for name, call in other.calls if other is not s and
                            name.split(".")[-2:] == [s.parts[-1], function.name])

    def _loads(self, name: str, scope: ast.AST, seen: set[ast.AST]) -> Iterator[ast.Call | None]:
        """Where a name's value goes, in a function or the whole module."""
        for node in self.within(name, scope):
            if isinstance(node.ctx, ast.Load) and self.source.runs(node):
                inner = self.source.function_of(node)
                if scope is not self.source.tree or inner is None or name not in locals_of(inner):
                    yield from self.openings(node, seen)

    def opens(self, call: ast.Call) -> bool:
        name = self.source.name(call.func)
        return not self.source.home_made(call) and (
            name.split(".")[-1] in OPENING or name.endswith(LOADING))

    @cached_property
    def asking(self) -> set[ast.AST | None]:
        """The functions that ask which files there are; None for the module itself."""
        s = self.source
        return {s.function_of(n) for n in ast.walk(s.tree) if isinstance(n, ast.Call)
                and s.name(n.func).split(".")[-1] in ASKING}

    @cached_property
    def making(self) -> bool:
        """Whether the code makes files itself, be it by unpacking or fetching them."""
        return any(name.split(".")[-1] in MAKING or name.startswith(("shutil.", "subprocess."))
                   or opens_to_write(name.split(".")[-1], call) for name, call in self.source.calls)

    def asked(self, node: ast.AST) -> bool:
        return self.source.function_of(node) in self.asking

    @cached_property
    def binders(self) -> dict[str, list[ast.AST]]:
        """All that binds each name, in any scope; without parameters."""
        return grouped((name, n) for n in ast.walk(self.source.tree) for name in bound(n))

    @cached_property
    def givers(self) -> dict[str, list[tuple[Source, ast.AST]]]:
        """All that binds each attribute, or any name, in the files that run together."""
        return grouped((name, (s, n)) for s in self.source.together for n in ast.walk(s.tree)
                       for name in ([n.attr] if isinstance(n, ast.Attribute) and not isinstance(
                           n.ctx, ast.Load) else bound(n)))

    @cached_property
    def places(self) -> dict[str, list[ast.Name | ast.Attribute]]:
        """Where each name stands, and each attribute of a name."""
        found: dict[str, list[ast.Name | ast.Attribute]] = {}
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Name):
                found.setdefault(node.id, []).append(node)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.setdefault(f"{node.value.id}.{node.attr}", []).append(node)
        return found

    def within(self, name: str, scope: ast.AST) -> Iterator[ast.Name | ast.Attribute]:
        for node in self.places.get(name, ()):
            if scope is self.source.tree or scope in self.source.around(node):
                yield node


def bound(node: ast.AST) -> list[str]:
    """The names that a node by itself binds."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.alias):
        return [node.asname or node.name]
    if isinstance(node, FUNCTION | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return [node.name] if node.name else []
    return node.names if isinstance(node, ast.Global | ast.Nonlocal) else []


def grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, whole: bool = False) -> list[str]:
    """What a call fills by position, so without self; all names there are if ``whole``."""
    places = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
    if whole:
        return places + [a.arg for a in function.args.kwonlyargs]
    return places[1:] if places[:1] in (["self"], ["cls"]) else places


def opens_to_write(name: str, call: ast.Call, place: int = 1) -> bool:
    """Whether this is an open whose mode, the argument at ``place``, writes or may do so."""
    place = 2 if name == "memmap" else place
    given = [*call.args[place:place + 1], *(k.value for k in call.keywords if k.arg == "mode")]
    return name in ("open", "File", "ZipFile", "GFile", "memmap") and any(
        not isinstance(a, ast.Constant) or str(a.value).startswith(("w", "a", "x")) for a in given)
