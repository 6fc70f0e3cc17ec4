"""What an expression is for certain: texts, numbers and paths, every one that loops make of it."""

import ast
import contextlib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from submission.checks.paths import Paths, opens_to_write
from submission.checks.reach import FUNCTION

MOST = 300              # values of one expression, and calls that are looked at
DEEP = 40
STEPS = 50_000          # what may be spent on all expressions of a file
LONG = 4096             # letters that a path can have
ROOT = "/\0" * DEEP     # the archive's folder, in paths, and folders above it
NAMES = ("filepath", "path", "file", "filename", "fname", "export_dir", "model_path")
COMPREHENSION = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
JOINING = {"os.path.join", "posixpath.join", "pathlib.Path", "pathlib.PurePath",
           "pathlib.PosixPath", "tensorflow.io.gfile.join"}
SAME = {"str", "os.path.abspath", "os.path.realpath", "os.path.normpath", "os.fspath", "list",
        "tuple", "sorted", "reversed", "set"}
SAME_METHODS = {"resolve", "absolute", "as_posix", "copy"}
Setting = dict[tuple[ast.AST, str], Any]


class Unknown(Exception):
    """Nothing certain can be said."""


class Spent(Exception):
    """The file has cost too much; nothing more is looked at."""


class Varies(Exception):
    """A variable of a loop, or a parameter of a function, that has no value yet."""

    def __init__(self, binder: ast.AST) -> None:
        self.binder = binder


