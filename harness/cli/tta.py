"""harness tta: a finished run that looks at each picture several times."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("id", metavar="RUN")
@click.option("--views", default="dihedral", show_default=True,
              type=click.Choice(["flip", "dihedral"]),
              help="flip: the picture and its mirror image. dihedral: all eight orientations.")
@options.test
@options.runs
@options.json_path
def command(id: str, views: str, test: str | None, runs: str, json_path: Path | None) -> None:
    """Average a run's probabilities over turned and mirrored views, as an entry of its own.

    Nothing is trained; prediction costs two or eight times as much.

    \b
    harness tta 20261125-101530-vgg16 --views flip
    """
    from harness import forecasts, leaderboard, terminal, tta
    from harness.runs import Store
    from zoo.files import write_json

    store = Store(runs)
    run = store.run(id)
    made = tta.make(store, run, views, test)
    forecasts.update(store)
    leaderboard.write(store)
    rows = [r for r in leaderboard.records(store) if r["run"] in (made.id, run.id)]
    leaderboard.print_records(rows, ("rank", "backbone", "protocol", "validation", "test",
                                     "forecast", "interval", "milliseconds", "run"),
                              "With and without")
    if json_path:
        write_json(json_path, rows)
    terminal.next_command(options.command_line("submission", run=made.id, runs=runs))
