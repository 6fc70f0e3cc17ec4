"""harness sync: the platform's submissions and the ledger, matched."""

from dataclasses import asdict
from pathlib import Path

import click

from harness.cli import options, remote


@click.command()
@remote.host
@remote.competition
@click.option("--zips", "folders", multiple=True, metavar="FOLDER",
              type=click.Path(path_type=Path), help="Zips that may have been sent by hand, to "
              "recognise by their bytes. May be repeated. Default: this folder.")
@options.runs
@options.json_path
def command(host: str, competition: int | None, folders: tuple[Path, ...], runs: str,
            json_path: Path | None) -> None:
    """Match your submissions on the platform with the ledger; fetch new scores.

    Submissions from elsewhere are added, cut-short attempts are cleared up.

    \b
    harness sync --competition 4430
    harness sync --competition 4430 --zips old-zips
    """
    from harness import terminal
    from submission.sync import known_zips, sync
    from zoo.files import write_json

    client = remote.connect(host)
    found = remote.choose(client, competition)
    zips = known_zips(list(folders) or [Path()])
    changes = sync(client, remote.open_ledger(runs), found, client.username(), zips)
    terminal.print_table(
        [{"submission": c.entry.submission or "", "run": c.entry.run or "",
          "phase": c.entry.phase or "", "state": c.entry.state,
          "forecast": remote.percent(c.entry.forecast), "score": remote.percent(c.entry.score),
          "what": c.what} for c in changes],
        {"submission": "submission", "run": "run", "phase": "phase", "state": "state",
         "forecast": "forecast", "score": "score", "what": "sync"}, title=found.title)
    if json_path:
        write_json(json_path, [{**asdict(c.entry), "sync": c.what} for c in changes])
    terminal.next_command(options.command_line("leaderboard", runs=runs))
