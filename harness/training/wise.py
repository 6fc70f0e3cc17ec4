"""WiSE-FT: a point on the line between the weights before and after fine-tuning.

Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903. The point is chosen
by the same loss as the epochs are, on validation pictures untouched and augmented.
"""

import numpy as np

from harness.training.sources import Source
from harness.training.stages import Learner, Stage, Task, Trained, Weights
from zoo.graph import Graph

POINTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # 0: before, 1: after


def interpolate(before: Weights, after: Weights, share: float) -> Weights:
    """``before`` at 0 and ``after`` at 1, both exactly."""
    if share in (0.0, 1.0):
        return dict(after if share else before)
    return {k: (1 - share) * before[k] + share * after[k] for k in after}


def between(graph: Graph, tuned: Trained, source: Source, task: Task, stage: Stage, views: int
            ) -> Trained:
    """The best point between the weights in ``graph`` and the tuned ones."""
    learner = Learner(graph, task, stage)
    before = {k: graph.arrays[k] for k in tuned.weights}
    losses = []
    for share in POINTS:
        learner.set_weights(interpolate(before, tuned.weights, share))
        losses.append(learner.judge(source, views)[0])
    best = POINTS[int(np.argmin(losses))]
    kept = interpolate(before, tuned.weights, best)
    return Trained(kept, tuned.history, tuned.best, best)
