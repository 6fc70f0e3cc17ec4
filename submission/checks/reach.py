"""Which functions of a submission's code run when the platform imports, builds and calls Model."""

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from submission.checks.source import Source

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
FunctionOrClass = FUNCTION | ast.ClassDef


def reach(sources: list["Source"]) -> set[ast.AST]:
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
    done: set[tuple[ast.AST, bool]] = {(m, True) for m in replaced(sources)}
    never = {m for m, _ in done}
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
    return {node for node, whole in done if whole} - never


def replaced(sources: list["Source"]) -> set[ast.AST]:
    """Methods of Model's base classes that Model has under the same name, and nothing else calls.

    None where a class has several bases, or where a base class is used for anything else.
    """
    trees = [n for s in sources for n in ast.walk(s.tree)]
    classes = [n for n in trees if isinstance(n, ast.ClassDef)]
    used = [n.id if isinstance(n, ast.Name) else n.attr for n in trees
            if isinstance(n, ast.Name | ast.Attribute)]
    above = {n.attr for n in trees if isinstance(n, ast.Attribute)
             and isinstance(n.value, ast.Call) and ast.unparse(n.value.func) == "super"}
    owner = sources[0].classes.get("Model")
    nearer: set[str] = set()
    found: set[ast.AST] = set()
    while owner and len(owner.bases) == 1:
        nearer |= {m.name for m in owner.body if isinstance(m, FUNCTION)}
        name = ast.unparse(owner.bases[0]).split(".")[-1]
        bases = [c for c in classes if c.name == name and name != "Model"]
        classes = [c for c in classes if c not in bases]        # of a ring, too, there is an end
        owner = bases[0] if len(bases) == 1 and used.count(name) == 1 else None
        if owner:
            found |= {m for m in owner.body if isinstance(m, FUNCTION)
                      and m.name in nearer - above}
    return found


class Mentions:
    """What the names in running code may mean. known: (last part of the file's name, name)."""

    def __init__(self, known: set[tuple[str, str]]) -> None:
        self.known = known
        self.exact: set[tuple[str, str]] = set()
        self.loose: set[str] = set()            # imported, but from where isn't clear
        self.attributes: set[str] = set()

    def add(self, source: "Source", node: ast.Name | ast.Attribute) -> None:
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

    def by_name(self, node: FunctionOrClass, source: "Source") -> bool:
        return (source.parts[-1], node.name) in self.exact or node.name in self.loose

    def anyhow(self, node: FunctionOrClass, source: "Source") -> bool:
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
    """Methods that Python or Keras call by themselves; an __int__ is rather a mistyped __init__."""
    return [n for n in owner.body if isinstance(n, FUNCTION) and n.name != "__int__"
            and (re.fullmatch("__[a-z]+[a-z_]*[a-z]__", n.name)
                 or n.name in ("call", "build", "forward"))]


def is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
