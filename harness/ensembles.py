"""Ensembles: the mean of several runs' probabilities, as a run of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import terminal
from harness.runs import Run, Store, identity, made_of
from zoo.classifier import Classifier
from zoo.errors import UserError
from zoo.files import write_arrays, write_json

PICKS = 10  # of members, repeated ones counted


def greedy(members: list[np.ndarray], labels: np.ndarray, most: int,
           start: Sequence[int] = ()) -> list[int]:
    """Which members (n, K) to average, and how often each counts: those of ``start`` and the best,
    then whichever helps most, again or for the first time, while one helps.

    Caruana et al., "Ensemble selection from libraries of models", 2004, with replacement: a strong
    network beside a weaker one gets its due. At most ``most`` different ones.
    """
    chosen, reached = list(start), -1.0
    if chosen:
        reached = accuracy([members[i] for i in chosen], labels)
    while len(chosen) < PICKS:
        open_to = range(len(members)) if len(set(chosen)) < most else sorted(set(chosen))
        scores = {i: accuracy([members[j] for j in [*chosen, i]], labels) for i in open_to}
        best = max(scores, key=lambda i: scores[i])
        if scores[best] <= reached:
            break
        reached = scores[best]
        chosen.append(best)
    return chosen


def accuracy(members: list[np.ndarray], labels: np.ndarray) -> float:
    return float((np.mean(members, axis=0).argmax(1) == labels).mean())


def check_alike(runs: list[Run]) -> None:
    """Refuse runs that can't be averaged."""
    if len({r.id for r in runs}) < 2:
        raise UserError("An ensemble needs at least two different runs on one data set. Train "
                        "another with: harness zoo")
    for run in runs[1:]:
        if sentence := unlike(run, runs[0]):
            raise UserError(sentence)


def unlike(run: Run, first: Run) -> str | None:
    """Why the mean of both would mean nothing."""
    if run.config["data"]["hash"] != first.config["data"]["hash"]:
        return f"{run.id} was trained on other data than {first.id}."
    if not same(run.predictions(), first.predictions(), "validation_index"):
        return (f"{run.id} was validated on other pictures than {first.id}: train both with the "
                "same --folds.")
    if not same(run.suite(), first.suite(), "source", "operation", "strength"):
        return (f"{run.id} and {first.id} were judged on different stress suites. Train both with "
                "the same suite, by the same version of this program.")
    if run.config["protocol"]["tta"] != first.config["protocol"]["tta"]:
        return (f"{run.id} and {first.id} differ in their test-time augmentation; the runs of an "
                "ensemble must share it.")
    return None


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], *keys: str) -> bool:
    return all(k in a and k in b and np.array_equal(a[k], b[k]) for k in keys)


def share_test(runs: list[Run]) -> bool:
    """Whether all were judged on one test file: the means of other rows would mean nothing."""
    files = [r.config.get("test") or {} for r in runs]
    predictions = [r.predictions() for r in runs]
    return (all(f.get("hash") == files[0].get("hash") for f in files)
            and all({"test", "test_labels"} <= p.keys() for p in predictions)
            and all(same(p, predictions[0], "test_labels") for p in predictions))


def select(runs: list[Run], most: int) -> list[Run]:
    """The members that a greedy selection on the stress suite takes, at most ``most``."""
    check_alike(runs)
    suites = [r.suite() for r in runs]
    chosen = greedy([s["probabilities"] for s in suites], suites[0]["label"], most)
    return [runs[i] for i in dict.fromkeys(chosen)]


def join(store: Store, runs: list[Run]) -> Run:
    """Write the ensemble of ``runs`` into the store and return it.

    Each has the share in it that the stress suite gives. Raises UserError for fewer than two runs,
    or runs that were not judged alike.
    """
    check_alike(runs)
    suites = [r.suite() for r in runs]
    chosen = greedy([s["probabilities"] for s in suites], suites[0]["label"], len(runs),
                    range(len(runs)))
    shares = [chosen.count(i) / len(chosen) for i in range(len(runs))]
    config = configuration(runs, shares)
    with store.new("ensemble", config["identity"]) as folder:
        if folder is not None:
            if config["test"] is None and any(r.config.get("test") for r in runs):
                terminal.say("The members were not judged on the same test file, so the ensemble "
                             "has no test accuracy.")
            write(folder, config, runs)
    return store.made(config["identity"])


def configuration(runs: list[Run], shares: list[float]) -> dict[str, Any]:
    """The configuration of the first, but for what an ensemble is."""
    from harness.leaderboard import title

    first = runs[0].config
    origins = sorted({r.config["weights"]["origin"] for r in runs})
    protocols = sorted({r.config["protocol"]["name"] for r in runs})
    config = made_of(
        runs, backbone=" + ".join(title(r.config["backbone"]) for r in runs),
        weights={"origin": ", ".join(origins)}, shares=shares,
        protocol={**first["protocol"], "name": ", ".join(protocols)},
        test=first.get("test") if share_test(runs) else None)
    config["identity"] = identity({"ensemble": sorted(
        (r.config["identity"], s) for r, s in zip(runs, shares, strict=True))})
    return config


def write(folder: Path, config: dict[str, Any], runs: list[Run]) -> None:
    """The records of an ensemble, all from its members' records."""
    from harness.finish import suite_metrics
    from harness.judge.metrics import metrics

    loaded = [Classifier.load(r.classifier_folder) for r in runs]
    names, tta = loaded[0].class_names, loaded[0].tta
    shares = config["shares"]
    classifier = Classifier(tuple(g for c in loaded for g in c.graphs), names, tta, tuple(
        own * share for c, share in zip(loaded, shares, strict=True) for own in c.shares))
    predictions = [r.predictions() for r in runs]
    arrays = {**predictions[0], "validation": mean([p["validation"] for p in predictions], shares)}
    if config["test"]:
        arrays["test"] = mean([p["test"] for p in predictions], shares)
    else:
        arrays = {k: v for k, v in arrays.items() if not k.startswith("test")}
    suites = [r.suite() for r in runs]
    suite = {**suites[0], "probabilities": mean([s["probabilities"] for s in suites], shares),
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


def mean(arrays: list[np.ndarray], shares: list[float]) -> np.ndarray:
    return np.average(arrays, axis=0, weights=shares).astype("float32")


def candidates(store: Store) -> list[Run]:
    """The newest single runs, on the newest data set, that can be averaged with each other."""
    single = [r for r in store.whole("predictions", "suite") if "members" not in r.config]
    if not single:
        raise UserError(f"{store.folder} holds no finished run. Make some with: harness zoo")
    groups: list[list[Run]] = []
    for run in reversed(single):
        if run.config["data"]["hash"] == single[-1].config["data"]["hash"]:
            home = next((g for g in groups if unlike(run, g[0]) is None), None)
            groups.append([run]) if home is None else home.append(run)
    return next((g for g in groups if len(g) > 1), groups[0])[::-1]
