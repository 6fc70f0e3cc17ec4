"""harness logs: the log that explains a submission."""

from pathlib import Path
from typing import Any

import click

from harness.cli import options, remote


@click.command()
@click.argument("number", metavar="[SUBMISSION]", type=click.IntRange(min=1), required=False)
@remote.host
@click.option("--all", "everything", is_flag=True, help="Show all logs that are not empty.")
@click.option("--to", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Save all logs, and the predictions and scores, there.")
@options.runs
def command(number: int | None, host: str, everything: bool, folder: Path | None,
            runs: str) -> None:
    """Show the traceback of SUBMISSION, from the log that has it; default: the newest one sent.

    The platform's logs are empty until the submission has ended.

    \b
    harness logs
    harness logs 182033 --all
    harness logs 182033 --to logs
    """
    from harness import terminal
    from submission import logs

    client = remote.connect(host)
    if number is None:
        entry = remote.chosen_entry(remote.open_ledger(runs), client, None)
        number = int((entry and entry.submission) or 0)
    if folder:
        written = logs.save(client, number, folder, say=remote.progress)
        terminal.say(f"{len(written)} files are in {folder}.")
        return
    found = logs.fetch(client, number)
    if not found:
        terminal.say(f"All logs of submission {number} are empty. They are filled when it ends.")
        terminal.next_command(options.command_line("status", number, watch=True, host=host,
                                                   runs=runs))
        return
    shown = found.items() if everything else [logs.explain(found)]
    for name, text in shown:
        click.echo(f"{name} of submission {number}:\n{text.rstrip()}\n")
    more: dict[str, Any] = {"to": "logs"} if everything else {"all": True}
    terminal.next_command(options.command_line("logs", number, **more, host=host))
