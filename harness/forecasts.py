"""Forecasts of all finished runs, written into their folders."""

from harness.runs import Store
from zoo.files import write_json


def update(store: Store) -> list[dict[str, object]]:
    """Forecast every finished run anew, from its suite and the scores that came back.

    Runs on one data set are forecast together, since they share what was returned.
    """
    from harness.judge.forecast import forecast_runs

    returned = store.ledger.scores()
    made: list[dict[str, object]] = []
    for runs in store.by_data():
        history = [(run.id, returned[run.id]) for run in runs if run.id in returned]
        records = forecast_runs(runs, history)
        for run in runs:
            own = [r for r in records if r["run"] == run.id]
            if own != run.forecasts:
                write_json(run.folder / "forecast.json", own)
        made += records
    return made
