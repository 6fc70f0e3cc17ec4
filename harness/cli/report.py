"""harness report: the page."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@options.runs
@click.option("--out", default="report.html", show_default=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False), help="The page to write.")
@click.option("--select", default="forecast", show_default=True, metavar="STRATEGY",
              help="What best means: forecast (the lower end of its interval), suite, validation, "
                   "worst-class.")
@options.json_path
def command(runs: str, out: Path, select: str, json_path: Path | None) -> None:
    """Write one HTML file that shows every finished run; it loads nothing from anywhere.

    \b
    harness report
    harness report --runs runs --out page.html
    """
    from harness import leaderboard, terminal
    from harness.report import write
    from harness.runs import Store
    from zoo.files import write_json

    store = Store(runs)
    with terminal.progress(len(store.finished()), "page") as bar:
        write(store, out, select, bar.advance)
    terminal.say(f"{out.resolve().as_uri()} ({out.stat().st_size / 1e6:.1f} MB)")
    if json_path:
        write_json(json_path, {"page": str(out), "bytes": out.stat().st_size,
                               "runs": leaderboard.records(store, select)})
    terminal.next_command(options.command_line("submission", select=select, runs=runs))
