"""What can be known of a model.py, or a file that it imports, by reading it. Nothing is run."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from functools import cached_property

MODULE = {"__file__", "__name__", "__doc__", "__package__", "__spec__", "__loader__", "__path__",
          "__builtins__", "__annotations__", "__debug__", "__class__", "__module__",
          "__qualname__", "__dict__"}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
FunctionOrClass = FUNCTION | ast.ClassDef
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

    def guarded(self, node: ast.AST) -> bool:
        """Whether a missing file may do no harm: in a try, or on one way of several.

        What waits for a first use, if something is None yet, happens all the same.
        """
        if self.tried(node, "OSError", "IOError", "FileNotFoundError"):
            return True
        return any(isinstance(o, ast.ExceptHandler | ast.match_case) or (
            isinstance(o, ast.If | ast.IfExp | ast.While)
            and not re.search("is None|hasattr", ast.unparse(o.test))) for o in self.around(node))


def read(text: str, file: str) -> tuple[ast.Module, symtable.SymbolTable]:
    """Code as Python reads it: it refuses a bad global or parameter only after parsing."""
    return ast.parse(text), symtable.symtable(text, file, "exec")


def is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


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


def reach(sources: list[Source]) -> set[ast.AST]:
    """The functions that run when the platform imports, builds and calls Model, in all files."""
    first = sources[0]
    known = [(n, s) for s in sources for n in ast.walk(s.tree)
             if isinstance(n, FUNCTION | ast.ClassDef)]
    methods = {m: n for n, _ in known if isinstance(n, ast.ClassDef) for m in n.body}
    meant = Mentions({(s.parts[-1], n.name) for n, s in known})
    meant.add(first, ast.Name("Model"))
    if first.method("predict") is None:
        meant.attributes.add("predict")
    waiting: list[tuple[ast.AST, bool, Source]] = [
        (n, False, s) for s in sources for n in s.tree.body if not is_main(n)]
    waiting += [(n, True, first) for n in (first.method("__init__"), first.method("predict")) if n]
    done: set[tuple[ast.AST, bool]] = set()
    while waiting:
        for node, whole, source in waiting:
            done.add((node, whole))
            for child in running(node, whole):
                meant.add(source, child)
        waiting = []
        for node, source in known:
            owner = methods.get(node)
            if isinstance(node, ast.ClassDef):
                pieces = special(node) if meant.anyhow(node, source) else []
            elif owner:
                pieces = [node] if node.name in meant.attributes and meant.anyhow(
                    owner, source) else []
            else:
                pieces = [node] if meant.by_name(node, source) else []
            waiting += [(p, True, source) for p in pieces if (p, True) not in done]
    return {node for node, whole in done if whole}


class Mentions:
    """What the names in running code may mean. known: (last part of the file's name, name)."""

    def __init__(self, known: set[tuple[str, str]]) -> None:
        self.known = known
        self.exact: set[tuple[str, str]] = set()
        self.loose: set[str] = set()            # imported, but from where isn't clear
        self.attributes: set[str] = set()

    def add(self, source: Source, node: ast.Name | ast.Attribute) -> None:
        imported, parts = source.imported(node), source.name(node).split(".")
        if imported and parts[0] not in source.files:
            return              # a package's, whatever functions of that name there are here
        if isinstance(node, ast.Attribute):
            self.attributes.add(node.attr)
        if imported or isinstance(node, ast.Name):
            key = (parts[-2] if len(parts) > 1 else source.parts[-1], parts[-1])
            if key in self.known:
                self.exact.add(key)
            elif imported or "*" in source.imports:
                self.loose.add(parts[-1])

    def by_name(self, node: FunctionOrClass, source: Source) -> bool:
        return (source.parts[-1], node.name) in self.exact or node.name in self.loose

    def anyhow(self, node: FunctionOrClass, source: Source) -> bool:
        return self.by_name(node, source) or node.name in self.attributes


def running(node: ast.AST, whole: bool) -> Iterator[ast.Name | ast.Attribute]:
    """Names and attributes in what runs of a node; of functions inside it only their heads."""
    stack = list(ast.iter_child_nodes(node)) if whole or not isinstance(node, FUNCTION) \
        else heads(node)
    while stack:
        child = stack.pop()
        if isinstance(child, ast.Name | ast.Attribute):
            yield child
        stack += heads(child) if isinstance(child, FUNCTION) else ast.iter_child_nodes(child)


def heads(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.AST]:
    """What of a function runs when it is defined."""
    defaults = [*function.args.defaults, *(d for d in function.args.kw_defaults if d)]
    return [*function.decorator_list, *defaults]


def special(owner: ast.ClassDef) -> list[ast.AST]:
    """Methods that Python or Keras call by themselves."""
    return [n for n in owner.body if isinstance(n, FUNCTION)
            and (n.name.startswith("__") or n.name in ("call", "build", "forward"))]


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
