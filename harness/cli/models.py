"""harness models: what can be trained, and what has been."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@options.runs
@options.json_path
def command(runs: str, json_path: Path | None) -> None:
    """List the backbones of the zoo and the finished runs.

    \b
    harness models
    harness models --json models.json
    """
    from harness import leaderboard, terminal
    from harness.runs import Store
    from zoo.files import write_json
    from zoo.table import BACKBONES, DEFAULT

    rows = [{"name": b.name, "title": b.title, "parameters": f"{b.parameters / 1e6:.1f} M",
             "minimum": b.minimum, "default": "yes" if b.name in DEFAULT else "",
             "published": f"{b.published.accuracy:.2f}" if b.published else ""}
            for b in BACKBONES.values()]
    terminal.print_table(rows, {"name": "name", "title": "backbone", "parameters": "parameters",
                                "minimum": "smallest side", "default": "in make zoo",
                                "published": "published hidden score"}, title="Backbones")
    store = Store(runs)
    done = leaderboard.records(store)
    if done:
        leaderboard.print_records(done, ("rank", "run", "backbone", "weights", "protocol",
                                         "validation", "test", "forecast"),
                                  f"Finished runs in {runs}")
    if json_path:
        write_json(json_path, {"backbones": rows, "runs": done})
    terminal.next_command(options.command_line("submission" if done else "zoo", runs=runs))
