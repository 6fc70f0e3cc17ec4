"""Suspected labels: pictures that other pictures of their class disown.

Confident learning (Northcutt, Jiang, Chuang: Confident Learning, 2021): every picture's
probabilities come from a model that hasn't seen it; a label is suspected where another class is
as probable as it is for pictures that carry that class' label. The model is ridge regression on
random Fourier features (Rahimi, Recht: Random features for large-scale kernel machines, 2007),
which takes seconds for tens of thousands of pictures.
"""

from typing import Any

import numpy as np

FOLDS = 5
WAVES = 768         # random features
RIDGE = 1e-3        # of the features' mean square
FEW = 5             # different pictures of each class; with fewer nothing can be learned


def suspected(described: np.ndarray, labels: np.ndarray, group: np.ndarray) -> list[dict[str, Any]]:
    """Suspected labels, the most suspect first: index, label, suggested, confidence (0..1).

    described: float (n, d); labels: int64 (n,); group: int64 (n,), pictures that are copies of
    each other. Empty where labels are missing or classes are too small.
    """
    kinds, codes = np.unique(labels, return_inverse=True)
    _, first = np.unique(group, return_index=True)
    different = np.bincount(codes[first], minlength=len(kinds))
    if (labels < 0).any() or len(kinds) < 2 or different.min() < FEW:
        return []
    shares = out_of_fold(described, codes, group)
    own = shares[np.arange(len(codes)), codes]
    usual = np.array([own[codes == k].mean() for k in range(len(kinds))])
    others = np.where(shares >= usual, shares, 0)
    others[np.arange(len(codes)), codes] = 0
    suggested = others.argmax(1)
    margin = others.max(1) - own
    order = [i for i in np.argsort(-margin, kind="stable") if margin[i] > 0]
    return [{"index": int(i), "label": int(labels[i]), "suggested": int(kinds[suggested[i]]),
             "confidence": round(float(margin[i]), 4)} for i in order]


def out_of_fold(described: np.ndarray, codes: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Probabilities float (n, k), each from a model that knows neither picture nor copies."""
    from harness.data.splits import folds

    waves = random_features(described)
    targets = np.eye(codes.max() + 1)[codes]
    scores = np.empty(targets.shape)
    parts = folds(codes, group, FOLDS, seed=0)
    whole = [(waves[held].T @ waves[held], waves[held].T @ targets[held]) for _, held in parts]
    gram, cross = sum(w[0] for w in whole), sum(w[1] for w in whole)
    ridge = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    for (_, held), (gram_held, cross_held) in zip(parts, whole, strict=True):
        scores[held] = waves[held] @ np.linalg.solve(gram - gram_held + ridge, cross - cross_held)
    return softened(scores, codes)


def random_features(described: np.ndarray) -> np.ndarray:
    """float64 (n, WAVES + d + 1): cosines of random mixtures of the columns, the columns brought to
    one scale, and a constant."""
    rng = np.random.default_rng(0)
    columns = described - described.mean(0)
    columns = np.clip(columns / (columns.std(0) + 1e-6), -4, 4)
    width = np.sqrt(columns.shape[1])
    mixed = columns @ rng.normal(0, 1 / width, (columns.shape[1], WAVES))
    waves = np.cos(mixed + rng.uniform(0, 2 * np.pi, WAVES))
    return np.concatenate([waves, columns / width, np.ones((len(columns), 1))], 1)


def softened(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Scores as probabilities, as sharp as makes the labels most likely."""
    best, found = np.inf, scores
    for sharpness in (1, 2, 4, 6, 8, 12, 16, 24):
        raised = np.exp(sharpness * (scores - scores.max(1, keepdims=True)))
        shares = raised / raised.sum(1, keepdims=True)
        loss = -np.log(shares[np.arange(len(codes)), codes] + 1e-12).mean()
        if loss < best:
            best, found = loss, shares
    return found
