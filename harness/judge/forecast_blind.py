"""The blind way: what the suite says, and how far hidden tests stray from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.augment import FAMILIES
from harness.judge import hidden, pairs
from harness.judge.evidence import Evidence, design, same_suite
from harness.judge.forecast import Forecast, History
from harness.judge.hidden import expit, logit
from harness.judge.intervals import sampling_error
from harness.judge.pairs import Z90

# Deviation on the logit scale of one run's score about what the suite and the test's overall
# harshness say: unseen operations suit one network better than another.
OWN = 0.15
UNSEEN = 2.0  # families unknown to the suite that a hidden test's effect is a mean over
FEWEST = 20   # pictures of a family that tell how a run takes it
# Accuracies are kept half a picture of so many away from 0 and 1, however large the suite is: there
# the logit's slope is without bound, and a run without a mistake would promise less than others.
FINEST = 100
ASSUMES = ("the hidden test stacks one to four distortions of known families; its harshness is "
           "known only from other teams' published scores")


@dataclass(frozen=True)
class Prior:
    """What is believed of all runs' hidden scores at once, on the logit scale, before any returns:
    mean (M,), covariance (M, M), and of each run the variance (M,) that the suite's size adds."""

    mean: np.ndarray
    covariance: np.ndarray
    sampling: np.ndarray


def prior(evidence: Sequence[Evidence]) -> Prior:
    """The runs' accuracies over simulated hidden tests, moved and widened as published pairs say.

    All runs meet the same simulated tests, so a test that is hard for one is so for others.
    """
    theta = hidden.imagine()
    outcomes = logit(hidden.accuracies(evidence, theta), FINEST)
    accuracy = expit(outcomes.mean(1))
    steep = 1 / (accuracy * (1 - accuracy))  # of the logit
    errors = np.array([sampling_error(e.right, e.source, hidden.expected(e)) for e in evidence])
    sampling = (errors * steep) ** 2
    offset, spread = (2 * np.sqrt(steep) * x for x in pairs.level())
    covariance = (np.atleast_2d(np.cov(outcomes)) + np.outer(spread, spread)
                  + across_families(evidence) / UNSEEN
                  + OWN ** 2 * likeness(evidence) + np.diag(sampling))
    return Prior(outcomes.mean(1) + offset, covariance, sampling)


def across_families(evidence: Sequence[Evidence]) -> np.ndarray:
    """(M, M): covariance, over the families of distortions, of the runs' logits on each.

    What a family does to a run says what one that the suite lacks may do to it, and how alike
    others would take it.
    """
    found = []
    for e in evidence:
        member = design(e.operation, e.strength, FAMILIES)[:, 2:] > 0
        found.append([logit(e.right[rows].mean(), min(FINEST, rows.sum())) if rows.sum() >= FEWEST
                      else np.nan for rows in member.T])
    logits = np.array(found)
    logits = logits[:, np.isfinite(logits).all(0)]
    if logits.shape[1] < 2:
        return np.zeros((len(evidence), len(evidence)))
    return np.atleast_2d(np.cov(logits))


def likeness(evidence: Sequence[Evidence]) -> np.ndarray:
    """(M, M): how alike the runs' mistakes are, beyond what is hard for all of them.

    Runs that fail on the same pictures of the suite will on the same unseen operations. 1 on the
    diagonal; 0 between runs that were judged on different suites.
    """
    if len(evidence) < 3 or not same_suite(list(evidence)):
        return np.eye(len(evidence))
    right = np.stack([e.right for e in evidence])
    own = right - right.mean(0)
    scale = np.sqrt((own ** 2).mean(1)) + 1e-9
    alike = (own @ own.T) / own.shape[1] / np.outer(scale, scale)
    np.fill_diagonal(alike, 1.0)
    return alike


@dataclass(frozen=True)
class Blind:
    """From the suite alone; the interval is wide, for nothing is known of the hidden test."""

    name: str = "blind"

    def informed(self, history: History, target: Mapping[str, np.ndarray] | None) -> bool:
        return True

    def __call__(self, evidence: Sequence[Evidence], history: History = (),
                 target: Mapping[str, np.ndarray] | None = None) -> list[Forecast]:
        believed = prior(evidence)
        deviation = np.sqrt(believed.covariance.diagonal())
        return [made(self.name, e, m, d, s, ASSUMES) for e, m, d, s in zip(
            evidence, believed.mean, deviation, np.sqrt(believed.sampling), strict=True)]


def made(way: str, evidence: Evidence, mean: float, deviation: float, sampling: float,
         assumes: str) -> Forecast:
    """A forecast from a mean and deviations on the logit scale, with the suite's own figures."""
    low, centre, high = (float(expit(mean + z * deviation)) for z in (-Z90, 0, Z90))
    known = evidence.distorted & ~evidence.held_out
    return Forecast(evidence.name, way, centre, low, high,
                    float(Z90 * sampling * centre * (1 - centre)), assumes,
                    {"suite": evidence.plain, "held_out": evidence.share(evidence.held_out),
                     "trained_on": evidence.share(known)})