class Values:
    """The values that expressions of a file take for certain where ``site``, a call, uses them."""

    def __init__(self, paths: Paths, site: ast.Call) -> None:
        self.paths, self.source, self.sites = paths, paths.source, [site]
        self.depth = 0

    def spend(self, steps: int) -> None:
        self.paths.steps += steps
        if self.paths.steps > STEPS:
            raise Spent

    def all(self, node: ast.AST, setting: Setting | None = None) -> list[Any]:
        """Every value of an expression. Raises Unknown."""
        setting = setting or {}
        try:
            return [self.value(node, setting)]
        except Varies as varies:
            found: list[Any] = []
            if any(binder is varies.binder for binder, _ in setting):
                raise Unknown from None     # a parameter that the call doesn't set
            for more in self.choices(varies.binder, setting):
                with contextlib.suppress(Unknown):      # the other values are certain all the same
                    found += self.all(node, {**setting, **more})
                if len(found) > MOST:
                    raise Unknown from None
            return found
        except (ValueError, TypeError, LookupError, RecursionError, AttributeError) as e:
            raise Unknown from e

    def value(self, node: ast.AST, setting: Setting) -> Any:
        """One value. Raises Unknown, Varies, and what Python raises for values that don't fit."""
        self.spend(1)
        ways: dict[type, Any] = {
            ast.Name: self.name, ast.Attribute: self.attribute, ast.Call: self.call,
            ast.BinOp: self.sum, ast.JoinedStr: self.joined, ast.Subscript: self.item}
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
            return short(node.value)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.element(e, setting) for e in node.elts]
        if isinstance(node, ast.Dict) and None not in node.keys:
            return {self.value(k, setting): self.element(v, setting)
                    for k, v in zip(node.keys, node.values, strict=True) if k}
        if type(node) not in ways or self.depth > DEEP:
            raise Unknown
        self.depth += 1
        try:
            return short(ways[type(node)](node, setting))
        finally:
            self.depth -= 1

    def element(self, node: ast.AST, setting: Setting) -> Any:
        """A part of a list; None for one that isn't known, which fits nowhere."""
        try:
            return self.value(node, setting)
        except Unknown:
            return None

    def name(self, node: ast.Name, setting: Setting) -> Any:
        if node.id == "__file__":
            return f"{ROOT}/{self.source.file}"
        if node.id in self.source.changed:
            raise Unknown
        store, scope = self.store(node)
        if (store, node.id) in setting:
            return setting[store, node.id]
        if store is scope and isinstance(scope, FUNCTION) or isinstance(
                store, ast.For | ast.comprehension):
            raise Varies(store)
        return self.given(store, setting)

    def given(self, store: ast.AST, setting: Setting) -> Any:
        """The value of an assignment."""
        if isinstance(store, ast.Assign | ast.AnnAssign | ast.NamedExpr) and store.value:
            return self.value(store.value, setting)
        raise Unknown

    def store(self, node: ast.Name) -> tuple[ast.AST, ast.AST]:
        """The one place that gives a name its value, and the scope of it. Raises Unknown."""
        s = self.source
        inner: ast.AST = node
        for outer in s.around(node):
            if isinstance(outer, COMPREHENSION):
                for g in outer.generators:
                    if node.id in names(g.target) and node not in [g.iter, *ast.walk(g.iter)]:
                        return g, outer
            if isinstance(outer, ast.Lambda) and node.id in [
                    a.arg for a in ast.walk(outer.args) if isinstance(a, ast.arg)]:
                raise Unknown
            if isinstance(outer, ast.ClassDef) and inner is node and self.stores(outer, node.id):
                raise Unknown
            if isinstance(outer, FUNCTION) and node not in ast.walk(outer.args) or isinstance(
                    outer, ast.Module):
                inner = outer
                stores = self.stores(outer, node.id)
                if len(stores) == 1:
                    return stores[0], outer
                if stores:
                    break
        raise Unknown

    def stores(self, scope: ast.AST, name: str) -> list[ast.AST]:
        """What binds a name in a function or the module; the function itself for a parameter."""
        s = self.source
        found: list[ast.AST] = []
        if isinstance(scope, FUNCTION) and name in [
                a.arg for a in ast.walk(scope.args) if isinstance(a, ast.arg)]:
            found.append(scope)
        for n in self.paths.binders.get(name, ()):
            self.spend(1)
            around = list(s.around(n))
            inner = next((o for o in around if isinstance(
                o, FUNCTION | ast.ClassDef | ast.Lambda | ast.Module)), None)
            if (inner is scope or isinstance(n, ast.Global | ast.Nonlocal) and scope in around) \
                    and not any(isinstance(o, COMPREHENSION) and not isinstance(
                        around[0], ast.NamedExpr) for o in around):
                holder = around[0]
                while isinstance(holder, ast.Tuple | ast.List | ast.Starred):
                    holder = s.parents[holder]
                plain = isinstance(n, ast.Name) and (
                    holder is around[0] or isinstance(holder, ast.For))
                found.append(holder if plain else n)
        return found

    def attribute(self, node: ast.Attribute, setting: Setting) -> Any:
        """self.NAME or CLASS.NAME that is given once, or a part of a path."""
        whole = self.source.name(node)
        if whole in ("os.sep", "os.path.sep"):
            return "/"
        if node.attr in ("parent", "stem", "name") and not self.given_as(node.attr):
            path = self.value(node.value, setting)
            return {"parent": posixpath.dirname(path) or ".", "name": posixpath.basename(path),
                    "stem": posixpath.splitext(posixpath.basename(path))[0]}[node.attr]
        stores = [] if node.attr in self.source.changed else self.given_as(node.attr)
        if isinstance(node.value, ast.Name) and len(stores) == 1 and self.fixed(stores[0]) and (
                node.value.id in ("self", "cls") or node.value.id in self.source.classes):
            return self.given(stores[0], setting)
        raise Unknown

    def fixed(self, store: ast.AST) -> bool:
        """Whether an attribute keeps what a class gives it, as far as the files tell."""
        s = self.source
        waiting = [o for o in s.around(store) if isinstance(o, ast.ClassDef)]
        known = {name: c for other in s.together for name, c in other.classes.items()}
        for owner in waiting:
            names = {s.name(b).split(".")[-1] for b in owner.bases} - {"object", "ABC"}
            if owner.decorator_list or owner.keywords or not names <= set(known):
                return False
            waiting += [known[n] for n in names if known[n] not in waiting]
        return bool(waiting) and not s.dynamic

    def given_as(self, name: str) -> list[ast.AST]:
        """All that binds an attribute of that name, in any class of the files."""
        found: list[ast.AST] = []
        for s, n in self.paths.givers.get(name, ()):
            self.spend(1)
            if isinstance(n, ast.Attribute) or (isinstance(n, ast.Name) and any(
                    isinstance(o, ast.ClassDef) for o in list(s.around(n))[1:2])):
                found.append(s.parents[n] if s is self.source else n)
            elif isinstance(n, ast.FunctionDef):
                found.append(n)
        return found

    def item(self, node: ast.Subscript, setting: Setting) -> Any:
        return self.value(node.value, setting)[self.value(node.slice, setting)]

    def sum(self, node: ast.BinOp, setting: Setting) -> Any:
        left, right = self.value(node.left, setting), self.value(node.right, setting)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub) and isinstance(left, int):
            return left - right
        if isinstance(node.op, ast.Div) and isinstance(left, str):
            return posixpath.join(left, known(right))
        if isinstance(node.op, ast.Mod) and isinstance(left, str) and not re.search(
                "%(?!0?[0-9]?[sd])", left):
            given = right if isinstance(right, list) else [right]
            return left % fitting(left, "%", given)
        raise Unknown

    def joined(self, node: ast.JoinedStr, setting: Setting) -> str:
        text = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                spec = self.joined(part.format_spec, setting) if isinstance(
                    part.format_spec, ast.JoinedStr) else ""
                if part.conversion not in (-1, 115) or not re.fullmatch("0?[0-9]?[sd]?", spec):
                    raise Unknown
                text += format(known(self.value(part.value, setting)), spec)
            else:
                text += self.value(part, setting)
            short(text)
        return text

    def call(self, node: ast.Call, setting: Setting) -> Any:
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args) \
                or self.source.own(node):
            raise Unknown
        name = self.source.name(node.func)
        if name in ("os.getcwd", "pathlib.Path.cwd"):
            return ROOT
        given = [self.value(a, setting) for a in node.args]
        if name in JOINING:
            return posixpath.join(*map(known, given))
        if name == "os.path.dirname":
            return posixpath.dirname(given[0])
        if name in SAME and len(given) == 1:
            return str(known(given[0])) if name == "str" else (
                sorted(given[0]) if name == "sorted" else given[0][::-1] if name == "reversed"
                else given[0])
        if name == "range" and all(isinstance(n, int) for n in given):
            return list(range(*given)[:MOST])
        if name == "len":
            return len(given[0])
        if name == "enumerate":
            return [[i, x] for i, x in enumerate(given[0], *given[1:])]
        if name == "zip":
            return [list(row) for row in zip(*given, strict=False)]
        if isinstance(node.func, ast.Attribute):
            return self.method(node.func, given, setting)
        raise Unknown

    def method(self, func: ast.Attribute, given: list[Any], setting: Setting) -> Any:
        base, name = self.value(func.value, setting), func.attr
        if isinstance(base, dict) and name in ("items", "keys", "values"):
            return [list(r) if name == "items" else r for r in getattr(base, name)()]
        if not isinstance(base, str):
            raise Unknown
        if name in SAME_METHODS:
            return base
        if name == "joinpath":
            return posixpath.join(base, *map(known, given))
        if name == "with_name":
            return posixpath.join(posixpath.dirname(base), given[0])
        if name == "format" and not re.search(r"\{(?!\d?(:0?\d?[sd])?\})", base):
            return base.format(*fitting(base, "{", given))
        raise Unknown

    def choices(self, binder: ast.AST, setting: Setting) -> Iterator[Setting]:
        """Every way to set a loop's variables, or a function's parameters, for certain."""
        self.spend(20)
        if isinstance(binder, FUNCTION):
            yield from self.calls(binder)
            return
        whole = self.source.parents[binder] if isinstance(binder, ast.comprehension) else binder
        left = any(isinstance(n, ast.Break | ast.Continue | ast.Return) for n in ast.walk(whole))
        if left or not self.paths.taken(whole) or getattr(binder, "ifs", None) or not any(
                whole in self.source.around(site) for site in self.sites):
            raise Unknown
        target, over = binder.target, binder.iter  # type: ignore[attr-defined]
        for values in self.all(over, setting):
            if not isinstance(values, str | list | dict):
                continue        # not known, or nothing that a loop can take
            for value in values:
                yield {(binder, name): v for name, v in unpacked(target, value)}

    def calls(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Setting]:
        """What each call gives to the parameters that it sets."""
        s = self.source
        places = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
        own = places[places[:1] in (["self"], ["cls"]):]        # a static method has neither
        preset = dict(zip(places[::-1], function.args.defaults[::-1], strict=False))
        first = function in (s.method("__init__"), s.method("predict"))
        calls = [None] if first else [c for _, c in s.calls if s.own(c) is function]
        for call in calls:
            given = dict(preset)
            if call:
                if s.guarded(call) or self.paths.asked(call) or call in self.sites or any(
                        isinstance(a, ast.Starred) for a in call.args) or any(
                        k.arg is None for k in call.keywords):
                    continue
                given.update(zip(own, call.args, strict=False))
                given.update({k.arg: k.value for k in call.keywords if k.arg})
                self.sites.append(call)
            try:
                for row in self.all(ast.Tuple([*given.values()], ast.Load())):
                    yield {(function, name): v for name, v in zip(given, row, strict=True)}
            finally:
                if call:
                    self.sites.remove(call)


