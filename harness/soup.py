"""Greedy soup: the mean of the weights of runs that started from the same ones.

Wortsman et al., "Model soups", arXiv 2203.05482. It predicts at the cost of one network.
"""

from typing import Any

import numpy as np

from harness import finish, terminal
from harness.again import job_of
from harness.runs import Run, Store, identity, made_of
from harness.sweep import SCRATCH, test_record
from harness.training.run import Job, Outcome
from zoo.classifier import Classifier
from zoo.errors import UserError
from zoo.graph import Graph


def average(graphs: list[Graph]) -> Graph:
    """The graph whose every array is the mean of theirs. They must be alike in all but weights."""
    first = graphs[0]
    for other in graphs[1:]:
        if other.nodes != first.nodes or {k: a.shape for k, a in other.arrays.items()} != {
                k: a.shape for k, a in first.arrays.items()}:
            raise UserError("Only networks that are built alike can be averaged: the same "
                            "backbone, head, size and adapt.")
    arrays = {k: np.mean([g.arrays[k] for g in graphs], axis=0, dtype="float64")
              .astype(first.arrays[k].dtype) for k in first.arrays}
    return Graph(first.nodes, arrays)


def make(store: Store, runs: list[Run], test: str | None = None) -> Run:
    """Average the best of ``runs`` with whichever of the others doesn't lower suite accuracy.

    The result is a run of its own, judged on the source ``test``, too. Raises UserError where they
    don't share a start, or nothing helps.
    """
    runs = list({r.id: r for r in runs}.values())
    if len(runs) < 2:
        raise UserError("A soup needs at least two runs of one backbone: train some with "
                        "--seeds 3.")
    check_alike(runs)
    ranked = sorted(runs, key=lambda r: -(r.metrics["suite"]["all"] or 0.0))
    job, held = job_of(ranked[0], test)
    graphs = [Classifier.load(r.classifier_folder).graphs[0] for r in ranked]
    used = greedy(job, graphs)
    if len(used) < 2:
        raise UserError(f"Averaging anything with {ranked[0].id} lowers its accuracy on the stress "
                        "suite, so no soup was made.")
    config = {**configuration([ranked[i] for i in used]), "test": test_record(held)}
    with store.new("soup", config["identity"]) as folder:
        if folder is not None:
            outcome = Outcome([average([graphs[i] for i in used])])
            finish.write(folder, config, job, outcome, held)
    return finish.tested(store.made(config["identity"]), held, config["test"])


def check_alike(runs: list[Run]) -> None:
    first = runs[0].config
    for run in runs:
        if run.config["folds"] != 1 or "members" in run.config:
            raise UserError(f"{run.id} holds several networks; a soup is made of single ones.")
        for key, word in (("backbone", "backbone"), ("weights", "pretrained weights")):
            if run.config[key] != first[key]:
                raise UserError(f"{run.id} and {runs[0].id} don't share their {word}, so their "
                                "weights can't be averaged.")
        if run.config["weights"]["origin"] == SCRATCH and run.config["seed"] != first["seed"]:
            raise UserError(f"{run.id} and {runs[0].id} began at different random weights, whose "
                            "mean is no network: a soup needs pretrained ones, or one seed.")
        if run.config["data"]["hash"] != first["data"]["hash"]:
            raise UserError(f"{run.id} was trained on other data than {runs[0].id}.")
        if run.config["protocol"]["tta"] != first["protocol"]["tta"]:
            raise UserError(f"{run.id} and {runs[0].id} differ in their test-time augmentation; "
                            "the runs of a soup must share it.")


def greedy(job: Job, graphs: list[Graph]) -> list[int]:
    """Which graphs to average; the first always, the others in order while accuracy holds."""
    from harness.judge.suite import make_suite

    held = job.folds[0][1]
    suite = make_suite(job.dataset.images[held], job.dataset.labels[held], job.protocol.policy,
                       job.protocol.suite)
    rows = suite.operation != "clean"

    def accuracy(chosen: list[int]) -> float:
        graph = average([graphs[i] for i in chosen])
        found = Classifier((graph,), job.dataset.class_names).predict(suite.images[rows])
        return float((found.argmax(1) == suite.label[rows]).mean())

    used, reached = [0], accuracy([0])
    with terminal.progress(len(graphs) - 1, "soup") as bar:
        for i in range(1, len(graphs)):
            now = accuracy([*used, i])
            if now >= reached:
                used, reached = [*used, i], now
            bar.advance(1)
    return used


def configuration(runs: list[Run]) -> dict[str, Any]:
    protocol = {**runs[0].config["protocol"], "name": f"soup of {len(runs)}"}
    config = made_of(runs, protocol=protocol)
    config["identity"] = identity({"soup": sorted(r.config["identity"] for r in runs)})
    return config
