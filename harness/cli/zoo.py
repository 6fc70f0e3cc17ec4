"""harness zoo: the sweep."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from zoo.errors import UserError

if TYPE_CHECKING:
    from harness.runs import Run, Store


@click.command()
@click.option("--data", default="demo", show_default=True, metavar="SOURCE",
              help="An npz file, a folder of pictures (one folder a class), or demo.")
@options.test
@click.option("--weights", default="auto", show_default=True, metavar="DIR|WORD",
              help="A folder with Keras' files of pretrained weights; or imagenet (Keras' cache, "
                   "then download), none (random), auto (imagenet; random on the demo if need be).")
@click.option("--backbones", metavar="NAMES", help="Names, separated by blanks or commas. "
              "Default: the seven of the report and the small CNN.")
@click.option("--protocol", metavar="NAME",
              help="seed, quick or strong. Default: quick on the demo, else strong.")
@click.option("--folds", default=1, show_default=True, type=click.IntRange(1, 50),
              help="1: hold out a tenth. K: train K times, each part validating once.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, 50),
              help="Train so many times from different random numbers.")
@click.option("--size", type=int, help="Resize pictures to this side, inside the model.")
@options.keep
@options.drop
@click.option("--jobs", type=click.IntRange(1, 256),
              help="Train so many runs at a time, in processes that share the cores and the GPUs, "
                   "one GPU each; a run alone trains on all GPUs. Default: one run for each GPU, "
                   "or 1.")
@click.option("--cluster", metavar="ADDRESS",
              help="Train on the workers of a Dask scheduler, such as tcp://10.0.0.5:8786.")
@click.option("--track", multiple=True, type=click.Choice(["tensorboard", "mlflow"]),
              help="Write the curves of each run, once, for TensorBoard (RUNS/tensorboard) or "
                   "MLflow as well.")
@options.settings
@options.runs
@options.images_key
@options.labels_key
@options.json_path
def command(data: str, test: str | None, weights: str, backbones: str | None,
            protocol: str | None, folds: int, seeds: int, size: int | None, keep: str | None,
            drop: str | None, jobs: int | None, cluster: str | None, track: tuple[str, ...],
            settings: tuple[str, ...], runs: str, images_key: str,
            labels_key: str, json_path: Path | None) -> None:
    """Train backbones under one protocol, forecast their hidden scores, update leaderboard.md.

    Finished runs are not trained again, so the same command goes on after an interruption.

    \b
    harness zoo
    harness zoo --data training_set.npz --backbones "vgg16 mobilenetv2"
    harness zoo --data training_set.npz --protocol strong --set views=12 --folds 5
    """
    from harness import protocol as protocols
    from harness import sweep
    from harness.prepare import prepare
    from harness.runs import Store
    from harness.training import cache
    from zoo.table import DEFAULT, backbone

    fields: dict[str, Any] = options.parse_settings(settings)
    if size is not None:
        fields["size"] = size
    chosen = protocols.protocol(protocol or ("quick" if data == "demo" else "strong"), fields)
    names = backbones.replace(",", " ").split() if backbones else list(DEFAULT)
    sweep.check([backbone(n) for n in names], chosen)
    check_trackers(track)
    prepared = prepare(data, test, images_key, labels_key, options.read_positions(keep),
                       options.read_positions(drop))
    prepared.folds(folds)
    specs = sweep.plan(names, chosen, weights, folds, seeds, demo=data == "demo")
    store = Store(runs)
    try:
        done = sweep.sweep(specs, prepared, store, cache.default(), jobs, cluster)
    finally:
        if store.finished():
            close(store)
    finish(store, done, track, json_path)


def check_trackers(names: tuple[str, ...]) -> None:
    """Refuse a tracker whose package is missing while nothing is lost by it yet."""
    for name in names:
        try:
            importlib.import_module(name)  # the packages are called as the trackers are
        except ImportError as e:
            raise UserError(f"--track {name} needs a package that can't be imported ({e}): "
                            "pip install 'shift-harness[tracking]'") from e


def close(store: "Store") -> None:
    """Forecast and write the leaderboard, whatever happened to the last run."""
    from harness import forecasts, leaderboard

    forecasts.update(store)
    leaderboard.write(store)


def finish(store: "Store", done: list["Run"], track: tuple[str, ...], json_path: Path | None
           ) -> None:
    """The closing table, the facts as JSON, the trackers, and the next command."""
    from harness import leaderboard, terminal
    from zoo.files import write_json

    ids = {run.id for run in done}
    rows = [r for r in leaderboard.records(store) if r["run"] in ids]
    leaderboard.print_records(rows, CLOSING, "Best first")
    times = [{"run": r["run"], **store.run(r["run"]).environment["seconds"]} for r in rows]
    terminal.print_table(times, {k: k for k in dict.fromkeys(k for t in times for k in t)},
                         title="Seconds by stage")
    if json_path:
        write_json(json_path, rows)
    terminal.say("leaderboard.md is up to date.")
    log(store, done, track)
    if len(rows) > 1:
        terminal.say("Averaging good runs usually adds about a point: "
                     + options.command_line("ensemble", runs=store.folder))
    if rows and store.run(rows[0]["run"]).config["protocol"]["tta"] == "none":
        terminal.say("Averaging over turned views, too, for eight times the prediction time: "
                     + options.command_line("tta", rows[0]["run"], runs=store.folder))
    terminal.next_command(options.command_line("submission", runs=store.folder))


def log(store: "Store", done: list["Run"], track: tuple[str, ...]) -> None:
    """Give runs to the trackers; a file in a run's folder says that one has it already."""
    from harness.training.tracking import TRACKERS
    from zoo.files import write_text

    for run in done:
        for name in track:
            mark = run.folder / f"logged-{name}"
            if not mark.exists():
                TRACKERS[name](store, run)
                write_text(mark, "")


# The columns of the closing table.
CLOSING = ("rank", "backbone", "weights", "protocol", "validation", "test", "gap", "forecast",
           "interval", "worst class", "milliseconds", "run")
