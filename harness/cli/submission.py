"""harness submission: the best run as a zip that was tried."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@options.runs
@click.option("--run", metavar="ID", help="Pack this run. Default: the best.")
@click.option("--select", default="forecast", show_default=True, metavar="STRATEGY",
              help="What best means: forecast (the lower end of its interval), suite, validation, "
                   "worst-class.")
@click.option("--out", default="submission.zip", show_default=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False), help="The zip to write.")
@click.option("--half", is_flag=True, help="Store weights as float16: half the size.")
@options.json_path
def command(runs: str, run: str | None, select: str, out: Path, half: bool,
            json_path: Path | None) -> None:
    """Pack the best finished run as a zip, check it, and run it as the platform would.

    A zip is kept only if it breaks no rule, runs in an empty process, and predicts as the harness
    does.

    \b
    harness submission
    harness submission --run 20261125-101530-vgg16 --out vgg16.zip
    """
    from harness import entry, terminal
    from harness.leaderboard import title
    from harness.runs import Store
    from zoo.files import write_json

    store = Store(runs)
    chosen = store.run(run) if run else entry.choose(store, select)
    terminal.say(f"Packing {chosen.id} ({title(chosen.config['backbone'])}, weights "
                 f"{chosen.config['weights']['origin']}) ...")
    made = entry.make(chosen, out, half)
    facts = made.facts
    terminal.print_table([{
        "zip": str(out), "MB": f"{facts['bytes'] / 1e6:.1f}", "run": chosen.id,
        "harness": f"{100 * facts['accuracy_harness']:.1f} %",
        "zip's": f"{100 * facts['accuracy_zip']:.1f} %",
        "agreement": f"{100 * facts['agreement']:.1f} %"}],
        {"zip": "file", "MB": "MB", "run": "run", "harness": "harness's accuracy",
         "zip's": "zip's accuracy", "agreement": "same class"}, title="Packed and tried")
    if json_path:
        write_json(json_path, {"zip": str(out), "run": chosen.id, **facts})
    terminal.next_command(options.command_line("submit", out, runs=runs))
