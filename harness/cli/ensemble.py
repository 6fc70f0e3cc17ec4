"""harness ensemble: several runs as one entry."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("ids", nargs=-1, metavar="[RUN ...]")
@click.option("--most", default=3, show_default=True, type=click.IntRange(2, 20),
              help="Without named runs: select at most so many, greedily, on the stress suite.")
@options.runs
@options.json_path
def command(ids: tuple[str, ...], most: int, runs: str, json_path: Path | None) -> None:
    """Average the probabilities of several runs; the result is a run like any other.

    Name the runs, or let the stress suite choose among the finished runs on the newest data: the
    best first, then whichever helps most, as long as one helps. The suite gives each its share in
    the mean, too. Prediction costs the sum of the members' times.

    \b
    harness ensemble
    harness ensemble 20261125-101530-vgg16 20261125-103000-mobilenetv2
    """
    from harness import ensembles, forecasts, leaderboard, terminal
    from harness.runs import Store
    from zoo.errors import UserError
    from zoo.files import write_json

    store = Store(runs)
    if ids:
        chosen = [store.run(i) for i in ids]
    else:
        candidates = ensembles.candidates(store)
        chosen = ensembles.select(candidates, most)
        if len(chosen) < 2:
            raise UserError(f"No second run improves {chosen[0].id} on the stress suite. Name the "
                            "runs to join them all the same.")
    made = ensembles.join(store, chosen)
    forecasts.update(store)
    leaderboard.write(store)
    rows = [r for r in leaderboard.records(store)
            if r["run"] in {made.id, *(r.id for r in chosen)}]
    leaderboard.print_records(rows, ("rank", "backbone", "protocol", "validation", "test",
                                     "forecast", "interval", "milliseconds", "run"),
                              "The ensemble, its members")
    if json_path:
        write_json(json_path, rows)
    terminal.next_command(options.command_line("submission", run=made.id, runs=runs))
