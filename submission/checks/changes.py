"""Which lists, dicts and sets code changes after it has made them, by the names that they have."""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from submission.checks.reach import FUNCTION

if TYPE_CHECKING:
    from submission.checks.source import Source

CHANGING = {"append", "insert", "extend", "update", "pop", "popitem", "clear", "remove",
            "setdefault", "sort", "reverse", "add", "discard", "move_to_end", "shuffle"}
SAME = {"get", "values", "items", "setdefault"}     # what gives back a part of the same thing


def changed(sources: list["Source"]) -> set[str]:
    """The names and attributes that hold something which is changed, be it by another name."""
    waiting: list[str] = []
    others: dict[str, list[str]] = {}       # {name: what may be the same thing, or hold it}
    for s in sources:
        for node in ast.walk(s.tree):
            waiting += changes(s, node)
            for name, other in same(s, node):
                others.setdefault(name, []).append(other)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += others.get(name, [])
    return found


def changes(s: "Source", node: ast.AST) -> Iterator[str]:
    """The names of what a node changes."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        yield from root(s, node)
    elif isinstance(node, ast.Call) and s.name(node.func).split(".")[-1] in CHANGING:
        if isinstance(node.func, ast.Attribute):
            yield from root(s, node.func.value)
        if s.imported(node.func):       # such as random.shuffle
            yield from (name for a in node.args for name in root(s, a))


def same(s: "Source", node: ast.AST) -> Iterator[tuple[str, str]]:
    """(name, what it may stand for, or be a part of)."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value:
        targets, value = node.targets if isinstance(node, ast.Assign) else [node.target], node.value
    elif isinstance(node, ast.For | ast.comprehension):
        targets, value = [node.target], node.iter
    elif isinstance(node, FUNCTION):
        owner = s.parents[node]
        made = owner.name if isinstance(owner, ast.ClassDef) and node.name == "__init__" else \
            node.name
        yield from ((a.arg, f"{made}()") for a in ast.walk(node.args) if isinstance(a, ast.arg))
        return
    elif isinstance(node, ast.Call):
        called = s.name(node.func).split(".")[-1]
        yield from ((f"{called}()", name) for a in [*node.args, *(k.value for k in node.keywords)]
                    for name in root(s, a))
        return
    else:
        return
    # A list is what its own elements are a part of.
    values = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    yield from ((name, other) for t in targets for n in ast.walk(t)
                if isinstance(n, ast.Name | ast.Attribute) and not isinstance(n.ctx, ast.Load)
                for name in root(s, n) for v in values for other in root(s, v))


def root(s: "Source", node: ast.AST) -> list[str]:
    """The name or attribute that an expression is, or is a part of; none for other things."""
    if s.imported(node):
        return []
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
                and node.func.attr in SAME:
            node = node.func.value
        else:
            break
    return [node.id] if isinstance(node, ast.Name) else \
        [node.attr] if isinstance(node, ast.Attribute) and not s.imported(node) else []
