"""harness dry-run: a zip as the platform would run it."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from submission.dryrun import DryRun


@click.command()
@click.argument("zip_path", metavar="ZIP", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", metavar="FILE", help="Labelled pictures to predict and score; noise where "
                                             "none are given.")
@options.images_key
@options.labels_key
@click.option("--runtime", metavar="NAME==VERSION,...",
              help="Run it under other versions; they are installed once, with pip. The "
                   "competition's: tensorflow==2.17.0,keras==3.4.1")
@click.option("--time-limit", default=600.0, show_default=True, metavar="SECONDS",
              type=click.FloatRange(0, 1e6, min_open=True),
              help="What the platform allows a step.")
@click.option("--memory-limit", default=4.0, show_default=True, metavar="GIB",
              type=click.FloatRange(0, 1e6, min_open=True),
              help="What the platform is assumed to have.")
@click.option("--hidden", default=3500, show_default=True, metavar="N", type=click.IntRange(1),
              help="Number of hidden pictures to project the time for; the real one is unknown.")
@options.json_path
def command(zip_path: Path, data: str | None, images_key: str, labels_key: str,
            runtime: str | None, time_limit: float, memory_limit: float, hidden: int,
            json_path: Path | None) -> None:
    """Run a zip as the platform's worker would: same folders, same programs, no network.

    The code in the zip does run. It is kept from the network and, where the system can, from all
    files but its own; still, run only what you would run anyway.

    Ends with code 1 where the platform would fail, with 2 where the zip can't be run at all.

    \b
    harness dry-run submission.zip
    harness dry-run submission.zip --data test.npz
    harness dry-run submission.zip --runtime tensorflow==2.17.0,keras==3.4.1
    """
    from harness import terminal
    from harness.cli.check import count, show
    from submission.dryrun import Limits, dry_run
    from zoo.files import write_json

    if math.isnan(time_limit + memory_limit):
        raise click.UsageError("A limit has to be a number.")
    images = labels = None
    if data:
        from harness.data.sources import load_judged

        dataset = load_judged(data, images_key, labels_key)
        images, labels = dataset.images, dataset.labels
    terminal.say(f"Running {zip_path} as the platform would ...")
    limits = Limits(time_limit, int(memory_limit * 2**30), hidden)
    report = dry_run(zip_path, images, labels, runtime, limits)
    terminal.print_table(facts(report), {"what": "", "value": ""}, title="Dry run")
    show(report.findings, f"Findings: {count(report.findings)}")
    if json_path:
        write_json(json_path, report.to_json())
    if not report.ok:
        terminal.say(report.log[-2000:])
    terminal.next_command(options.command_line("submit" if report.ok else "check", zip_path))
    if not report.ok:
        sys.exit(1)


def facts(report: "DryRun") -> list[dict[str, str]]:
    """The report as rows of a table."""
    projected = report.projected
    rows = {
        "runtime": ", ".join(f"{k} {v}" for k, v in report.runtime.items()),
        "network": report.confinement.get("network"),
        "files": report.confinement.get("files"),
        "pictures": str(report.images),
        "accuracy": "" if report.accuracy is None else f"{100 * report.accuracy:.1f} %",
        "time to load": seconds(report.seconds.get("start")),
        "time in all": seconds(report.seconds.get("total")),
        "images/s": "" if report.images_per_second is None else f"{report.images_per_second:.0f}",
        "peak of memory": f"{report.peak_memory / 2**30:.2f} GiB",
        f"time for {report.limits.hidden} pictures":
            f"{seconds(projected['seconds'])} of {report.limits.seconds:.0f} s" if projected
            else "",
        "verdict": report.sentence,
    }
    return [{"what": k, "value": v} for k, v in rows.items() if v]


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
