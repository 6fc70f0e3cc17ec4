"""The leaderboard: one record a finished run, and leaderboard.md made from the records."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import terminal
from harness.runs import Run, Store
from zoo.files import write_text
from zoo.table import BACKBONES

# key of a record: heading
COLUMNS = {
    "rank": "#", "backbone": "backbone", "weights": "weights", "protocol": "protocol",
    "validation": "validation", "test": "test", "gap": "gap", "forecast": "forecast",
    "interval": "90 % interval", "returned": "returned", "error": "error",
    "worst class": "worst class", "folds": "folds", "seed": "seed",
    "parameters": "parameters", "milliseconds": "ms/image", "run": "run",
}
REPORT = ("Accuracy on the hidden test of the contest that this program grew from: Table 1 of the "
          "First Homework Report of DL Bois (24 Nov 2024), and the best that others published.")


def records(store: Store, select: str = "forecast") -> list[dict[str, Any]]:
    """One record a finished run, the best first within its data set.

    Keys: see COLUMNS, with accuracies as fractions, and "data", "data_name", "low", "high",
    "floor".
    """
    from harness.judge.select import order

    returned = store.ledger.scores()
    found = [record(run, returned.get(run.id)) for run in store.whole()]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        groups.setdefault(row["data"], []).append(row)
    ranked = []
    for rows in groups.values():
        for rank, row in enumerate(order(rows, select), 1):
            ranked.append({"rank": rank, **row})
    return ranked


def record(run: Run, returned: float | None = None) -> dict[str, Any]:
    """What the leaderboard says of one run."""
    config, found = run.config, run.metrics
    validation, test = found["validation"], found["test"]
    worst = validation["worst_class"]
    forecast = next(iter(run.forecasts), {})
    expected = forecast.get("forecast")
    return {
        "run": run.id, "backbone": title(config["backbone"]),
        "weights": config["weights"]["origin"],
        "protocol": config["protocol"]["name"], "data": config["data"]["hash"],
        "data_name": config["data"]["name"], "folds": config["folds"], "seed": config["seed"],
        "validation": validation["accuracy"], "test": None if test is None else test["accuracy"],
        "gap": None if test is None else validation["accuracy"] - test["accuracy"],
        "suite": found["suite"]["all"],
        "forecast": expected, "low": forecast.get("low"), "high": forecast.get("high"),
        "floor": forecast.get("low") if returned is None else least(returned),
        "returned": returned,
        "error": None if returned is None or expected is None else abs(expected - returned),
        "worst class": worst["name"], "worst recall": worst["recall"],
        "worst precision": worst["precision"],
        "parameters": found["parameters"], "milliseconds": found["milliseconds"]}


def least(returned: float) -> float:
    """The lower end of the 90 % interval of a run whose score came back, 0..1.

    Its forecast, which rests on the other runs' scores alone, knows less.
    """
    from harness.judge.forecast_history import PICTURES
    from harness.judge.pairs import Z90

    return returned - Z90 * (returned * (1 - returned) / PICTURES) ** 0.5


def title(name: str) -> str:
    """A backbone's title; the names that an ensemble joins, as they are."""
    return BACKBONES[name].title if name in BACKBONES else name


def shown(row: dict[str, Any]) -> dict[str, str]:
    """A record as words, for tables."""
    def percent(value: float | None) -> str:
        return "" if value is None else f"{100 * value:.1f} %"

    words = {k: percent(row[k]) for k in ("validation", "test", "forecast", "returned")}
    words |= {k: "" if row[k] is None else f"{100 * row[k]:.1f}" for k in ("gap", "error")}
    words["interval"] = ("" if row["low"] is None
                         else f"{100 * row['low']:.0f}-{100 * row['high']:.0f}")
    words["worst class"] = f"{row['worst class']} ({100 * row['worst recall']:.0f} %)"
    words["parameters"] = f"{row['parameters'] / 1e6:.1f} M"
    words["milliseconds"] = f"{row['milliseconds']:.1f}"
    return {k: words[k] if k in words else str(row[k]) for k in COLUMNS}


def print_records(rows: Sequence[dict[str, Any]], keys: Sequence[str], title: str) -> None:
    """Print records with the columns ``keys`` of COLUMNS: ranks hold within a data set, so each
    has a table of its own."""
    names = {row["data"]: row["data_name"] for row in rows}
    for data, name in names.items():
        terminal.print_table([shown(row) for row in rows if row["data"] == data],
                             {key: COLUMNS[key] for key in keys},
                             title if len(names) == 1 else f"{title}: {name} ({data[:8]})")


def write(store: Store, path: str | Path = "leaderboard.md") -> None:
    """Render ``path`` from the store: one section a data set, the demo's last."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for row in records(store):
        sections.setdefault(row["data"], []).append(row)
    ordered = sorted(sections.values(), key=lambda rows: (rows[0]["data_name"] == "demo",
                                                          rows[0]["data_name"]))
    text = ["# Leaderboard", "", "Written by `harness zoo`. Accuracies; the forecast is of the "
            "hidden test, gap is validation minus test in points.", ""]
    for rows in ordered:
        text += [f"## {literal(rows[0]['data_name'])} ({literal(rows[0]['data'][:8])})", "",
                 *table(rows), ""]
    text += ["## For reference: the report's results", "", REPORT, "", *reference(), ""]
    write_text(path, "\n".join(text))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A Markdown table of records, without the columns in which nothing stands."""
    from tabulate import tabulate

    words = [shown(row) for row in rows]
    used = [k for k in COLUMNS if any(w[k] for w in words)]
    cells = [[literal(w[k]) for k in used] for w in words]
    return tabulate(cells, [COLUMNS[k] for k in used], tablefmt="pipe",
                    disable_numparse=True).splitlines()


def literal(text: str) -> str:
    """One line of Markdown that shows ``text`` as it is, whatever a file calls its classes."""
    outer_underscore = r"(?<![^\W_])_|_(?![^\W_])"  # inside a word it is no mark
    return re.sub(rf"[\\`*<\[\]|~&]|{outer_underscore}", r"\\\g<0>",
                  terminal.visible(" ".join(text.split())))


def reference() -> list[str]:
    """The published hidden-test accuracies that the zoo's rows hold, with their sources."""
    from tabulate import tabulate

    rows = [[b.title, f"{b.published.accuracy:.2f}", b.published.source]
            for b in BACKBONES.values() if b.published]
    return tabulate(rows, ["backbone", "hidden test", "source"], tablefmt="pipe",
                    disable_numparse=True).splitlines()
