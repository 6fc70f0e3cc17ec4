"""harness bundle: a competition bundle from labelled pictures."""

from datetime import datetime
from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.option("--data", required=True, metavar="FILE",
              help="Labelled pictures: the hidden set of the first phase.")
@click.option("--final", metavar="FILE", help="Others, for a final phase that follows the first.")
@options.images_key
@options.labels_key
@click.option("--out", default="bundle.zip", show_default=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False), help="The bundle to write.")
@click.option("--title", default="Image classification", show_default=True, metavar="TEXT",
              help="What the competition is called.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M"]), metavar="DATE",
              help="When the first phase begins, UTC. Default: today.")
@click.option("--days", default=14, show_default=True, type=click.IntRange(1), metavar="N",
              help="How long each phase lasts; the last one stays open.")
@click.option("--a-day", default=5, show_default=True, type=click.IntRange(1), metavar="N",
              help="Submissions a participant may send a day.")
@options.json_path
def command(data: str, final: str | None, images_key: str, labels_key: str, out: Path, title: str,
            start: datetime | None, days: int, a_day: int, json_path: Path | None) -> None:
    """Make a Codabench bundle, to host the same task: upload it as a competition.

    Pictures and labels go into it as they are: keep it away from participants.

    \b
    harness bundle --data hidden.npz
    harness bundle --data hidden.npz --final final.npz --start 2026-11-02 --out cells.zip
    """
    from datetime import UTC

    from harness import terminal
    from harness.data.sources import load_judged
    from submission.bundle import Task, bundle
    from zoo.files import file_hash, write_json

    names = ["Development"] + ["Final"] * bool(final)
    sets = [load_judged(path, images_key, labels_key) for path in (data, final) if path]
    tasks = [Task(name, s.images, s.labels) for name, s in zip(names, sets, strict=True)]
    begin = start or datetime.now(UTC).replace(hour=0, minute=0)
    bundle(tasks, out, title, sets[0].class_names, begin, days, a_day)
    rows = [{"phase": t.name, "pictures": len(t.images), "classes": len(set(t.labels.tolist()))}
            for t in tasks]
    terminal.print_table(rows, {"phase": "phase", "pictures": "pictures", "classes": "classes"},
                         title=f"{out}, {out.stat().st_size / 1e6:.1f} MB")
    if json_path:
        write_json(json_path, {"bundle": str(out), "sha256": file_hash(out), "phases": rows})
    terminal.next_command(options.command_line("dry-run", "submission.zip", data=data,
                                               images_key=images_key, labels_key=labels_key))
