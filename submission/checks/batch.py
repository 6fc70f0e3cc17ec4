"""Rule 66: statistics of all pictures at once, on which no picture's label may depend."""

import ast
from collections.abc import Iterator

from submission.checks.facts import Facts
from submission.checks.paths import TELLING, parameters
from submission.checks.predict import Predict, own
from submission.checks.source import Source

PACKAGES = ("numpy.", "tensorflow.", "keras.")
STATISTICS = {"max", "min", "mean", "std", "var", "ptp", "amax", "amin", "median", "reduce_max",
              "reduce_min", "reduce_mean", "reduce_std", "nanmax", "nanmin"}
QUANTILES = {"percentile", "quantile"}
FITTING = {"fit", "fit_transform", "adapt"}
# Calls that give back as many pictures as they got.
KEEPING = {"astype", "asarray", "array", "ascontiguousarray", "cast", "convert_to_tensor", "copy",
           "float32", "preprocess_input", "resize", "reshape", "clip", "divide", "multiply",
           "subtract"}
CALLS = 50              # functions that are looked into


def statistics(f: Facts, predicting: Predict) -> Iterator[str]:
    """A maximum, mean or deviation over pictures, in predict and in what it hands them to."""
    waiting = [(predicting.source, predicting.method, predicting.given)]
    for s, function, given in waiting:
        always, until = batches(function, given)
        for node in own(function):
            if not isinstance(node, ast.Call) or told(s, node):
                continue
            names = always | ({given} if node.lineno <= until else set())
            if over_pictures(s, node, names):
                yield (f"Line {node.lineno} of {s.file} looks at {ast.unparse(node)}, which "
                       "depends on what else is in the batch.")
            called = f.called(s, node)
            if called and len(waiting) < CALLS:
                rows = [(*called, name) for name in handed(called[1], node, names)]
                waiting += [row for row in rows if row not in waiting]


def handed(function: ast.FunctionDef, call: ast.Call, names: set[str]) -> Iterator[str]:
    """The parameters of a function that a call gives the pictures to."""
    for name, value in zip(parameters(function), call.args, strict=False):
        if batch(value, names):
            yield name
    yield from (k.arg for k in call.keywords if k.arg and batch(k.value, names))


def told(s: Source, node: ast.AST) -> bool:
    """Whether a value is only printed, or only looked at to complain."""
    return any(isinstance(o, ast.Assert | ast.Raise) or (
        isinstance(o, ast.Call) and s.name(o.func).split(".")[-1] in TELLING)
        for o in s.around(node))


def over_pictures(s: Source, call: ast.Call, names: set[str]) -> bool:
    """Whether this is a statistic of a batch, over its pictures and not within each."""
    name = s.name(call.func)
    last = name.split(".")[-1]
    method = isinstance(call.func, ast.Attribute) and not name.startswith(PACKAGES)
    if last in FITTING and method:
        return any(batch(a, names) for a in call.args[:1])
    given = [call.func.value, *call.args] if method else call.args  # type: ignore[attr-defined]
    if last not in STATISTICS | QUANTILES or not given or not batch(given[0], names):
        return False
    place = 2 if last in QUANTILES else 1
    axes = given[place:place + 1] + [k.value for k in call.keywords if k.arg in ("axis", "dim")]
    if not axes:
        return method or name.startswith(PACKAGES)
    numbers = axes[0].elts if isinstance(axes[0], ast.Tuple | ast.List) else axes[:1]
    return any(isinstance(n, ast.Constant) and n.value in (0, None) for n in numbers)


def batches(function: ast.FunctionDef, given: str) -> tuple[set[str], float]:
    """The names that stand for several pictures, and up to which line the given one does."""
    plain: dict[ast.AST, ast.Assign | ast.AnnAssign | ast.AugAssign] = {}
    for node in own(function):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            plain.update({t: node for t in targets})
    values: dict[str, list[tuple[int, ast.AST | None]]] = {}
    for node in own(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound = plain.get(node)
            if not isinstance(bound, ast.AugAssign):
                values.setdefault(node.id, []).append((node.lineno, bound and bound.value))
    names = {given}
    for _ in range(5):
        names |= {n for n, found in values.items() if any(batch(v, names) for _, v in found)
                  and all(batch(v, {*names, n}) for _, v in found)}
    ends = [line for line, v in values.get(given, []) if not batch(v, names)]
    return names - ({given} if ends else set()), min(ends, default=float("inf"))


def batch(node: ast.AST | None, names: set[str]) -> bool:
    """Whether an expression is several pictures, at least one of ``names`` being some."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.BinOp):
        return batch(node.left, names) or batch(node.right, names)
    if isinstance(node, ast.Subscript):
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        several = isinstance(first, ast.Slice) and not (
            first.lower and first.upper and ast.unparse(first.upper) in (
                f"{ast.unparse(first.lower)} + 1", f"1 + {ast.unparse(first.lower)}"))
        return several and batch(node.value, names)
    if isinstance(node, ast.Call):
        last = ast.unparse(node.func).split(".")[-1]
        parts = [*node.args[:1], *([node.func.value] if isinstance(
            node.func, ast.Attribute) else [])]
        return last in KEEPING and any(batch(part, names) for part in parts)
    return False
