"""Model.predict, read: what its names stand for, and what it calls."""

import ast
import re
from collections.abc import Iterator

from submission.checks.facts import Facts, assigned
from submission.checks.source import Source

SPECIAL = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.match_case)
MAKING = re.compile(r"load_model$|^(keras|tensorflow)\.(\w+\.)*(Sequential|Model|clone_model|"
                    r"model_from_\w+|applications\.\w+(\.\w+)?)$")


class Predict:
    """Model.predict, read, or a function that it calls. facts: what finds such functions."""

    def __init__(self, facts: Facts, source: Source, method: ast.FunctionDef) -> None:
        self.facts, self.source, self.method = facts, source, method
        arguments = [a.arg for a in [*method.args.posonlyargs, *method.args.args]]
        static = any(source.name(d) == "staticmethod" for d in method.decorator_list)
        self.given = arguments[0 if static else 1] if len(arguments) > (0 if static else 1) else ""

    @property
    def returns(self) -> list[ast.Return]:
        return [n for n in own(self.method) if isinstance(n, ast.Return)]

    def value(self, node: ast.AST | None, before: int, depth: int = 0) -> ast.AST | None:
        """What an expression stands for: a name's last assignment before the line."""
        if not isinstance(node, ast.Name) or depth > 5:
            return node
        stores = [n for n in own(self.method) if isinstance(n, ast.Name) and n.id == node.id
                  and not isinstance(n.ctx, ast.Load)]
        found = [n for n in stores if n.lineno < before]
        if not found or any(isinstance(self.source.parents[n], ast.AugAssign) for n in stores):
            return node
        # One of several assignments in branches proves nothing, nor does a piece of a tuple.
        last = max(found, key=lambda n: n.lineno)
        bound = self.source.parents[last]
        if not isinstance(bound, ast.Assign | ast.AnnAssign) or (
                bound not in self.method.body and len(found) > 1):
            return node
        return self.value(bound.value, bound.lineno, depth + 1)

    @property
    def results(self) -> Iterator[tuple["Predict", ast.AST, str]]:
        """(where it is found, expression, line) of what is given back for certain."""
        yield from self._results(set())

    def _results(self, seen: set[ast.AST]) -> Iterator[tuple["Predict", ast.AST, str]]:
        if self.method in seen or not {self.source.name(d) for d in self.method.decorator_list} <= {
                "staticmethod", "classmethod"}:
            return
        seen.add(self.method)
        for r in self.returns:
            value = self.value(r.value, r.lineno)
            if value is None or not self.certain(r):
                continue
            called = self.facts.called(self.source, value) if isinstance(value, ast.Call) else None
            if called:
                yield from Predict(self.facts, *called)._results(seen)
            else:
                yield self, value, f"Line {r.lineno} of {self.source.file}"

    @property
    def handed(self) -> Iterator[tuple["Predict", str]]:
        """(function of the archive, line) whose result is given back for certain."""
        for r in self.returns:
            value = self.value(r.value, r.lineno)
            called = self.facts.called(self.source, value) if isinstance(value, ast.Call) else None
            if called and self.certain(r) and not self.method.decorator_list:
                yield Predict(self.facts, *called), f"Line {r.lineno} of {self.source.file}"

    def certain(self, node: ast.Return) -> bool:
        """Whether a return is no special case, such as that of no pictures or of a flag."""
        cases = [o for r in self.returns for o in self.source.around(r)
                 if isinstance(o, ast.If) and self.source.function_of(o) is self.method]
        return not any(isinstance(o, SPECIAL) and self.source.function_of(o) is self.method
                       for o in self.source.around(node)) and not (
            isinstance(node.value, ast.Name) and any(
                isinstance(n, ast.Name) and n.id == node.value.id
                for case in cases for n in ast.walk(case.test)))


def own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)


def keras_network(f: Facts, s: Source, node: ast.AST, depth: int = 0) -> bool:
    """Whether an expression is known to be a network of Keras: loaded, or made by its functions."""
    if depth > 5:
        return False
    if isinstance(node, ast.Call):
        found = f.own(s, node)
        if found is None:
            return not s.home_made(node) and bool(MAKING.search(s.name(node.func)))
        s, function = found
        values: list[ast.AST] = [n.value for n in own(function)
                                 if isinstance(n, ast.Return) and n.value]
    else:
        values = assigned(s, node)
    return bool(values) and all(keras_network(f, s, v, depth + 1) for v in values)
