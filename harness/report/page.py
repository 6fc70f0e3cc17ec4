"""The page: one HTML file that needs nothing else, written from a run store.

    write(store, path)      -> the path; damaged runs are named on the page, not fatal
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import leaderboard
from harness.commands import command_line
from harness.judge.metrics import BINS
from harness.judge.select import order, strategy
from harness.report import cleaning, ledger, sections
from harness.report.damage import DAMAGE
from harness.runs import Run, Store
from harness.terminal import visible
from zoo.errors import UserError
from zoo.files import write_text


def write(store: Store, path: str | Path = "report.html", select: str = "forecast",
          step: Callable[[int], None] = lambda n: None) -> Path:
    """Write the page of all finished runs to ``path``, atomically.

    select: the strategy that ranks (see ``harness.judge.select``). step(1) is called after each
    run. Raises UserError where the store holds no run that can be read, or ``path`` can't be
    written.
    """
    write_text(path, render(store, select, step))
    return Path(path)


def render(store: Store, select: str = "forecast", step: Callable[[int], None] = lambda n: None
           ) -> str:
    """The page as text."""
    runs, damaged = readable(store, select, step)
    if not runs:
        hint = f" ({damaged[0]['run']}: {damaged[0]['why']})" if damaged else ""
        raise UserError(f"{store.folder} holds no finished run to report{hint}. "
                        "Make one with: harness zoo")
    worlds = group(runs)
    page = {"worlds": worlds, "damaged": damaged, "store": str(store.folder),
            "made": datetime.datetime.now(datetime.UTC).strftime("%d %B %Y, %H:%M UTC"),
            "strategy": strategy(select).words,
            "cleaning": cleaning.sections(store), "ledger": ledger.attempt(store),
            "compared": [comparable(r) for r in runs]}
    return environment().get_template("page.html").render(page)


def readable(store: Store, select: str, step: Callable[[int], None]
             ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Sections of the runs that can be read, the best first; and why the others can't."""
    returned = store.ledger.scores()
    found: dict[str, Run] = {}
    records: dict[str, list[dict[str, Any]]] = {}
    damaged = []
    for run in store.finished():
        try:
            run.check()
            record = leaderboard.record(run, returned.get(run.id))
            found[run.id] = run
            records.setdefault(str(record["data"]), []).append(record)
        except DAMAGE as e:
            damaged.append({"run": run.id, "why": str(e) or type(e).__name__})
    ranked = [{"rank": rank, **record} for rows in records.values()
              for rank, record in enumerate(order(rows, select), 1)]
    made = []
    for record in ranked:
        try:
            made.append(sections.section(found[record["run"]], record)
                        | {"shown": leaderboard.shown(record)})
        except DAMAGE as e:
            damaged.append({"run": record["run"], "why": str(e) or type(e).__name__})
        step(1)
    return made, damaged


def group(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One world for each data set: the newest real one first, the demo's last."""
    by_data: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        by_data.setdefault(run["record"]["data"], []).append(run)

    def place(of_data: list[dict[str, Any]]) -> tuple[bool, str]:
        return of_data[0]["record"]["data_name"] != "demo", max(r["id"] for r in of_data)

    ordered = sorted(by_data.values(), key=place, reverse=True)
    for number, run in enumerate((run for of_data in ordered for run in of_data), 1):
        run["anchor"] = f"run-{number}"
    return [world(of_data, i + 1) for i, of_data in enumerate(ordered)]


def world(runs: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """What ``world.html`` shows: the runs of one data set, the best first."""
    records = [r["record"] for r in runs]
    best, rival = runs[0], runs[1] if len(runs) > 1 else None
    for run in runs:
        run["shown"]["suite"] = percent(run["record"]["suite"])
    used = [k for k in BOARD if any(r["shown"][k] for r in runs)]
    return {"name": records[0]["data_name"], "data": records[0]["data"], "first": number == 1,
            "anchor": f"data-{number}",
            "runs": runs, "best": best, "rival": rival, "axis": axis(records),
            "demo": records[0]["data_name"] == "demo",
            "columns": {k: {**leaderboard.COLUMNS, "suite": "suite"}[k] for k in used}}


# The table's columns: what decides comes first.
BOARD = ("rank", "backbone", "forecast", "interval", "validation", "suite", "test", "gap",
         "returned", "error", "worst class", "protocol", "weights", "milliseconds", "parameters",
         "folds", "seed", "run")
# key of a record: what the gap figure calls it
MARKS = {"validation": "validation", "suite": "stress suite", "test": "test",
         "forecast": "forecast", "returned": "returned"}


def axis(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The gap figure's scale: round limits around every mark, and where its ticks are."""
    from harness.report.svg import ticks

    values = [r[k] for r in records for k in (*MARKS, "low", "high") if r[k] is not None]
    low = max(0.0, int((min(values) - 0.005) * 20) / 20)
    high = 1.0
    return {"low": low, "high": high,
            "ticks": [{"value": t, "place": 100 * (t - low) / (high - low)}
                      for t in ticks(low, high, 6)]}


def comparable(run: dict[str, Any]) -> dict[str, Any]:
    """What the page's script compares of a run."""
    record = run["record"]
    keys = ("run", "backbone", "protocol", "data_name", "validation", "suite", "test", "forecast",
            "low", "high", "returned", "milliseconds", "parameters")
    return {**{k: harmless(record[k]) for k in keys}, "anchor": run["anchor"],
            "paired": run["paired"],
            "classes": [[harmless(c["name"]), c["recall"], c["suite"]] for c in run["classes"]],
            "families": [[h["family"], h["all"]] for h in run["heat"]]}


def environment() -> Any:
    """Jinja2 with everything escaped; the style sheet and the script go in as they are."""
    import base64
    import hashlib

    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    here = Path(__file__).parent
    style, script = ((here / name).read_text("utf-8") for name in ("page.css", "page.js"))
    made = Environment(loader=PackageLoader("harness", "report"), autoescape=True,
                       finalize=harmless,
                       undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(percent=percent, count=count)
    made.globals.update(
        command_line=command_line, bins=BINS,
        style=Markup(style), script=Markup(script), marks=MARKS, place=place,  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode())
    return made


def percent(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{100 * value:.{digits}f} %"


def harmless(value: Any) -> Any:
    """Words with control characters made visible; what is markup or no word, as it is."""
    return visible(value) if type(value) is str else value


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def place(value: float, axis: dict[str, float]) -> str:
    """A value's place on the gap figure's scale, as a CSS percentage."""
    share = (value - axis["low"]) / (axis["high"] - axis["low"])
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"
