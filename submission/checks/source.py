"""What can be known of a model.py by reading it. Nothing is imported or run."""

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


class Source:
    """A parsed model.py. Raises SyntaxError (or ValueError for NUL bytes) where it can't be."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.parents = {child: node for node in ast.walk(self.tree)
                        for child in ast.iter_child_nodes(node)}

    @cached_property
    def imports(self) -> dict[str, str]:
        """{name in the file: what it stands for}, such as {"tf": "tensorflow"}."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for a in node.names:
                    found[a.asname or a.name.split(".")[0]] = (
                        a.name if a.asname else a.name.split(".")[0])
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for a in node.names:
                    found[a.asname or a.name] = f"{node.module}.{a.name}"
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

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {n.name: n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)}

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The functions of the module itself, not those inside classes and functions."""
        return {n.name: n for n in self.tree.body if isinstance(n, ast.FunctionDef)}

    @cached_property
    def bound(self) -> set[str]:
        """Names that the module itself defines, by import, assignment, def or class."""
        return defined(symtable.symtable(self.text, "model.py", "exec"))

    def method(self, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """A method of Model, its own or of a base class in the file."""
        return self._method(self.classes.get("Model"), name, 0)

    def _method(self, owner: ast.ClassDef | None, name: str, depth: int
                ) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        if owner is None or depth > 10:
            return None
        for node in owner.body:
            if isinstance(node, FUNCTION) and node.name == name:
                return node
        for base in owner.bases:
            found = self._method(self.classes.get(self.name(base)), name, depth + 1)
            if found:
                return found
        return None

    @cached_property
    def foreign_base(self) -> bool:
        """Whether Model inherits from something that isn't in the file."""
        owner = self.classes.get("Model")
        names = [self.name(b) for b in owner.bases] if owner else []
        return any(n not in self.classes and n != "object" for n in names)

    @cached_property
    def reachable(self) -> set[ast.AST]:
        """The functions that run when the platform imports, builds and calls Model."""
        known: dict[str, list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, FUNCTION | ast.ClassDef):
                known.setdefault(node.name, []).append(node)
        entries = special(self.classes["Model"]) if "Model" in self.classes else []
        entries += [n for n in (self.method("__init__"), self.method("predict")) if n]
        waiting: list[tuple[ast.AST, bool]] = [(n, False) for n in self.tree.body
                                               if not is_main(n)]
        waiting += [(n, True) for n in entries]
        done: set[tuple[ast.AST, bool]] = set()
        while waiting:
            piece = waiting.pop()
            if piece in done:
                continue
            done.add(piece)
            for name in mentioned(*piece):
                for other in known.get(name, []):
                    waiting += [(n, True) for n in (special(other) if isinstance(
                        other, ast.ClassDef) else [other])]
        return {node for node, whole in done if whole}

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
        top = symtable.symtable(self.text, "model.py", "exec")
        missing = {s for table in tables(top) for s in globals_of(table)} - known
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

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        return next((o for o in self.around(node) if isinstance(o, FUNCTION)), None)

    def guarded(self, node: ast.AST) -> bool:
        """Whether a missing file would do no harm: in a try, or asked for before."""
        return self.tried(node, "OSError", "IOError", "FileNotFoundError") or any(
            isinstance(o, ast.If | ast.IfExp) and re.search("exists|is_?dir|is_?file|listdir|glob",
                                                            ast.unparse(o.test))
            for o in self.around(node))


def is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def mentioned(node: ast.AST, whole: bool) -> Iterator[str]:
    """Names and attributes in what runs of a node; of functions inside it only their heads."""
    stack = list(ast.iter_child_nodes(node)) if whole or not isinstance(node, FUNCTION) \
        else heads(node)
    while stack:
        child = stack.pop()
        if isinstance(child, ast.Name):
            yield child.id
        elif isinstance(child, ast.Attribute):
            yield child.attr
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
