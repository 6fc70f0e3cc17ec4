"""harness soup: several runs of one backbone as one network."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("ids", nargs=-1, metavar="RUN RUN ...")
@options.test
@options.runs
@options.json_path
def command(ids: tuple[str, ...], test: str | None, runs: str, json_path: Path | None) -> None:
    """Average the weights of runs of one backbone that started from the same pretrained ones.

    The best on the stress suite comes first; each of the others is taken in if the suite's accuracy
    doesn't fall. The result predicts at the cost of one network.

    \b
    harness zoo --backbones mobilenetv2 --seeds 3
    harness soup RUN RUN RUN
    """
    from harness import forecasts, leaderboard, soup, terminal
    from harness.runs import Store
    from zoo.files import write_json

    store = Store(runs)
    made = soup.make(store, [store.run(i) for i in ids], test)
    forecasts.update(store)
    leaderboard.write(store)
    rows = [r for r in leaderboard.records(store) if r["run"] in {made.id, *made.config["members"]}]
    leaderboard.print_records(rows, ("rank", "backbone", "protocol", "validation", "test",
                                     "forecast", "interval", "run"),
                              "The soup, and what it was made of")
    if json_path:
        write_json(json_path, rows)
    terminal.next_command(options.command_line("submission", run=made.id, runs=runs))
