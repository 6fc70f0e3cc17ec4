"""Each part of the strong protocol removed once: what it earns, and what it costs.

    python -m benchmarks.ablation --data training_set.npz --test shifted.npz --weights DIR

Runs are kept in runs-ablation, so that the study goes on where it stopped. The table is written to
docs/ablation-measured.md. What decides is accuracy on the stress suite; the test file is only
shown.
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click

# What is removed or changed: fields of the protocol.
PARTS: dict[str, dict[str, Any]] = {
    "strong": {},
    "no augmentation": {"policy": "none"},
    "the report's augmentation": {"policy": "report"},
    "one augmented view": {"views": 1},
    "half the magnitude": {"magnitude": 0.5},
    "no label smoothing": {"label_smoothing": 0.0},
    "no moving average": {"ema": 0.0},
    "from half on": {"boundary": "half"},
    "last block only": {"boundary": "last block"},
    "head only": {"boundary": "head"},
    "no standardizing": {"standardize": False},
    "with WiSE-FT": {"wise": True},
    "with class weights": {"class_weights": True},
    "rate times 2": {"rate_2": 4e-4},
    "rate by 2": {"rate_2": 1e-4},
}
TABLE = Path(__file__).parent.parent / "docs" / "ablation-measured.md"


@click.command()
@click.option("--data", required=True, metavar="SOURCE")
@click.option("--test", metavar="SOURCE")
@click.option("--weights", default="auto", metavar="DIR")
@click.option("--backbones", default="mobilenetv2 vgg16", show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--parts", help="Names separated by commas. Default: all.")
def main(data: str, test: str | None, weights: str, backbones: str, seeds: int,
         parts: str | None) -> None:
    """Train every variant and write docs/ablation-measured.md."""
    from harness.prepare import prepare
    from harness.protocol import PRESETS, with_settings
    from harness.runs import Store
    from harness.sweep import plan, sweep
    from harness.training import cache
    from zoo.files import write_text

    prepared = prepare(data, test)
    store = Store("runs-ablation")
    names = backbones.split()
    wanted = [p.strip() for p in parts.split(",")] if parts else list(PARTS)
    lines = ["# What each part of `strong` earns", "",
             f"`{' '.join(['python -m benchmarks.ablation', '--data', Path(data).name])}`; "
             f"{len(prepared.dataset):,} pictures, {seeds} seed(s). Accuracy in per cent; suite: "
             "on distorted validation pictures.", ""]
    for name in names:
        rows = []
        for part in wanted:
            protocol = with_settings(PRESETS["strong"], PARTS[part])
            specs = plan([name], protocol, weights, 1, seeds, demo=data == "demo")
            runs = sweep(specs, prepared, store, cache.default())
            rows.append([part, *summary(runs)])
            write_text(TABLE, "\n".join([*lines, *table(name, rows), ""]))
        lines += table(name, rows)
    click.echo("\n".join(lines))


def summary(runs: list[Any]) -> list[str]:
    """Mean (and deviation over seeds) of validation, suite and test, and mean minutes."""
    def over(values: list[float | None]) -> str:
        found = [100 * v for v in values if v is not None]
        if not found:
            return ""
        return f"{mean(found):.1f}" + (f" ({stdev(found):.1f})" if len(found) > 1 else "")

    minutes = mean(sum(r.environment["seconds"].values()) / 60 for r in runs)
    return [over([r.metrics["validation"]["accuracy"] for r in runs]),
            over([r.metrics["suite"]["all"] for r in runs]),
            over([(r.metrics["test"] or {}).get("accuracy") for r in runs]), f"{minutes:.1f}"]


def table(name: str, rows: list[list[str]]) -> list[str]:
    from tabulate import tabulate

    text = tabulate(rows, ["variant", "validation", "suite", "test", "minutes"], tablefmt="pipe",
                    disable_numparse=True)
    return [f"## {name}", "", *text.splitlines(), ""]


if __name__ == "__main__":
    main()
