"""Ensembles: the mean of several runs' probabilities, as a run of its own."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.runs import Run, Store, identity
from zoo.classifier import Classifier
from zoo.errors import UserError
from zoo.files import write_arrays, write_json


def greedy(members: list[np.ndarray], labels: np.ndarray, most: int) -> list[int]:
    """Which members (n, K) to average: the best, then whichever helps most, while one helps.

    Caruana et al., "Ensemble selection from libraries of models", 2004, without replacement.
    """
    chosen: list[int] = []
    reached = -1.0
    while len(chosen) < min(most, len(members)):
        left = [i for i in range(len(members)) if i not in chosen]
        scores = [float((np.mean([members[j] for j in [*chosen, i]], 0).argmax(1) == labels).mean())
                  for i in left]
        best = int(np.argmax(scores))
        if scores[best] <= reached:
            break
        reached = scores[best]
        chosen.append(left[best])
    return chosen


def check_alike(runs: list[Run]) -> None:
    """Refuse runs that were not judged on the same pictures."""
    first = runs[0]
    if len({r.id for r in runs}) < 2:
        raise UserError("An ensemble needs at least two different runs.")
    for run in runs[1:]:
        if run.config["data"]["hash"] != first.config["data"]["hash"]:
            raise UserError(f"{run.id} was trained on other data than {first.id}.")
        if not same(run.predictions(), first.predictions(), "validation_index"):
            raise UserError(f"{run.id} was validated on other pictures than {first.id}: train both "
                            "with the same --folds and seed.")
        if not same(run.suite(), first.suite(), "source", "operation", "strength"):
            raise UserError(f"{run.id} and {first.id} were judged on different stress suites. "
                            "Train both with the same version of this program.")
        if run.config["protocol"]["tta"] != first.config["protocol"]["tta"]:
            raise UserError(f"{run.id} and {first.id} differ in their test-time augmentation; the "
                            "runs of an ensemble must share it.")


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], *keys: str) -> bool:
    return all(np.array_equal(a[k], b[k]) for k in keys)


def select(runs: list[Run], most: int) -> list[Run]:
    """The members that a greedy selection on the stress suite takes, at most ``most``."""
    check_alike(runs)
    suites = [r.suite() for r in runs]
    chosen = greedy([s["probabilities"] for s in suites], suites[0]["label"], most)
    return [runs[i] for i in chosen]


def join(store: Store, runs: list[Run]) -> Run:
    """Write the ensemble of ``runs`` into the store and return it.

    Raises UserError for fewer than two runs, or runs that were not judged alike.
    """
    check_alike(runs)
    config = configuration(runs)
    with store.new("ensemble", config["identity"]) as folder:
        if folder is not None:
            write(folder, config, runs)
    return store.made(config["identity"])


def configuration(runs: list[Run]) -> dict[str, Any]:
    """The configuration of the first, but for what an ensemble is."""
    from harness.leaderboard import title

    first = runs[0].config
    origins = sorted({r.config["weights"]["origin"] for r in runs})
    protocols = sorted({r.config["protocol"]["name"] for r in runs})
    config = {**first, "backbone": " + ".join(title(r.config["backbone"]) for r in runs),
              "weights": {"origin": ", ".join(origins)},
              "protocol": {**first["protocol"], "name": ", ".join(protocols)},
              "members": [r.id for r in runs]}
    config["identity"] = identity({"ensemble": sorted(r.config["identity"] for r in runs)})
    return config


def write(folder: Path, config: dict[str, Any], runs: list[Run]) -> None:
    """The records of an ensemble, all from its members' records."""
    from harness.judge.metrics import metrics
    from harness.record import suite_metrics

    loaded = [Classifier.load(r.classifier_folder) for r in runs]
    names, tta = loaded[0].class_names, loaded[0].tta
    classifier = Classifier(tuple(g for c in loaded for g in c.graphs), names, tta)
    predictions = [r.predictions() for r in runs]
    arrays = {**predictions[0], "validation": mean([p["validation"] for p in predictions])}
    if all("test" in p for p in predictions):
        arrays["test"] = mean([p["test"] for p in predictions])
    else:
        arrays = {k: v for k, v in arrays.items() if not k.startswith("test")}
    suites = [r.suite() for r in runs]
    suite = {**suites[0], "probabilities": mean([s["probabilities"] for s in suites]),
             "held_out": np.all([s["held_out"] for s in suites], axis=0)}
    labelled = "test" in arrays and bool((arrays["test_labels"] >= 0).all())
    labels = arrays["validation_labels"]
    each = [float((arrays["validation"][rows].argmax(1) == labels[rows]).mean())
            for rows in folds_of(arrays["validation_fold"])]
    found = {"validation": metrics(arrays["validation"], labels, names),
             "test": metrics(arrays["test"], arrays["test_labels"], names) if labelled else None,
             "folds": {"each": each, "mean": float(np.mean(each)), "std": float(np.std(each))},
             "suite": suite_metrics(suite), "parameters": classifier.parameters,
             "milliseconds": sum(r.metrics["milliseconds"] for r in runs)}
    classifier.save(folder / "classifier")
    write_json(folder / "config.json", config)
    write_json(folder / "history.json", [])
    write_arrays(folder / "predictions.npz", **arrays)
    write_arrays(folder / "suite.npz", **suite)
    write_arrays(folder / "sample.npz", **runs[0].sample())
    write_json(folder / "metrics.json", found)
    write_json(folder / "environment.json", runs[0].environment)


def folds_of(fold: np.ndarray) -> list[np.ndarray]:
    return [fold == k for k in np.unique(fold)]


def mean(arrays: list[np.ndarray]) -> np.ndarray:
    return np.mean(arrays, axis=0, dtype="float64").astype("float32")


def candidates(store: Store) -> list[Run]:
    """The single runs on the newest data set that were judged on the same pictures."""
    single = [r for r in store.whole() if "members" not in r.config]
    if not single:
        raise UserError(f"{store.folder} holds no finished run. Make some with: harness zoo")
    newest = single[-1]
    index, suite = newest.predictions(), newest.suite()
    return [r for r in single
            if r.config["data"]["hash"] == newest.config["data"]["hash"]
            and r.config["protocol"]["tta"] == newest.config["protocol"]["tta"]
            and same(r.predictions(), index, "validation_index")
            and same(r.suite(), suite, "source", "operation", "strength")]
