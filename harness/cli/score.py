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

    Entered again, another score takes the place of the first.

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
    ledger = remote.open_ledger(runs)
    before = next((e for e in ledger.entries() if (e.state, e.run, e.phase or "")
                   == ("entered", known.id, phase)), None)
    if before and before.score == value:
        raise UserError(f"The score {value} of {known.id} is in the ledger already. That of "
                        "another phase needs --phase NAME.")
    if before:  # a slip, mended: the forecast is the one that did not know the score
        ledger.append(before.attempt, score=value)
        forecast, note = before.forecast, f" instead of {remote.percent(before.score)}"
    else:
        promise = next(iter(known.forecasts), {})
        ledger.append(uuid.uuid4().hex[:12], state="entered", run=known.id, score=value,
                      phase=phase or None, **{k: promise.get(k) for k in ("forecast", "low",
                                                                          "high")})
        forecast, note = promise.get("forecast"), ""
    leaderboard.write(store)
    terminal.say(f"{known.id}: forecast {remote.percent(forecast) or 'none'}, returned "
                 f"{remote.percent(value)}{note}.")
    terminal.next_command(options.command_line("leaderboard", runs=runs))
