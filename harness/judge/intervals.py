"""Intervals: what sampling adds, and what a few returned scores allow to promise."""

import math

import numpy as np

from harness.judge.metrics import LEVEL

RESAMPLES = 400
ENOUGH = round(LEVEL / (1 - LEVEL))  # scores that a distribution-free 90 % interval needs


def sampling_error(values: np.ndarray, source: np.ndarray, weight: np.ndarray | None = None
                   ) -> float:
    """The standard error of the (weighted) mean of ``values`` (m,), when sources are drawn anew.

    source (m,): which picture each value was made from; copies of one picture are drawn together,
    since they are right or wrong together.
    """
    weight = np.ones(len(values)) if weight is None else weight
    _, group = np.unique(source, return_inverse=True)
    total = np.bincount(group, weights=weight * values)
    whole = np.bincount(group, weights=weight)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(whole), np.full(len(whole), 1 / len(whole)), RESAMPLES)
    return float(np.std((drawn @ total) / np.maximum(drawn @ whole, 1e-12)))


def jackknife_plus(left_out: np.ndarray, new: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The 90 % jackknife+ interval (Barber et al., Annals of Statistics 49, 2021).

    left_out (n,): prediction of each calibration point by the fit without it; truth (n,): what it
    was; new (n,): each of these fits' prediction for the point in question. Raises ValueError for
    fewer than ENOUGH points, where the interval would be infinite.
    """
    n = len(truth)
    if n < ENOUGH:
        raise ValueError(f"a distribution-free 90 % interval needs {ENOUGH} points, not {n}")
    residual = np.abs(truth - left_out)
    low_rank = math.floor(round((1 - LEVEL) * (n + 1), 9))
    high_rank = math.ceil(round(LEVEL * (n + 1), 9))
    return (float(np.sort(new - residual)[max(low_rank, 1) - 1]),
            float(np.sort(new + residual)[high_rank - 1]))
