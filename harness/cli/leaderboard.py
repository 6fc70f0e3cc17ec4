"""harness leaderboard: ours, or the platform's."""

from pathlib import Path
from typing import Any

import click

from harness.cli import options, remote


@click.command()
@click.option("--platform", is_flag=True, help="Show the platform's leaderboard of a phase.")
@remote.host
@remote.competition
@remote.phase
@options.runs
@options.json_path
def command(platform: bool, host: str, competition: int | None, phase: str | None, runs: str,
            json_path: Path | None) -> None:
    """Show our runs, their forecasts and the scores that came back; writes leaderboard.md, too.

    \b
    harness leaderboard
    harness leaderboard --platform --competition 4430
    """
    from harness import terminal
    from zoo.files import write_json

    if platform:
        rows, columns, title = of_platform(host, competition, phase)
        terminal.print_table(rows, columns, title=title)
        facts: Any = rows
    else:
        facts = ours(runs)
    if json_path:
        write_json(json_path, facts)


def ours(runs: str) -> dict[str, Any]:
    """Print the runs and what was sent; write leaderboard.md."""
    from dataclasses import asdict

    from harness import leaderboard, terminal
    from harness.runs import Store

    store = Store(runs)
    records = leaderboard.records(store)
    entries = remote.open_ledger(runs).entries()
    if records:
        leaderboard.print_records(records, ("rank", "run", "backbone", "validation", "test",
                                            "forecast", "interval", "returned", "error"),
                                  f"Runs in {runs}")
        leaderboard.write(store)
    if entries:
        terminal.print_table(
            [{"time": e.time[:16].replace("T", " "), "run": e.run or "", "phase": e.phase or "",
              "submission": e.submission or "", "state": e.state,
              "forecast": remote.percent(e.forecast), "score": remote.percent(e.score)}
             for e in entries],
            {"time": "time (UTC)", "run": "run", "phase": "phase", "submission": "submission",
             "state": "state", "forecast": "forecast", "score": "score"}, title="Submissions")
    terminal.next_command(options.command_line("submission" if records else "zoo", runs=runs))
    return {"runs": records, "submissions": [asdict(e) for e in entries]}


def of_platform(host: str, competition: int | None,
                phase: str | None) -> tuple[list[dict[str, Any]], dict[str, str], str]:
    """Rows in the platform's order, headings and title. Doubled score rows count once."""
    client = remote.connect(host)
    found = remote.choose(client, competition)
    wanted = found.phase(phase)
    board = client.leaderboard(wanted.id)
    tasks = board.get("tasks") or []
    columns = {f"{task['id']} {c['key']}": c["title"] if len(tasks) == 1
               else f"{task['name']}: {c['title']}"
               for task in tasks for c in task.get("columns", [])}
    rows = []
    for rank, entry in enumerate(board.get("submissions") or [], 1):
        scores = {f"{s.get('task_id')} {s.get('column_key')}": s.get("score")
                  for s in entry.get("scores", [])}
        rows.append({"rank": rank, "owner": entry.get("owner"), "submission": entry.get("id"),
                     **{key: scores.get(key, "n/a") for key in columns}})
    return rows, {"rank": "#", "owner": "participant", "submission": "submission", **columns}, \
        f"{found.title}, {wanted.name}"
