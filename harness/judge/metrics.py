"""What a set of predictions is worth, from probabilities and labels alone."""

from typing import Any

import numpy as np

BINS = 15         # of the calibration error
RESAMPLES = 2000  # of the bootstrap interval
LEVEL = 0.90      # of every interval in this program
SMALLEST = 1e-12  # a probability's floor under a logarithm


def metrics(probabilities: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]
            ) -> dict[str, Any]:
    """Accuracy with its 90 % bootstrap interval, calibration, and every class.

    probabilities: (n, K), rows sum to 1; labels: whole numbers (n,) in 0..K-1; n > 0. Rows of the
    confusion matrix are true classes, columns predicted ones. Precision, recall and F1 are 0 where
    nothing can be divided; macro F1 and the worst class (lowest recall, then lowest precision)
    look only at classes that occur. Raises ValueError for labels or shapes that don't fit.
    """
    p, y = checked(probabilities, labels, len(class_names))
    predicted = p.argmax(1)
    matrix = confusion(y, predicted, p.shape[1])
    low, high = bootstrap(predicted == y)
    classes = per_class(matrix, class_names)
    present = [c for c in classes if c["support"]]
    worst = min(present, key=lambda c: (c["recall"], c["precision"]))
    return {
        "n": len(y), "accuracy": float((predicted == y).mean()),
        "interval": {"low": low, "high": high, "level": LEVEL},
        "macro_f1": float(np.mean([c["f1"] for c in present])),
        "ece": calibration_error(p, y), "nll": nll(p, y),
        "worst_class": {k: worst[k] for k in ("name", "recall", "precision")},
        "per_class": classes, "confusion": matrix.tolist()}


def checked(probabilities: np.ndarray, labels: np.ndarray, classes: int
            ) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of numbers. Raises ValueError where they don't fit each other."""
    p, y = np.asarray(probabilities, float), np.asarray(labels).reshape(-1).astype("int64")
    if p.ndim != 2 or p.shape != (len(y), classes) or not len(y):
        raise ValueError(f"probabilities of shape {p.shape} for {len(y)} labels and {classes} "
                         "classes")
    if y.min() < 0 or y.max() >= classes or not np.isfinite(p).all():
        raise ValueError(f"labels {y.min()}..{y.max()} for {classes} classes, or probabilities "
                         "that are no numbers")
    return p, y


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 (K, K): how often each true class (row) was taken for each class (column)."""
    return np.bincount(labels * classes + predicted,
                       minlength=classes * classes).reshape(classes, classes)


def per_class(matrix: np.ndarray, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class of a confusion matrix."""
    right, true, taken = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    return [{"name": name, "precision": ratio(r, n), "recall": ratio(r, t),
             "f1": ratio(2 * r, t + n), "support": int(t)}
            for name, r, t, n in zip(names, right, true, taken, strict=True)]


def ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def bootstrap(right: np.ndarray) -> tuple[float, float]:
    """90 % percentile interval of a share, from ``right`` (n,) bool.

    Pictures are drawn with replacement; of a share that is a binomial draw.
    """
    n, rng = len(right), np.random.default_rng(0)
    shares = rng.binomial(n, right.mean(), RESAMPLES) / n
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error over bins of equal width (Guo et al., arXiv 1706.04599)."""
    top = probabilities.max(1)
    gap = (probabilities.argmax(1) == labels) - top
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, weights=gap, minlength=BINS)).sum() / len(labels))


def nll(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative log-likelihood of the labels, in nats."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, SMALLEST)).mean())
