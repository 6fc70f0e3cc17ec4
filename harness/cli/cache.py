"""harness cache: the activations on disk."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.option("--clear", is_flag=True, help="Delete everything in it.")
@options.json_path
def command(clear: bool, json_path: Path | None) -> None:
    """Show the cache of activations, or clear it.

    It makes the second training of a backbone many times faster than the first. It may be
    deleted at any time. HARNESS_CACHE names its folder, HARNESS_CACHE_LIMIT its size in GB.

    \b
    harness cache
    harness cache --clear
    """
    import shutil

    from harness import terminal
    from harness.training import cache
    from zoo.files import write_json

    found = cache.default()
    if clear:
        terminal.say(f"Freed {found.clear() / 1e9:.2f} GB in {found.folder}.")
    parent = next(p for p in [found.folder, *found.folder.parents] if p.exists())
    free = shutil.disk_usage(parent).free
    facts = {"folder": str(found.folder), "files": len(found.files()), "bytes": found.size(),
             "limit": found.limit, "free": free}
    if not clear:
        terminal.say(f"{facts['folder']}: {facts['files']} files, {found.size() / 1e9:.2f} of "
                     f"{found.limit / 1e9:.0f} GB; {free / 1e9:.0f} GB of the disk are free.")
    if json_path:
        write_json(json_path, facts)
    terminal.next_command("harness zoo" if clear else "harness cache --clear")
