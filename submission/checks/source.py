"""What can be known of a model.py, or a file that it imports, by reading it. Nothing is run."""

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterator
from functools import cached_property

from submission.checks.changes import changed
from submission.checks.reach import FUNCTION, FunctionOrClass, is_main, reach

MODULE = {"__file__", "__name__", "__doc__", "__package__", "__spec__", "__loader__", "__path__",
          "__builtins__", "__annotations__", "__debug__", "__class__", "__module__",
          "__qualname__", "__dict__"}
# What a missing file may raise; Keras has a ValueError for it.
MISSING = ("OSError", "IOError", "FileNotFoundError", "EnvironmentError", "ValueError",
           "errors.NotFoundError", "OpError")
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


class Source:
    """A parsed model.py, or a file that it imports.

    together: all files that run together; files, methods, reachable: the parts of their names, the
    names of methods, and the functions that would run.

    Raises one of UNREADABLE.
    """

    def __init__(self, text: str, file: str = "model.py") -> None:
        self.text, self.file = text, file
        self.together: list[Source] = []
        self.files: set[str] = set()
        self.methods: set[str] = set()
        self.reachable: set[ast.AST] = set()
        self.sure: dict[ast.AST, bool] = {}     # whether functions are called for certain
        self.parts = file.removesuffix(".py").removesuffix("/__init__").split("/")
        self.tree, self.table = read(text, file)
        self.parents = {child: node for node in ast.walk(self.tree)
                        for child in ast.iter_child_nodes(node)}
        join([self])

    @cached_property
    def imports(self) -> dict[str, str]:
        """{name in the file: what it stands for}, such as {"tf": "tensorflow"}."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for a in node.names:
                    found[a.asname or a.name.split(".")[0]] = (
                        a.name if a.asname else a.name.split(".")[0])
            elif isinstance(node, ast.ImportFrom):
                for a in node.names:
                    found[a.asname or a.name] = f"{node.module or ''}.{a.name}".lstrip(".")
        return found

    def name(self, node: ast.AST | None) -> str:
        """The dotted name of an expression, imports resolved; "" for what has none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            parts.append(self.imports.get(node.id, node.id))
        elif parts:
            parts.append("()")
        return ".".join(reversed(parts))

    def imported(self, node: ast.AST) -> bool:
        """Whether an expression is an imported name, or a part of what that stands for."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.imports

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {n.name: n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)}

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The functions of the module itself, of names that stand for nothing else."""
        nodes = [n for n in ast.walk(self.tree) if self.function_of(n) is None]
        other = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        other |= {n.name for n in nodes if isinstance(n, FunctionOrClass) and isinstance(
            self.parents[n], ast.If | ast.Try | ast.ExceptHandler | ast.With)}
        other |= {a for n in ast.walk(self.tree) if isinstance(n, ast.Global) for a in n.names}
        return {n.name: n for n in self.tree.body
                if isinstance(n, ast.FunctionDef) and n.name not in other | set(self.imports)}

    @cached_property
    def bound(self) -> set[str]:
        """Names that the module itself defines, by import, assignment, def or class."""
        return defined(self.table)

    def method(self, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """A method of Model, its own or of a base class in the file."""
        return self._method(self.classes.get("Model"), name, 0)

    def _method(self, owner: ast.ClassDef | None, name: str, depth: int
                ) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        if owner is None or depth > 10:
            return None
        for node in reversed(owner.body):
            if isinstance(node, FUNCTION) and node.name == name:
                return node
        for base in owner.bases:
            found = self._method(self.classes.get(self.name(base)), name, depth + 1)
            if found:
                return found
        return None

    def runs(self, node: ast.AST) -> bool:
        """Whether the platform would come past this node."""
        inner = node
        for outer in self.around(node):
            if is_main(outer):
                return False
            if isinstance(outer, FUNCTION) and inner in outer.body:
                return outer in self.reachable
            inner = outer
        return True

    def walk(self, kind: type[ast.AST]) -> Iterator[ast.AST]:
        """All nodes of a kind that the platform would come past, in the order of the text."""
        nodes = [n for n in ast.walk(self.tree) if isinstance(n, kind) and self.runs(n)]
        yield from sorted(nodes, key=lambda n: (getattr(n, "lineno", 0),
                                                getattr(n, "col_offset", 0)))

    @cached_property
    def calls(self) -> list[tuple[str, ast.Call]]:
        """(dotted name, call) of everything that is called."""
        return [(self.name(c.func), c) for c in self.walk(ast.Call) if isinstance(c, ast.Call)]

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that enclose this one, the nearest first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def tried(self, node: ast.AST, *names: str) -> bool:
        """Whether the node stands in the body of a try that catches one of ``names``, or all."""
        inner = node
        for outer in self.around(node):
            if isinstance(outer, ast.With) and inner in outer.body:
                opened = " ".join(map(ast.unparse, outer.items))
                if "suppress(" in opened and any(n in opened for n in (*names, "Exception")):
                    return True
            if isinstance(outer, ast.Try) and inner in outer.body:
                for handler in outer.handlers:
                    caught = ast.unparse(handler.type) if handler.type else "Exception"
                    if any(n in caught for n in (*names, "Exception")):
                        return True
            inner = outer
        return False

    @cached_property
    def undefined(self) -> list[tuple[str, int]]:
        """(name, line) of names that nothing defines, in code that the platform would run."""
        if any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*"
               for n in ast.walk(self.tree)):
            return []
        if any(n in ("exec", "globals", "vars") for n, _ in self.calls):
            return []
        known = self.bound | set(dir(builtins)) | MODULE
        missing = {s for table in tables(self.table) for s in globals_of(table)} - known
        found: dict[str, int] = {}
        for node in self.walk(ast.Name):
            if isinstance(node, ast.Name) and node.id in missing and node.id not in found \
                    and isinstance(node.ctx, ast.Load) and not self.excused(node):
                found[node.id] = node.lineno
        return sorted(found.items(), key=lambda pair: pair[1])

    def excused(self, node: ast.Name) -> bool:
        """A name that need not exist: in a try, in an annotation, or local to its function."""
        if self.tried(node, "NameError"):
            return True
        inner: ast.AST = node
        for outer in self.around(node):
            if isinstance(outer, ast.AnnAssign) and inner is outer.annotation:
                return True
            if isinstance(outer, ast.arg) or (isinstance(
                    outer, ast.FunctionDef) and inner is outer.returns):
                return "annotations" in self.imports
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda |
                          ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) \
                    and node.id in locals_of(outer):
                return True
            inner = outer
        return False

    def own(self, call: ast.Call) -> ast.FunctionDef | None:
        """The function or method of the file itself that is called."""
        target = call.func
        if isinstance(target, ast.Name):
            return self.functions.get(target.id)
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) in ("self", "cls"):
            owner = next((o for o in self.around(call) if isinstance(o, ast.ClassDef)), None)
            method = self._method(owner, target.attr, 0)
            return method if isinstance(method, ast.FunctionDef) else None
        return None

    @cached_property
    def bindings(self) -> dict[str, list[ast.AST]]:
        """{name: what the file may bind it to}, in any scope; the place where that can't be told.

        Without imports, methods and attributes.
        """
        found: dict[str, list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            outer = self.parents.get(node)
            if isinstance(node, FunctionOrClass) and not isinstance(outer, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.setdefault(node.id, []).append(
                    outer.value if isinstance(outer, ast.Assign) else node)
            elif isinstance(node, ast.arg):
                found.setdefault(node.arg, []).append(node)
        return found

    def home_made(self, call: ast.Call) -> bool:
        """Whether what is called may stand in one of the archive's files."""
        if self.imported(call.func):
            return self.inside(call.func)
        if isinstance(call.func, ast.Name):
            return any(map(self.inside, self.bindings.get(call.func.id, [])))
        return self.own(call) is not None or (
            isinstance(call.func, ast.Attribute) and call.func.attr in self.methods)

    def inside(self, node: ast.AST) -> bool:
        """Whether an expression may come from the archive's files, rather than from a package."""
        return not self.imported(node) or self.name(node).split(".")[0] in self.files

    def optional(self, node: ast.AST) -> bool:
        """Whether an import may fail, or never happen, without harm."""
        return self.tried(node, "ImportError", "ModuleNotFoundError") or any(
            isinstance(o, ast.If | ast.While | ast.ExceptHandler | ast.match_case)
            for o in self.around(node))

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        return next((o for o in self.around(node) if isinstance(o, FUNCTION)), None)

    @cached_property
    def ends(self) -> dict[ast.AST | None, list[ast.Return]]:
        """The returns of each function."""
        found: dict[ast.AST | None, list[ast.Return]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Return):
                found.setdefault(self.function_of(node), []).append(node)
        return found

    @cached_property
    def changed(self) -> set[str]:
        """The names of lists, dicts and sets that any of the files changes."""
        return changed(self.together)

    @cached_property
    def dynamic(self) -> bool:
        """Whether any of the files may give attributes that no reader sees."""
        return any(re.search(r"setattr|__dict__|vars\(", s.text) for s in self.together)

    @cached_property
    def named(self) -> dict[str, list[tuple["Source", ast.Call]]]:
        """All calls in the files that run together, by the last part of what is called."""
        found: dict[str, list[tuple[Source, ast.Call]]] = {}
        for s in self.together:
            for name, call in s.calls:
                found.setdefault(name.split(".")[-1], []).append((s, call))
        return found

    def callers(self, function: ast.AST) -> list[tuple["Source", ast.Call]] | None:
        """A function's calls, or all of its name; None for what the platform or Python calls."""
        owner = self.parents[function]
        name = str(getattr(function, "name", ""))
        if name == "__init__" and isinstance(owner, ast.ClassDef) and owner.name in self.named:
            name = owner.name
        if name.startswith("__") or name in ("predict", "Model") or getattr(
                function, "decorator_list", None) and name not in self.named:
            return None
        calls = self.named.get(name, [])
        if isinstance(owner, ast.ClassDef) and owner.name == "Model":
            own = {f"{o}.{name}" for o in ("self", "cls", "Model", "super()")}
            calls = [(s, c) for s, c in calls if ast.unparse(c.func) in own]
        return [(s, c) for s, c in calls if s.own(c) is function or s is not self and s.name(
            c.func).split(".")[-2:] == [self.parts[-1], name]] or calls

    def guarded(self, node: ast.AST) -> bool:
        """Whether a missing file may do no harm: a try, or one way of several, holds the node.

        The same goes for a function that is nowhere called for certain.
        """
        if self.forked(node):
            return True
        function = self.function_of(node)
        if function and function not in self.sure:
            self.sure[function] = self.called(function)
        return function is not None and not self.sure[function]

    def called(self, function: ast.AST) -> bool:
        """Whether a function is called, and what calls it is called, whatever happens."""
        waiting: list[tuple[Source, ast.AST]] = [(self, function)]
        for source, function in waiting:
            calls = source.callers(function)
            outer = [(s, s.function_of(c)) for s, c in calls or [] if not s.forked(c)]
            if calls is None or any(o is None for _, o in outer):
                return True
            waiting += [(s, o) for s, o in outer if o and (s, o) not in waiting]
        return False

    def forked(self, node: ast.AST) -> bool:
        """Whether a node of a function stands in a try that excuses it, or on one way of several.

        What waits for a first use, if something is None yet, happens all the same.
        """
        if self.tried(node, *MISSING):
            return True
        ends = [n for n in self.ends.get(self.function_of(node), ())
                if n.lineno < getattr(node, "lineno", 0)]
        return self.depends(node, "is None|not hasattr") or any(
            self.depends(end, "is (not )?None|hasattr") for end in ends)

    def depends(self, node: ast.AST, first: str) -> bool:
        """Whether a node stands on one way of several; ``first``: what asks for a first use."""
        inner = node
        for outer in self.around(node):
            if isinstance(outer, ast.ExceptHandler | ast.match_case | ast.Lambda) or (
                    isinstance(outer, ast.BoolOp) and inner is not outer.values[0]):
                return True
            if isinstance(outer, ast.If | ast.IfExp | ast.While):
                test = ast.unparse(outer.test)
                other = outer.orelse if isinstance(outer.orelse, list) else [outer.orelse]
                if not re.search(first, test) or self.handed(outer) or inner in other:
                    return True
            inner = outer
        return False

    def handed(self, fork: ast.If | ast.IfExp | ast.While) -> bool:
        """Whether a parameter, which a call may set, decides the way."""
        function = self.function_of(fork)
        given = set() if function is None or function in (
            self.method("__init__"), self.method("predict")) else {
            a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)} - {"self", "cls"}
        return any(isinstance(n, ast.Name) and n.id in given for n in ast.walk(fork.test))


def read(text: str, file: str) -> tuple[ast.Module, symtable.SymbolTable]:
    """Code as Python reads it: some of what it refuses, such as a lone return, parses all right."""
    tree = ast.parse(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # such as that of an "is" beside a number
        compile(text, file, "exec", dont_inherit=True)
        return tree, symtable.symtable(text, file, "exec")


def join(sources: list[Source]) -> None:
    """Let files of code know of each other: model.py comes first."""
    files = {part for s in sources for part in s.parts}
    methods = {m.name for s in sources for c in s.classes.values() for m in c.body
               if isinstance(m, FUNCTION)}
    for s in sources:
        s.files, s.methods, s.together = files, methods, sources
    reachable = reach(sources)
    for s in sources:
        s.reachable = reachable


def tables(top: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield top
    for child in top.get_children():
        yield from tables(child)


def defined(top: symtable.SymbolTable) -> set[str]:
    """Names of the module's scope, also those that functions declare global."""
    found = {s.get_name() for s in top.get_symbols()
             if s.is_assigned() or s.is_imported() or s.is_namespace()}
    for table in tables(top):
        found |= {s.get_name() for s in table.get_symbols()
                  if s.is_declared_global() and s.is_assigned()}
    return found


def globals_of(table: symtable.SymbolTable) -> set[str]:
    """Names that a scope looks for in the module."""
    module = table.get_type() == "module"
    return {s.get_name() for s in table.get_symbols() if s.is_referenced()
            and (s.is_global() or (module and not s.is_assigned() and not s.is_imported()))}


def locals_of(node: ast.AST) -> set[str]:
    """Names that a function or comprehension binds itself."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)
             and isinstance(n.ctx, ast.Store | ast.Del)}
    found |= {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
    found |= {n.name for n in ast.walk(node) if isinstance(n, ast.ExceptHandler) and n.name}
    return found | {n.name for n in ast.walk(node)
                    if isinstance(n, ast.FunctionDef | ast.ClassDef) and n is not node}
