"""harness clean: what a data file holds that must not be trained on."""

import math
from pathlib import Path

import click

from harness.cli import options
from harness.data.outliers import DROPPED
from zoo.errors import UserError

SHOWN = 10  # rows of a table; the JSON has all


@click.command()
@click.argument("source", metavar="FILE")
@options.images_key
@options.labels_key
@click.option("--keep", metavar="FILE|N,N,...",
              help="Keep the pictures at these positions (in a file: one a line), whatever is "
                   "found.")
@click.option("--drop", metavar="FILE|N,N,...",
              help="Drop the pictures at these positions.")
@click.option("--outliers", default=DROPPED, show_default=True, type=click.FloatRange(0),
              metavar="D", help="Drop outliers that lie more than D robust deviations beyond the "
                                "usual distance, and as far from their neighbours.")
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Draw class balance, outliers and a contact sheet of what goes.")
@options.json_path
def command(source: str, images_key: str, labels_key: str, keep: str | None, drop: str | None,
            outliers: float, figures: Path | None, json_path: Path | None) -> None:
    """Find pollution, duplicates, outliers and suspected labels in FILE.

    FILE is an npz file, a folder of pictures (one folder a class), or "demo". Nothing in it is
    changed; a sweep cleans in the same way. Near-duplicates are kept where they aren't pollution,
    but never parted by a split. Suspected labels are listed, the most suspect first, and never
    dropped by themselves: write the positions you agree with into a file for --drop.

    \b
    harness clean demo
    harness clean training_set.npz --json cleaning.json --figures cleaning/
    harness clean training_set.npz --drop wrong.txt --outliers 6
    """
    from harness import terminal
    from harness.data.clean import clean
    from harness.data.sources import load
    from zoo.files import write_json

    if math.isnan(outliers):
        raise UserError("--outliers wants a number from 0 on, not nan.")
    dataset = load(source, images_key, labels_key, tolerant=True)
    report = clean(dataset, options.read_positions(keep), options.read_positions(drop), outliers)
    facts = report.to_json()
    terminal.print_table(report.rows(), {"reason": "reason", "count": "pictures",
                                         "first": "the first"},
                         title=f"Dropped from {dataset.provenance}, {len(dataset):,} pictures")
    names = dict(enumerate(report.class_names))
    suspects = [{**row, "label": names[row["label"]], "suggested": names[row["suggested"]]}
                for row in report.suspected_labels[:SHOWN]]
    terminal.print_table(suspects, {"index": "position", "label": "label",
                                    "suggested": "looks like", "confidence": "confidence"},
                         title=f"Suspected labels, {len(report.suspected_labels):,} (kept)")
    terminal.print_table(report.outliers[:SHOWN],
                         {"index": "position", "distance": "distance", "oddness": "oddness",
                          "alone": "alone"},
                         title=f"Outliers worth a look, {len(report.outliers):,} (dropped where "
                               f"odd and alone are both above {outliers:g})")
    weights = report.class_weights()
    terminal.print_table([{"class": name, "count": f"{n:,}", "weight": f"{weights[name]:.2f}"}
                          for name, n in report.class_counts().items()],
                         {"class": "class", "count": "kept", "weight": "balancing weight"},
                         title="Class balance")
    terminal.say(f"{report.summary()} {len(report.groups):,} groups of near-duplicates stay "
                 "together in splits.")
    if outliers != DROPPED:
        terminal.say(f"A sweep drops outliers as --outliers {DROPPED:g} does; name positions that "
                     "shall go or stay with its --drop and --keep.")
    if json_path:
        write_json(json_path, facts)
    if figures:
        from harness.data.figures import write

        for path in write(dataset, report, figures):
            terminal.say(f"Drawn: {path}")
    terminal.next_command(options.command_line("zoo", data=source, keep=keep, drop=drop,
                                               images_key=images_key, labels_key=labels_key))
