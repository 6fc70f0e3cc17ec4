"""What a notebook imports: load a file, train a backbone, predict, read the leaderboard."""

from pathlib import Path
from typing import Any

from harness.data.dataset import Dataset
from harness.runs import Run, Store
from zoo.classifier import Classifier


def load_data(source: str, images_key: str = "images", labels_key: str = "labels") -> Dataset:
    """Read "demo", an npz file, a folder of pictures, or "medmnist:NAME"; see ``harness.data``."""
    from harness.data.sources import load

    return load(source, images_key, labels_key)


def train(source: str, backbone: str, protocol: str = "quick", *, test: str | None = None,
          weights: str = "auto", folds: int = 1, seed: int = 0, runs: str | Path = "runs",
          images_key: str = "images", labels_key: str = "labels", **fields: Any) -> Run:
    """Clean ``source``, train one backbone on it, and return its finished run.

    fields: any field of the protocol, such as ``views=3``. The same call finds the finished run
    again. Raises zoo.UserError, a sentence.
    """
    import dataclasses

    from harness import protocol as protocols
    from harness.forecasts import update
    from harness.prepare import prepare
    from harness.sweep import check, plan, sweep
    from harness.training import cache
    from zoo.errors import UserError
    from zoo.table import backbone as row

    if not 0 <= seed < 2 ** 32:
        raise UserError(f"seed must be from 0 to {2 ** 32 - 1}, not {seed}.")
    chosen = protocols.protocol(protocol, fields)
    check([row(backbone)], chosen)
    spec = plan([backbone], chosen, weights, folds, 1, source == "demo")[0]
    store = Store(runs)
    prepared = prepare(source, test, images_key, labels_key)
    run = sweep([dataclasses.replace(spec, seed=seed)], prepared, store, cache.default())[0]
    update(store)
    return run


def load_classifier(run: str, runs: str | Path = "runs") -> Classifier:
    """The classifier of a finished run; its ``predict`` takes raw pictures (n, H, W, 3)."""
    return Classifier.load(Store(runs).run(run).classifier_folder)


def read_leaderboard(runs: str | Path = "runs") -> list[dict[str, Any]]:
    """The leaderboard as records, best first within each data set; accuracies are fractions."""
    from harness.leaderboard import records

    return records(Store(runs))
