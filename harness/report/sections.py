"""A run's section of the page: everything that its template shows, ready to print."""

import dataclasses
from typing import Any

import numpy as np

from harness.commands import command_line
from harness.judge import metrics
from harness.judge.suite import STRENGTHS
from harness.records import reading
from harness.report import facts, pictures, svg
from harness.runs import Run

MOST_CLASSES = 20  # a larger confusion matrix is shown as a picture


def section(run: Run, record: dict[str, Any]) -> dict[str, Any]:
    """What ``run.html`` shows of one run; ``record`` is its line of the leaderboard."""
    predictions, suite, sample = run.predictions(), run.suite(), run.sample()
    names = [str(c) for c in run.config["data"]["classes"]]
    p, labels = predictions["validation"], predictions["validation_labels"]
    matrix = metrics.confusion(labels, p.argmax(1), len(names))
    heat = facts.heat_map(suite) if suite else []
    return {
        "id": run.id, "record": record, "names": names, "forecasts": run.forecasts,
        "curves": curves(run), "confusion": confusion(matrix, names),
        "classes": classes(matrix, names, predictions, suite),
        "reliability": reliability(p, labels, suite), "heat": heat,
        "operations": facts.operations(suite) if suite else [],
        "mistakes": [{**m, "image": pictures.address(m["image"])}
                     for m in facts.mistakes(predictions, sample)],
        "fooled": [{**m, "image": pictures.address(m["image"])}
                   for m in facts.fooled(suite, predictions, sample)] if suite else [],
        "sampled": len(sample["position"]),
        "samples": suite_samples(sample["images"], suite) if suite else [],
        "seconds": seconds(run.environment.get("seconds", {})),
        "settings": flat(run.config), "environment": flat(run.environment, skip=("seconds",)),
        "reproduce": reproduce(run.config, str(run.folder.parent)),
        "paired": facts.paired(run, predictions)}


def curves(run: Run) -> list[dict[str, Any]]:
    return [{"stage": s["stage"], "epochs": s["epochs"], "best": s["best"],
             "figures": [svg.learning_curves(s, "loss"), svg.learning_curves(s, "accuracy")]}
            for s in facts.curves(run)]


def confusion(matrix: np.ndarray, names: list[str]) -> dict[str, Any]:
    """The matrix with the share of each cell in its row; a picture where there are many classes."""
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    worst = [{"true": names[t], "predicted": names[p], "count": n, "share": float(shares[t, p])}
             for t, p, n in facts.confusions(matrix)]
    if len(names) > MOST_CLASSES:
        return {"picture": pictures.matrix(shares), "worst": worst}
    rows = [{"name": name, "cells": [{"count": int(c), "share": float(s), "right": i == j}
                                     for j, (c, s) in enumerate(zip(counts, row, strict=True))]}
            for i, (name, counts, row) in enumerate(zip(names, matrix, shares, strict=True))]
    return {"rows": rows, "worst": worst}


def classes(matrix: np.ndarray, names: list[str], predictions: dict[str, np.ndarray],
            suite: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The per-class table, with the recall under distortion and on the test where there is one."""
    stressed = recalls(suite["probabilities"], suite["label"]) if suite else [None] * len(names)
    tested: list[float | None] = [None] * len(names)
    if "test" in predictions and (predictions["test_labels"] >= 0).all():
        tested = recalls(predictions["test"], predictions["test_labels"])
    return [{"name": name, **row, "suite": s, "test": t} for name, row, s, t in
            zip(names, metrics.per_class(matrix, tuple(names)), stressed, tested, strict=True)]


def recalls(probabilities: np.ndarray, labels: np.ndarray) -> list[float | None]:
    """The recall of each class; None where it does not occur."""
    matrix = metrics.confusion(labels, probabilities.argmax(1), probabilities.shape[1])
    return [float(r / n) if n else None
            for r, n in zip(matrix.diagonal(), matrix.sum(1), strict=True)]


def reliability(p: np.ndarray, labels: np.ndarray, suite: dict[str, np.ndarray]) -> dict[str, Any]:
    sets = {"validation": (p, labels)}
    if suite:
        sets["suite"] = (suite["probabilities"], suite["label"])
    series = {kind: facts.reliability(*arrays) for kind, arrays in sets.items()}
    return {"figure": svg.reliability(series, metrics.BINS),
            "errors": {kind: metrics.calibration_error(*arrays) for kind, arrays in sets.items()}}


def suite_samples(images: np.ndarray, suite: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """For each family the operation that costs most, on one validation picture, weak to strong."""
    from harness.augment.operations import OPERATIONS

    costliest: dict[str, dict[str, Any]] = {}
    for row in facts.operations(suite, most=len(OPERATIONS)):
        if row["operation"] in OPERATIONS:
            costliest.setdefault(row["family"], row)
    strengths = np.array(STRENGTHS, "float32") / len(STRENGTHS)
    keys = np.zeros(len(strengths), np.uint64)
    found = []
    for i, row in enumerate(costliest.values()):
        picture = images[i % len(images)]
        weak_to_strong = OPERATIONS[row["operation"]].apply(
            np.repeat(picture[None], len(strengths), 0), strengths, keys)
        found.append({**row, "image": pictures.strip(np.concatenate([picture[None],
                                                                     weak_to_strong]))})
    return found


def seconds(stages: dict[str, float]) -> list[dict[str, Any]]:
    total = sum(stages.values()) or 1.0
    return [{"stage": k, "seconds": v, "share": v / total} for k, v in stages.items()]


def flat(record: dict[str, Any], skip: tuple[str, ...] = (), prefix: str = ""
         ) -> list[tuple[str, str]]:
    """A nested record as (path, words) lines."""
    lines: list[tuple[str, str]] = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += flat(value, skip, f"{prefix}{key}.")
        elif key not in skip:
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append((f"{prefix}{key}", words))
    return lines


def reproduce(config: dict[str, Any], runs: str = "runs") -> str:
    """The command that makes this run again; runs: where those are that it was made of."""
    if "members" in config:
        soup = "shares" not in config and str(config["protocol"]["name"]).startswith("soup of ")
        return command_line("soup" if soup else "ensemble", *config["members"], runs=runs)
    if "of" in config:
        return command_line("tta", config["of"], views=config["protocol"]["tta"], runs=runs)
    name, changed = changes(config["protocol"])
    fields = tuple(f"{field}={str(value).lower() if isinstance(value, bool) else value}"
                   for field, value in changed.items())
    return command_line(
        "zoo", data=config["data"]["provenance"], backbones=config["backbone"],
        **reading(config),
        weights="none" if config["weights"]["origin"] == "random" else None, protocol=name,
        set=fields, folds=config["folds"], seeds=config["seed"] + 1)


def changes(protocol: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The preset behind a recorded protocol, and the fields that were set otherwise."""
    from harness.protocol import PRESETS

    # What was given views afterwards is called "quick, flip".
    name = str(protocol["name"]).partition(",")[0].removesuffix("+")
    if name not in PRESETS:
        return name, {}
    preset = dataclasses.asdict(PRESETS[name])
    return name, {k: v for k, v in protocol.items() if k in preset and k != "name"
                  and v != preset[k]}
