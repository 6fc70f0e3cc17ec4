"""The page's section about what was sent: forecasts against returned scores."""

from typing import TYPE_CHECKING, Any

from harness.report import svg
from harness.report.damage import DAMAGE
from harness.runs import Store

if TYPE_CHECKING:
    from submission.ledger import Entry


def attempt(store: Store) -> dict[str, Any] | None:
    """The section, or a sentence in its place where the ledger is damaged."""
    try:
        return section(store)
    except DAMAGE as e:
        return {"damaged": str(e) or type(e).__name__}


def section(store: Store) -> dict[str, Any] | None:
    """Every attempt of the ledger, and a figure of those with a forecast and a score."""
    entries = store.ledger.entries()
    if not entries:
        return None
    rows = [row(e) for e in reversed(entries)]
    # A score that is no share, a percentage or a loss, can't be set against a forecast.
    both = [r for r in rows if r["forecast"] is not None and r["score"] is not None
            and 0 <= r["score"] <= 1]
    return {"rows": rows, "both": len(both), "figure": svg.forecasts(both) if both else None,
            "inside": sum(r["low"] <= r["score"] <= r["high"] for r in both
                          if r["low"] is not None),
            "judged": sum(r["low"] is not None for r in both),
            "error": sum(abs(r["forecast"] - r["score"]) for r in both) / len(both)
            if both else None}


def row(entry: "Entry") -> dict[str, Any]:
    """One attempt. Its forecast is the one that was written down when it was sent."""
    return {"run": entry.run or "", "time": str(entry.changed or entry.time)[:16].replace("T", " "),
            "state": entry.state, "phase": entry.phase or "", "submission": entry.submission,
            "forecast": None if entry.forecast is None else float(entry.forecast),
            "score": None if entry.score is None else float(entry.score),
            "low": entry.low, "high": entry.high}
