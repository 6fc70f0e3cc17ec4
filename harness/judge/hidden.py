"""What a hidden test may look like: a re-weighting of the stress suite, and how much we know of it.

A hidden test is taken to stack one to four known operations. Which families it prefers, how deep
it stacks and how strong it is are unknown; each simulated test draws them anew. All runs meet the
same simulated tests, so what the tests have in common shows in all runs' accuracies together.
"""

from collections.abc import Sequence

import numpy as np

from harness.augment import FAMILIES
from harness.judge.evidence import Evidence, design

# Shares of hidden pictures under 1, 2, 3 and 4 operations, before anything is known. Contests say
# "one or two distortions" as well as "several stacked".
DEPTHS = (0.4, 0.3, 0.2, 0.1)
# Deviations of a simulated test's log-weights: by depth, by strength, by family.
BY_DEPTH, BY_STRENGTH, BY_FAMILY = 0.3, 0.3, 0.7
LEAN = 2.0  # how much more a picture counts that was distorted in a way training never showed
FEW = 50     # a depth with fewer pictures than this counts for less, for its accuracy is uncertain
TESTS = 300  # simulated, always the same ones


def imagine() -> np.ndarray:
    """float (TESTS, 2 + families): the log-weights that simulated hidden tests put on a design."""
    rng = np.random.default_rng([0, TESTS])
    scale = np.r_[BY_DEPTH, BY_STRENGTH, np.full(len(FAMILIES), BY_FAMILY)]
    return rng.normal(0, 1, (TESTS, len(scale))) * scale


def expected(evidence: Evidence) -> np.ndarray:
    """Weights (m,), sum 1, of the suite's rows in the hidden test that is expected beforehand."""
    weight = np.where(evidence.held_out, LEAN, 1.0) * evidence.distorted
    for depth, share in enumerate(DEPTHS, 1):
        rows = evidence.depth == depth
        count = rows.sum()
        weight[rows] *= share * count / (count + FEW) / max(weight[rows].sum(), 1e-9)
    return weight / weight.sum()


def accuracies(evidence: Sequence[Evidence], theta: np.ndarray) -> np.ndarray:
    """Accuracy (M, S) of each run on each of the simulated tests ``theta`` (S, p)."""
    tilts: dict[tuple[bytes, bytes], np.ndarray] = {}  # of each suite, how tests weigh its rows
    found = []
    for e in evidence:
        suite = (e.operation.tobytes(), e.strength.tobytes())
        if suite not in tilts:
            log = theta @ design(e.operation, e.strength, FAMILIES).T
            tilts[suite] = np.exp(log - log.max(1, keepdims=True))
        weight = expected(e)
        found.append(tilts[suite] @ (weight * e.right) / (tilts[suite] @ weight))
    return np.stack(found)


def logit(p: np.ndarray | float, n: int | None = None) -> np.ndarray:
    """log(p / (1 - p)), finite: shares are kept half a picture of ``n`` away from 0 and 1."""
    edge = 0.5 / n if n else 1e-3
    q = np.clip(np.asarray(p, float), edge, 1 - edge)
    return np.log(q / (1 - q))


def expit(x: np.ndarray | float) -> np.ndarray:
    """The share whose logit is x."""
    return 1 / (1 + np.exp(-np.asarray(x, float)))
