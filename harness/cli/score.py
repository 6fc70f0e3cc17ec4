"""harness score: a returned score, entered by hand."""

import uuid

import click

from harness.cli import options, remote


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("score", metavar="SCORE")
@click.option("--phase", default="", metavar="NAME", help="The phase that it was scored in.")
@options.runs
def command(run: str, score: str, phase: str, runs: str) -> None:
    """Enter the SCORE (a share, 0 to 1) that a platform without an API returned for RUN.

    \b
    harness score 20261125-101530-vgg16 0.9245
    """
    from harness import leaderboard, terminal
    from harness.runs import Store
    from submission.ledger import check_score
    from zoo.errors import UserError

    try:
        value = check_score(score)
    except UserError as e:
        raise UserError(f"This score can't be entered: {e}.") from None
    store = Store(runs)
    known = store.run(run)
    forecast = next(iter(known.forecasts), {}).get("forecast")
    remote.open_ledger(runs).append(
        uuid.uuid4().hex[:12], state="entered", run=known.id, forecast=forecast, score=value,
        phase=phase or None)
    leaderboard.write(store)
    terminal.say(f"{known.id}: forecast {remote.percent(forecast) or 'none'}, returned "
                 f"{remote.percent(value)}.")
    terminal.next_command("harness leaderboard")
