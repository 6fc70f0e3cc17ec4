"""Two runs side by side: the numbers of ``harness compare``."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness import leaderboard
from harness.judge import metrics
from harness.report import facts
from harness.runs import Run

NUMBERS = {"validation": "validation", "suite": "stress suite", "test": "test",
           "forecast": "forecast", "low": "forecast, from", "high": "forecast, to",
           "returned": "returned"}


def compare(a: Run, b: Run, returned: Mapping[str, float]) -> dict[str, Any]:
    """What two runs share and how they differ.

    returned: the scores that came back, by run. Keys: "runs" (two leaderboard records),
    "accuracy", "classes", "families" (rows with "of", "a", "b", "difference"), "settings" (rows
    with "field", "a", "b"), and "pictures": how often only one was right with McNemar's p, or None
    where they were validated on different pictures.
    """
    records = [leaderboard.record(run, returned.get(run.id)) for run in (a, b)]
    return {"runs": records,
            "accuracy": [row(words, records[0][key], records[1][key])
                         for key, words in NUMBERS.items()
                         if any(r[key] is not None for r in records)],
            "classes": shared(recalls(a), recalls(b)),
            "families": shared(families(a), families(b)),
            "settings": settings(a.config, b.config), "pictures": pictures(a, b)}


def row(of: str, a: float | None, b: float | None) -> dict[str, Any]:
    return {"of": of, "a": a, "b": b,
            "difference": None if a is None or b is None else b - a}


def shared(a: dict[str, float], b: dict[str, float]) -> list[dict[str, Any]]:
    return [row(name, a[name], b[name]) for name in a if name in b]


def recalls(run: Run) -> dict[str, float]:
    p, names = run.predictions(), tuple(str(c) for c in run.config["data"]["classes"])
    matrix = metrics.confusion(p["validation_labels"], p["validation"].argmax(1), len(names))
    return {c["name"]: c["recall"] for c in metrics.per_class(matrix, names)}


def families(run: Run) -> dict[str, float]:
    suite = run.suite()
    return {h["family"]: h["all"] for h in facts.heat_map(suite)} if suite else {}


def settings(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, str]]:
    """The lines of the configuration that differ."""
    from harness.report.sections import flat

    left, right = dict(flat(a, skip=("identity",))), dict(flat(b, skip=("identity",)))
    return [{"field": k, "a": left.get(k, ""), "b": right.get(k, "")}
            for k in dict.fromkeys([*left, *right]) if left.get(k) != right.get(k)]


def pictures(a: Run, b: Run) -> dict[str, Any] | None:
    """How the two differ picture by picture."""
    first, second = a.predictions(), b.predictions()
    if facts.paired(a, first)["pictures"] != facts.paired(b, second)["pictures"]:
        return None
    right = []
    for p in (first, second):
        order = np.argsort(p["validation_index"], kind="stable")
        right.append((p["validation"].argmax(1) == p["validation_labels"])[order])
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return {"n": len(right[0]), "only_a": only_a, "only_b": only_b,
            "p": facts.mcnemar(only_a, only_b)}