def opened(paths: Paths) -> Iterator[tuple[ast.Call, list[str]]]:
    """The calls of a file that open something for certain, and all paths that these open.

    Paths are relative to the archive's folder, but for those that lead elsewhere.
    """
    pairs = [(call, path_of(paths, call)) for _, call in paths.source.calls]
    for call, node in [pair for pair in pairs if pair[1]][:MOST]:
        if node is None or paths.source.guarded(call) or paths.asked(call):
            continue
        # Whatever strangers' code comes to: no path is certain then.
        with contextlib.suppress(Exception):
            found = [v for v in Values(paths, call).all(node)
                     if isinstance(v, str) and "://" not in v]
            yield call, [relative(posixpath.normpath(posixpath.join(ROOT, v))) for v in found]


def relative(path: str) -> str:
    return posixpath.relpath(path, ROOT) if path.startswith("/\0") else path


def path_of(paths: Paths, call: ast.Call) -> ast.AST | None:
    """What names the file or folder that a call reads; None for other calls."""
    last = paths.source.name(call.func).split(".")[-1]
    method = isinstance(call.func, ast.Attribute) and not paths.source.imported(call.func)
    if not paths.opens(call) or opens_to_write(last, call, 0 if method else 1):
        return None
    if method and last in ("open", "read_text", "read_bytes"):
        return call.func.value  # type: ignore[attr-defined]
    given = call.args[:1] + [k.value for k in call.keywords if k.arg in NAMES]
    return given[0] if given else None


def known(value: Any) -> Any:
    """A text or a number. Raises Unknown for anything else."""
    if not isinstance(value, str | int | float):
        raise Unknown
    return value


def short(value: Any) -> Any:
    """The value. Raises Unknown for a text too long for a path."""
    if isinstance(value, str) and len(value) > LONG:
        raise Unknown
    return value


def fitting(text: str, sign: str, given: list[Any]) -> tuple[Any, ...]:
    """What fills a text in the places of ``sign``. Raises Unknown where that would be too long."""
    longest = max((len(str(known(value))) for value in given), default=0)
    if len(text) + text.count(sign) * (9 + longest) > LONG:
        raise Unknown
    return tuple(given)


def names(target: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}


def unpacked(target: ast.AST, value: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of a loop's variables. Raises Unknown."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, list) \
            and len(value) == len(target.elts):
        for part, v in zip(target.elts, value, strict=True):
            yield from unpacked(part, v)
    else:
        raise Unknown
