"""The honesty log: forecasts that met their returned score, against the plain ways to guess."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.judge import pairs
from harness.judge.evidence import of_run
from harness.judge.hidden import expit, logit

if TYPE_CHECKING:
    from harness.runs import Run
    from submission.ledger import Entry


def rows(runs: Iterable["Run"], entries: Iterable["Entry"]) -> list[dict[str, Any]]:
    """One record for each scored entry of the ledger whose run is at hand.

    The forecast and its interval are those that the ledger wrote down when the zip was sent.
    Baselines: test = validation, the published line and logit line, and accuracy on the stress
    suite as it is.
    """
    known = {run.id: run for run in runs}
    straight, bent = (pairs.lines()[name] for name in ("line", "logit line"))
    found = []
    for entry in entries:
        run = known.get(entry.run or "")
        if run is None or entry.forecast is None or entry.score is None \
                or not 0 <= entry.score <= 1:  # a percentage or a loss
            continue
        validation = float(run.metrics["validation"]["accuracy"])
        evidence = of_run(run)
        low, high = entry.low, entry.high
        found.append({
            "run": run.id, "time": entry.changed, "score": entry.score,
            "forecast": entry.forecast, "low": low, "high": high,
            "inside": None if low is None or high is None else bool(low <= entry.score <= high),
            "test = validation": validation, "line": float(np.polyval(straight, validation)),
            "logit line": float(expit(np.polyval(bent, logit(validation)))),
            "plain suite": evidence.plain if evidence else None})
    return found


GUESSES = ("forecast", "test = validation", "line", "logit line", "plain suite")


def summary(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean absolute error, in points, of each way to guess; how many scores; and of the forecast
    the share of scores that lay inside its interval."""
    found = []
    for name in GUESSES:
        errors = [abs(r[name] - r["score"]) for r in records if r[name] is not None]
        if errors:
            inside = [r["inside"] for r in records if r["inside"] is not None]
            cover = float(np.mean(inside)) if inside and name == "forecast" else None
            found.append({"guess": name, "scores": len(errors),
                          "error": 100 * float(np.mean(errors)), "inside": cover})
    return found
