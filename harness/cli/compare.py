"""harness compare: two runs side by side."""

from pathlib import Path
from typing import Any

import click

from harness.cli import options


@click.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@options.runs
@options.json_path
def command(first: str, second: str, runs: str, json_path: Path | None) -> None:
    """Put two finished runs side by side: accuracies, classes, distortions, settings.

    A run's id may be shortened as long as it is the only one that begins so.

    \b
    harness compare 20261125-101530 20261125-104211
    """
    from harness import terminal
    from harness.report.pair import compare
    from harness.runs import Store
    from zoo.errors import UserError
    from zoo.files import write_json

    store = Store(runs)
    a, b = store.run(first), store.run(second)
    if a.id == b.id:
        raise UserError(f"Both are {a.id}. Name two runs; `harness models` lists them.")
    facts = compare(a, b, store.ledger.scores())
    columns = {"of": "of", "a": a.id, "b": b.id, "difference": "difference"}
    for key, title in (("accuracy", "Accuracy, in percent"),
                       ("classes", "Recall of each class on validation, in percent"),
                       ("families", "Accuracy by family of distortions, in percent")):
        terminal.print_table([shown(row) for row in facts[key]], columns, title=title)
    terminal.print_table(facts["settings"], {"field": "setting", "a": a.id, "b": b.id},
                         title="What was set differently")
    terminal.say("\n" + verdict(facts["pictures"], a.id, b.id))
    if json_path:
        write_json(json_path, facts)
    if better(facts) is None:
        terminal.say("They are of different data sets, so neither can be called the better one.")
        terminal.next_command(options.command_line("leaderboard", runs=runs))
    else:
        terminal.next_command(options.command_line("submission", run=better(facts), runs=runs))


def shown(row: dict[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else "" if v is None
            else f"{100 * v:+.1f}" if k == "difference" else f"{100 * v:.1f}"
            for k, v in row.items()}


def verdict(pictures: dict[str, Any] | None, a: str, b: str) -> str:
    """The paired comparison as a sentence."""
    if pictures is None:
        return ("They were validated on different pictures, so they can't be compared picture by "
                "picture.")
    p = pictures["p"]
    sure = (f"more than chance explains (McNemar, p = {p:.2g})" if p < 0.05
            else f"no more than chance explains (McNemar, p = {p:.2f})")
    return (f"Of {pictures['n']} validation pictures only {a} is right on {pictures['only_a']}, "
            f"only {b} on {pictures['only_b']}: {sure}.")


def better(facts: dict[str, Any]) -> str | None:
    """The run to send; None where they are of different data sets."""
    from harness.judge.select import pick

    same_data = len({record["data"] for record in facts["runs"]}) == 1
    return str(pick(facts["runs"])["run"]) if same_data else None
