"""The numbers of a run's section, computed from its arrays alone."""

import base64
from typing import Any

import numpy as np

from harness.judge.metrics import BINS
from harness.judge.suite import SEED, STRENGTHS
from harness.runs import Run
from zoo.files import content_hash

CURVE_POINTS = 120  # longer learning curves are thinned out to this
CURVES = ("train_loss", "validation_loss", "augmented_loss", "validation_accuracy",
          "augmented_accuracy")


def confusions(matrix: np.ndarray, most: int = 5) -> list[tuple[int, int, int]]:
    """(true, predicted, count) of the commonest mistakes."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [(int(i // len(matrix)), int(i % len(matrix))) for i in order]
    return [(t, p, int(wrong[t, p])) for t, p in pairs if wrong[t, p]]


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> list[dict[str, float]]:
    """The bins of a reliability diagram that hold pictures: mean confidence, accuracy, share."""
    top = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    which = np.minimum((top * BINS).astype(int), BINS - 1)
    return [{"confidence": float(top[rows].mean()), "accuracy": float(right[rows].mean()),
             "share": float(rows.mean())} for b in range(BINS) if (rows := which == b).any()]


def family(operation: str) -> str:
    """The family of an operation's name; "several" for a composition."""
    from harness.augment.operations import OPERATIONS

    if "+" in operation:
        return "several"
    return OPERATIONS[operation].family if operation in OPERATIONS else operation


def heat_map(suite: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """One row a family: accuracy at each strength (None: no picture), over all, and how many."""
    right = suite["probabilities"].argmax(1) == suite["label"]
    families = np.array([family(str(o)) for o in suite["operation"]])
    rows = []
    for name in dict.fromkeys(families):
        mine = families == name
        held = bool(suite["held_out"][mine].all())
        strengths = [_mean(right[mine & (suite["strength"] == s)]) for s in STRENGTHS]
        rows.append({"family": str(name), "strengths": strengths, "all": float(right[mine].mean()),
                     "n": int(mine.sum()), "held_out": held})
    return sorted(rows, key=lambda r: (r["family"] != "clean", r["all"]))


def operations(suite: dict[str, np.ndarray], most: int = 5) -> list[dict[str, Any]]:
    """The single operations that cost most."""
    right = suite["probabilities"].argmax(1) == suite["label"]
    rows: list[dict[str, Any]] = []
    for name in np.unique(suite["operation"]):
        mine = suite["operation"] == name
        if name != "clean" and "+" not in str(name):
            rows.append({"operation": str(name), "family": family(str(name)),
                         "accuracy": float(right[mine].mean()), "n": int(mine.sum()),
                         "held_out": bool(suite["held_out"][mine].any())})
    return sorted(rows, key=lambda r: r["accuracy"])[:most]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def curves(run: Run) -> list[dict[str, Any]]:
    """Each stage's learning curves: title, and a line (x, y) for each fold and kind."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for fold in run.history:
        for stage, record in fold.items():
            if record.get("epochs"):
                stages.setdefault(stage, []).append(record)
    found = []
    for stage, records in sorted(stages.items()):
        lines = {kind: [_line(r["epochs"], kind) for r in records] for kind in CURVES}
        found.append({"stage": stage, "lines": lines, "best": [r["best"] for r in records],
                      "epochs": max(len(r["epochs"]) for r in records)})
    return found


def _line(epochs: list[dict[str, Any]], kind: str) -> list[tuple[float, float]]:
    step = -(-len(epochs) // CURVE_POINTS)
    points = [(e["epoch"], e.get(kind)) for e in epochs[::step]]
    return [(x, y) for x, y in points if isinstance(y, int | float) and np.isfinite(y)]


def mistakes(predictions: dict[str, np.ndarray], sample: dict[str, np.ndarray], most: int = 12
             ) -> list[dict[str, Any]]:
    """The kept validation pictures that were wrong with the greatest confidence.

    Each: "image" uint8 (H, W, 3), "true" and "predicted" class, "confidence", and the picture's
    place in the cleaned data set, "index".
    """
    position = sample["position"]
    p = predictions["validation"][position]
    true, predicted = predictions["validation_labels"][position], p.argmax(1)
    wrong = np.flatnonzero(true != predicted)
    worst = wrong[np.argsort(-p[wrong].max(1), kind="stable")][:most]
    return [{"image": sample["images"][i], "true": int(true[i]), "predicted": int(predicted[i]),
             "confidence": float(p[i].max()),
             "index": int(predictions["validation_index"][position[i]])} for i in worst]


def fooled(suite: dict[str, np.ndarray], predictions: dict[str, np.ndarray],
           sample: dict[str, np.ndarray], most: int = 12) -> list[dict[str, Any]]:
    """The distorted pictures that were wrong with the greatest confidence, drawn once more.

    Only those whose origin is kept with the run. Keys as in :func:`mistakes`, and "operation",
    "strength".
    """
    p, true = suite["probabilities"], suite["label"]
    place = {int(predictions["validation_index"][at]): (i, int(at))
             for i, at in enumerate(sample["position"])}
    predicted = p.argmax(1)
    wrong = [r for r in np.flatnonzero((predicted != true) & (suite["strength"] > 0))
             if int(suite["source"][r]) in place]
    worst = sorted(wrong, key=lambda r: -p[r].max())[:most]
    pictures = suite_pictures(suite, np.array(worst, int),
                              [place[int(suite["source"][r])] for r in worst], sample["images"])
    return [{"image": image, "true": int(true[r]), "predicted": int(predicted[r]),
             "confidence": float(p[r].max()), "operation": str(suite["operation"][r]),
             "strength": int(suite["strength"][r])}
            for r, image in zip(worst, pictures, strict=True)]


def suite_pictures(suite: dict[str, np.ndarray], rows: np.ndarray, places: list[tuple[int, int]],
                   images: np.ndarray) -> np.ndarray:
    """The suite's pictures of ``rows``, drawn as ``make_suite`` drew them.

    places: of each row the positions of its origin in ``images`` and in the validation pictures.
    """
    from harness.augment import draws
    from harness.judge.suite import distort

    if not places:
        return images[:0]
    kept, position = np.array(places).T
    keys = draws.key(SEED, position, rows)
    return distort(images[kept].copy(), suite["operation"][rows], suite["strength"][rows], keys)


def paired(run: Run, predictions: dict[str, np.ndarray]) -> dict[str, str]:
    """Which validation pictures were right, as base64 bits in the order of their index.

    Two runs can be compared picture by picture where their "pictures" are equal.
    """
    order = np.argsort(predictions["validation_index"], kind="stable")
    labels = predictions["validation_labels"]
    right = (predictions["validation"].argmax(1) == labels)[order]
    pictures = content_hash(predictions["validation_index"][order], labels[order])[:16]
    return {"pictures": f"{run.config['data']['hash'][:16]}-{pictures}", "n": str(len(right)),
            "right": base64.b64encode(np.packbits(right).tobytes()).decode()}


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided McNemar test: how often chance alone parts two runs by so much.

    only_a, only_b: pictures that only the one got right. McNemar, Psychometrika 12, 1947.
    """
    from scipy.stats import binomtest

    n = only_a + only_b
    return 1.0 if n == 0 else float(binomtest(only_a, n).pvalue)
