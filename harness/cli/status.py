"""harness status: how a submission stands."""

from pathlib import Path

import click

from harness.cli import options, remote


@click.command()
@click.argument("number", metavar="[SUBMISSION]", type=click.IntRange(min=1), required=False)
@remote.host
@click.option("--watch", "watching", is_flag=True, help="Stay until its end is certain.")
@click.option("--cancel", is_flag=True, help="Ask the platform to cancel it, then watch whether it "
                                             "does. Cancelled submissions count towards limits.")
@click.option("--timeout", default=3600.0, show_default=True, metavar="SECONDS",
              type=click.FloatRange(min=0), help="Stop watching after this time.")
@options.runs
@options.json_path
def command(number: int | None, host: str, watching: bool, cancel: bool, timeout: float, runs: str,
            json_path: Path | None) -> None:
    """Show the state of SUBMISSION (its number on the platform); default: the newest one sent.

    What is found goes into the ledger.

    \b
    harness status
    harness status 182033 --watch
    harness status 182033 --cancel
    """
    from harness import terminal
    from submission import submit
    from submission.ledger import Entry
    from submission.watch import read, watch
    from zoo.files import write_json

    client = remote.connect(host)
    ledger = remote.open_ledger(runs)
    entry = remote.chosen_entry(ledger, client, number)
    wanted = int(number or (entry and entry.submission) or 0)
    if entry and entry.phase_id:    # it may be gone, which is no reason to stop
        known, phase = entry, entry.phase_id
    else:
        row = client.submission(wanted)
        known, phase = entry or Entry("", phase=row.phase_name), row.phase
    board = client.board(phase)
    if cancel:
        marked = client.cancel(wanted)
        terminal.say("Marked as cancelled; that alone does not stop it, so it is watched."
                     if marked else "The platform does not cancel it: it has ended.")
    if not (watching or cancel):
        outcome = read(client, wanted, board)
        # Scores follow "Finished": without them it may be a moment old, and isn't yet the end.
        watching = (outcome.state == "unscored" and entry is not None
                    and entry.state != "unscored")
    if watching or cancel:
        outcome = watch(client, wanted, board, timeout=timeout,
                        seen=lambda o: remote.progress(f"{o.status} {o.details}".rstrip()))
    if entry:
        submit.record_outcome(ledger, entry, outcome)
    terminal.print_table([remote.outcome_row(known, outcome)], remote.HEADINGS)
    if json_path:
        write_json(json_path, remote.outcome_facts(known, outcome))
    if outcome.state == "failed":
        remote.show_failure(client, outcome)
    if outcome.state == "running":
        following = options.command_line("status", wanted, watch=True, host=host, runs=runs)
    elif outcome.state == "failed":
        following = options.command_line("logs", wanted, to="logs", host=host)
    else:
        following = options.command_line("leaderboard", runs=runs)
    terminal.next_command(following)
