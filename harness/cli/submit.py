"""harness submit: one zip, sent at most once, watched to its score."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, remote

if TYPE_CHECKING:
    from submission.storage import Progress
    from submission.watch import Outcome


@click.command()
@click.argument("zip_path", metavar="ZIP", type=click.Path(path_type=Path))
@remote.host
@remote.competition
@remote.phase
@click.option("--force", is_flag=True, help="Send a zip that the check objects to, or bytes whose "
                                            "submission has ended. Opens no closed phase.")
@click.option("--no-wait", is_flag=True, help="Don't watch it; `harness status` does that later.")
@click.option("--timeout", default=3600.0, show_default=True, metavar="SECONDS",
              type=click.FloatRange(min=0), help="Stop watching after this time. The submission "
                                                 "goes on.")
@options.runs
@options.json_path
def command(zip_path: Path, host: str, competition: int | None, phase: str | None, force: bool,
            no_wait: bool, timeout: float, runs: str, json_path: Path | None) -> None:
    """Check ZIP, upload it, submit it once, watch it, and record its score.

    Refuses before the upload: a zip that would fail, a closed phase, a spent limit, bytes that
    were sent before. After a crash or a broken connection run the same command again: it looks
    for its own submission first, and sends none twice. The ledger says what exists.

    Exit code: 0 with a score, 1 without one (failed, cancelled, unscored, gone, or still running
    when the time is up), 2 when it could not be sent or watched. With --no-wait: 0 once sent.

    \b
    harness submit submission.zip --competition 4430
    harness submit submission.zip --competition 4430 --phase "Final Phase"
    """
    from harness import terminal
    from submission import submit
    from zoo.files import write_json

    parcel = submit.inspect(zip_path)
    if not force:
        submit.require_checked(zip_path)
    client = remote.connect(host)
    ledger = remote.open_ledger(runs)
    user = client.username()
    found = remote.choose(client, competition)
    with upload_bar() as bar:
        sender = submit.Sender(client, ledger, say=remote.progress, progress=bar)
        entry = submit.send(sender, parcel, found, found.phase(phase), user, force=force)
    terminal.say(f"Submission {entry.submission} is in the phase {entry.phase} of {found.title}.")
    outcome = submit.finish(sender, entry, seen=announce, timeout=0 if no_wait else timeout)
    terminal.print_table([remote.outcome_row(entry, outcome)], remote.HEADINGS)
    if json_path:
        write_json(json_path, remote.outcome_facts(entry, outcome))
    if outcome.state == "scored" and not outcome.on_board:
        terminal.say(f"It is not on the platform's leaderboard; that is done in the web page, "
                     f"{client.host}/competitions/{found.id}/.")
    if outcome.state == "failed":
        remote.show_failure(client, outcome)
        following = options.command_line("logs", outcome.number, to="logs", host=host)
    elif outcome.state == "gone":
        following = options.command_line("sync", host=host, competition=competition, runs=runs)
    elif outcome.state == "scored":
        following = options.command_line("leaderboard", runs=runs)
    else:
        following = options.command_line("status", outcome.number, watch=True, host=host,
                                         runs=runs)
    terminal.next_command(following)
    if outcome.state != "scored" and not (no_wait and outcome.state == "running"):
        sys.exit(1)


def announce(outcome: "Outcome") -> None:
    """One line a change of status."""
    remote.progress(f"{outcome.status} {outcome.details}".rstrip())


@contextlib.contextmanager
def upload_bar() -> "Iterator[Progress]":
    """Progress of the upload; it appears with the first bytes, as there may be none to send."""
    from harness import terminal

    with contextlib.ExitStack() as stack:
        bar, shown = None, 0

        def advance(sent: int, size: int) -> None:
            nonlocal bar, shown
            if bar is None:
                bar = stack.enter_context(terminal.progress(size, "Uploading"))
            bar.advance(sent - shown)
            shown = sent

        yield advance
