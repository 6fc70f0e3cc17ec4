"""The history way: returned scores say what the hidden test is like.

The blind way's belief about all runs at once is conditioned on the scores that came back. What the
runs' errors share (harshness, preferred families) is learned from few scores; what they do not
share stays in the interval. With a single score little more than the level moves: there are never
more weights than the history supports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.judge.evidence import Evidence
from harness.judge.forecast import Forecast, History
from harness.judge.forecast_blind import Prior, made, prior
from harness.judge.hidden import expit, logit
from harness.judge.intervals import ENOUGH, jackknife_plus

SLOPE = 0.2      # deviation of the slope between what the suite says and what returns
PICTURES = 1000  # hidden pictures behind a returned score, for its own sampling error
FEW = ("the hidden test is a mixture of known families; the interval is the blind prior's, shrunk "
       "by {n} returned score{s}")
NONE = "no other run's score has returned, so its middle is the blind forecast's"
MANY = "the runs in question are like those whose scores returned; jackknife+ over {n} scores"


@dataclass(frozen=True)
class Returned:
    """From the suite and the scores that came back.

    A run whose own score returned is forecast from the others', so that its error says something.
    """

    name: str = "history"

    def informed(self, history: History, target: Mapping[str, np.ndarray] | None) -> bool:
        return bool(history)

    def __call__(self, evidence: Sequence[Evidence], history: History = (),
                 target: Mapping[str, np.ndarray] | None = None) -> list[Forecast]:
        return self.given(with_slope(prior(evidence)), evidence, history)

    def given(self, believed: Prior, evidence: Sequence[Evidence], history: History
              ) -> list[Forecast]:
        """The same from a prior that is at hand."""
        names = [e.name for e in evidence]
        known = {names.index(run): score for run, score in history if run in names}
        return [self.one(i, e, believed, known) for i, e in enumerate(evidence)]

    def one(self, i: int, evidence: Evidence, believed: Prior, known: Mapping[int, float]
            ) -> Forecast:
        others = {j: score for j, score in known.items() if j != i}
        mean, variance = condition(believed, i, others)
        words = FEW.format(n=len(others), s="" if len(others) == 1 else "s") if others else NONE
        result = made(self.name, evidence, mean, float(np.sqrt(variance)),
                      float(np.sqrt(believed.sampling[i])), words)
        if len(others) < ENOUGH:
            return result
        low, high = jackknife(believed, i, others)
        return replace(result, low=min(low, result.forecast), high=max(high, result.forecast),
                       assumes=MANY.format(n=len(others)))


def with_slope(believed: Prior) -> Prior:
    """The prior where, too, good and bad runs may lie closer together or further apart."""
    apart = believed.mean - believed.mean.mean()
    return Prior(believed.mean, believed.covariance + SLOPE ** 2 * np.outer(apart, apart),
                 believed.sampling)


def condition(believed: Prior, i: int, known: Mapping[int, float]) -> tuple[float, float]:
    """Mean and variance of run ``i``'s logit, given the scores of the runs ``known``."""
    if not known:
        return float(believed.mean[i]), float(believed.covariance[i, i])
    j = list(known)
    scores = np.array(list(known.values()))
    p = np.clip(scores, 0.5 / PICTURES, 1 - 0.5 / PICTURES)
    noise = np.diag(1 / (PICTURES * p * (1 - p)))
    gain = np.linalg.solve(believed.covariance[np.ix_(j, j)] + noise, believed.covariance[j, i])
    mean = believed.mean[i] + gain @ (logit(scores, PICTURES) - believed.mean[j])
    variance = believed.covariance[i, i] - gain @ believed.covariance[j, i]
    return float(mean), float(max(variance, 0.0))


def jackknife(believed: Prior, i: int, known: Mapping[int, float]) -> tuple[float, float]:
    """The 90 % jackknife+ interval of run ``i``'s accuracy."""
    left_out, new = [], []
    for j in known:
        rest = {k: score for k, score in known.items() if k != j}
        left_out.append(float(expit(condition(believed, j, rest)[0])))
        new.append(float(expit(condition(believed, i, rest)[0])))
    low, high = jackknife_plus(np.array(left_out), np.array(new), np.array(list(known.values())))
    return max(low, 0.0), min(high, 1.0)
