"""harness forecast: what the hidden test will say."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.data.dataset import Dataset
    from harness.runs import Store


@click.command()
@click.option("--target", type=click.Path(path_type=Path), metavar="FILE",
              help="An npz file with `images` of the target, or a folder of them; labels are not "
                   "needed, nor used.")
@click.option("--history", type=click.Path(path_type=Path), metavar="FILE",
              help="A CSV file `run,score` of returned scores. Default: those in the ledger.")
@options.runs
@options.images_key
@options.json_path
def command(target: Path | None, history: Path | None, runs: str, images_key: str,
            json_path: Path | None) -> None:
    """Forecast every finished run's accuracy on the hidden test, with a 90 % interval.

    Without options the forecast rests on the stress suite and on scores that came back (see
    `harness score`), and is kept with the runs. Unlabelled pictures of the target make it far
    better.

    \b
    harness forecast
    harness forecast --target unlabelled.npz --history scores.csv --json forecast.json
    """
    from harness import forecasts, terminal
    from harness.runs import Store
    from submission.ledger import read_history
    from zoo.errors import UserError
    from zoo.files import write_json

    store = Store(runs)
    finished = store.finished()
    if not finished:
        raise UserError(f"{store.folder} holds no finished run. Make one with: harness zoo")
    if target is None and history is None:
        made = forecasts.update(store)
    else:
        known = {run.id for run in finished}
        returned = read_history(history, known) if history else None
        made = asked(store, returned, pictures(target, images_key) if target else None)
    if not made:
        raise UserError(f"No run in {store.folder} holds a stress suite to forecast from. "
                        "Train again with: harness zoo")
    terminal.print_table([shown(r) for r in made], COLUMNS, title="Forecasts of the hidden score")
    for sentence in dict.fromkeys(f"{r['way']}: {r['assumes']}." for r in made):
        terminal.say(sentence)
    say_honesty(store)
    if json_path:
        write_json(json_path, made)
    terminal.next_command(options.command_line("submission", runs=runs))


def pictures(target: Path, images_key: str) -> "Dataset":
    """The target's pictures; labels that its file may have are not looked at."""
    from harness.data.sources import is_missing, load
    from harness.prepare import judgeable
    from zoo.errors import UserError

    if is_missing(str(target)):
        raise UserError(f"The target {str(target)[:200]} does not exist. Check the path.")
    return judgeable(load(str(target), images_key, images_key, labelled=False), str(target))


def asked(store: "Store", returned: list[tuple[str, float]] | None, target: "Dataset | None"
          ) -> list[dict[str, Any]]:
    """Forecasts from files; nothing is kept. Raises UserError where a run knows the target."""
    from harness.again import pictures_of
    from harness.data.leaks import check_leak
    from harness.judge.forecast import forecast_runs

    if returned is None:
        returned = list(store.ledger.scores().items())
    made: list[dict[str, Any]] = []
    for runs in store.by_data():
        ids = {run.id for run in runs}
        unseen = None
        if target is not None:
            known = pictures_of(runs[0])
            unseen = check_leak(known, target, known.provenance, target.provenance).images
        made += forecast_runs(runs, [pair for pair in returned if pair[0] in ids], unseen)
    return made


def say_honesty(store: "Store") -> None:
    """Forecasts that met their score, where there are any."""
    from harness import terminal
    from harness.judge import honesty

    rows = honesty.summary(honesty.rows(store.whole("suite"), store.ledger.entries()))
    terminal_rows = [{**r, "error": f"{r['error']:.1f}",
                      "inside": None if r["inside"] is None else f"{100 * r['inside']:.0f} %"}
                     for r in rows]
    if rows:
        terminal.print_table(terminal_rows, {
            "guess": "guess", "scores": "scores", "error": "mean error, points",
            "inside": "inside the interval"}, title="Forecasts that met their returned score")


COLUMNS = {"run": "run", "way": "way", "forecast": "forecast", "interval": "90 % interval",
           "sampling": "of that, the suite's size", "suite": "suite",
           "held_out": "held-out distortions", "trained_on": "trained-on distortions"}


def shown(record: dict[str, Any]) -> dict[str, Any]:
    def percent(value: float | None) -> str | None:
        return None if value is None else f"{100 * value:.1f} %"

    return {"run": record["run"], "way": record["way"],
            "interval": f"{100 * record['low']:.0f}-{100 * record['high']:.0f} %",
            "sampling": f"±{100 * record['sampling']:.1f}",
            **{k: percent(record[k]) for k in ("forecast", "suite", "held_out", "trained_on")}}
