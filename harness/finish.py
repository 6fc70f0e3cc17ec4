"""From trained networks to a finished run: judge them, and write everything into its folder."""

import platform
from pathlib import Path
from typing import Any

import numpy as np

from harness import terminal
from harness.data.dataset import Dataset
from harness.runs import Run
from harness.training.run import Job, Outcome
from zoo.classifier import Classifier
from zoo.files import write_arrays, write_json

TIMED = 64    # pictures whose prediction is timed
SAMPLE = 512  # validation pictures that are kept with the run, for its zip's dry run and the page


def write(folder: Path, config: dict[str, Any], job: Job, outcome: Outcome,
          test: Dataset | None) -> None:
    """Judge the members of ``outcome`` and write everything into ``folder`` but ``done``."""
    from harness.judge.metrics import metrics

    names, labels = job.dataset.class_names, job.dataset.labels
    classifier = outcome.classifier(job)
    members = ([classifier] if len(job.folds) == 1 else
               [Classifier((m,), names, job.protocol.tta) for m in classifier.graphs])
    with outcome.timed("judging"):
        index = np.concatenate([v for _, v in job.folds])
        fold = np.repeat(np.arange(len(job.folds)), [len(v) for _, v in job.folds])
        parts = [m.predict(job.dataset.images[v])
                 for m, (_, v) in zip(members, job.folds, strict=True)]
        arrays = {"validation": np.concatenate(parts), "validation_labels": labels[index],
                  "validation_index": index, "validation_fold": fold}
        if test is not None:
            arrays["test"] = classifier.predict(test.images)
            arrays["test_labels"] = test.labels
        each = [float((p.argmax(1) == labels[v]).mean())
                for p, (_, v) in zip(parts, job.folds, strict=True)]
        found: dict[str, Any] = {
            "validation": metrics(arrays["validation"], labels[index], names),
            "test": metrics(arrays["test"], test.labels, names)
            if test is not None and test.labelled else None,
            "folds": {"each": each, "mean": float(np.mean(each)), "std": float(np.std(each))},
            "parameters": classifier.parameters, "milliseconds": milliseconds(classifier, job)}
    with outcome.timed("suite"):
        suite = stress(members, fold, index, job)
        found["suite"] = suite_metrics(suite)
    shown = np.sort(np.random.default_rng(0).permutation(len(index))[:SAMPLE])
    with outcome.timed("writing"):
        write_arrays(folder / "sample.npz", images=job.dataset.images[index[shown]],
                     position=shown)
        classifier.save(folder / "classifier")
        write_json(folder / "config.json", config)
        write_json(folder / "history.json", outcome.history)
        write_arrays(folder / "predictions.npz", **arrays)
        write_arrays(folder / "suite.npz", **suite)
        write_json(folder / "metrics.json", found)
    write_json(folder / "environment.json", environment(outcome))


def stress(members: list[Classifier], fold: np.ndarray, index: np.ndarray, job: Job
           ) -> dict[str, np.ndarray]:
    """Each validation picture, distorted, judged by the member that didn't learn from it."""
    from harness.judge.suite import make_suite

    suite = make_suite(job.dataset.images[index], job.dataset.labels[index], job.protocol.policy,
                       job.protocol.suite)
    probabilities = np.empty((len(suite.images), len(job.dataset.class_names)), "float32")
    with terminal.progress(len(suite.images), f"{job.backbone.title}: stress suite") as bar:
        for k, member in enumerate(members):
            rows = np.flatnonzero(fold[suite.source] == k)
            probabilities[rows] = member.predict(suite.images[rows])
            bar.advance(len(rows))
    return {"probabilities": probabilities, "label": suite.label,
            "source": index[suite.source], "operation": suite.operation,
            "strength": suite.strength, "held_out": suite.held_out}


def suite_metrics(suite: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Accuracy on all distortions, on those that training never showed, and on those it did.

    The first compares runs of any policy; what is held out depends on the policy.
    """
    unseen = suite["held_out"]
    return {"all": share(suite, np.ones(len(unseen), bool)), "held_out": share(suite, unseen),
            "trained_on": share(suite, ~unseen)}


def share(suite: dict[str, np.ndarray], rows: np.ndarray) -> float | None:
    """Accuracy on some distorted pictures of the suite; None where there are none."""
    rows = rows & (suite["operation"] != "clean")
    if not rows.any():
        return None
    return float((suite["probabilities"][rows].argmax(1) == suite["label"][rows]).mean())


def milliseconds(classifier: Classifier, job: Job) -> float:
    """Milliseconds a picture in a full batch, the better of two."""
    import time

    pictures = np.resize(job.dataset.images[:TIMED], (TIMED, *job.dataset.images.shape[1:]))
    times = []
    for _ in range(2):
        began = time.perf_counter()
        classifier.predict(pictures)
        times.append(time.perf_counter() - began)
    return 1000 * min(times) / TIMED


def environment(outcome: Outcome) -> dict[str, Any]:
    """Versions, machine, seconds by stage, and the peak memory of this process in MB."""
    from zoo.device import describe, peak_memory
    from zoo.versions import version

    return {"python": platform.python_version(),
            "versions": {p: version(p) for p in ("tensorflow", "keras", "numpy", "scikit-learn",
                                                 "shift-harness")},
            "device": describe(), "number_type": outcome.number_type,
            "engine": outcome.engine,
            "seconds": {k: round(v, 2) for k, v in outcome.seconds.items()},
            "peak_memory_mb": round(peak_memory())}


def tested(run: Run, test: Dataset | None, about: dict[str, Any] | None) -> Run:
    """``run`` with a score on ``test``; judged now where it was finished without."""
    if test is not None and about is not None and about != run.config.get("test"):
        add_test(run, test, about)
    return Run(run.folder)


def add_test(run: Run, test: Dataset, about: dict[str, Any]) -> None:
    """Judge a finished run on another labelled file, and put that into its records."""
    from harness.judge.metrics import metrics

    classifier = Classifier.load(run.classifier_folder)
    arrays = {k: v for k, v in run.predictions().items() if not k.startswith("test")}
    arrays.update(test=classifier.predict(test.images), test_labels=test.labels)
    found = dict(run.metrics)
    found["test"] = (metrics(arrays["test"], test.labels, classifier.class_names)
                     if test.labelled else None)
    write_arrays(run.folder / "predictions.npz", **arrays)
    write_json(run.folder / "metrics.json", found)
    write_json(run.folder / "config.json", {**run.config, "test": about})
