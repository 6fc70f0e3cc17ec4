"""The target way: how many unlabelled target pictures a run gets right, judged by what all say.

For each run a logistic model is fitted on its stress suite: is a picture right, given the run's
own confidence and what the other runs say of the same picture? Its mean over the target's pictures
is the forecast. Agreement of different networks carries most of it: under distortion a network's
own confidence misleads, while others seldom make the same mistake (Jiang et al., arXiv 2106.13799;
Baek et al., arXiv 2206.13089). A run that shares its suite with no other is judged by confidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.augment import FAMILIES
from harness.judge.evidence import Evidence, design, same_suite
from harness.judge.forecast import Forecast, History
from harness.judge.forecast_blind import FEWEST, made
from harness.judge.hidden import expit, logit
from harness.judge.intervals import sampling_error
from zoo.errors import UserError

SMALLEST = 1e-4   # a probability's floor under a logarithm
PENALTY = 1.0     # of the logistic model, on standardized features
STEPS = 12        # of Newton's method, which is at rest after fewer
FLOOR = 0.1       # the least deviation on the logit scale that is believed
FAR = 0.15        # and what is added for each unit of the logit scale between suite and target
SEVERAL = "agreement of {n} runs means on the target what it means under known distortions"
ALONE = "the run's confidence means on the target what it means under known distortions"


@dataclass(frozen=True)
class Target:
    """From the suite and unlabelled pictures. Raises UserError where there are no pictures, or a
    run's target has other classes than its suite."""

    name: str = "target"

    def informed(self, history: History, target: Mapping[str, np.ndarray] | None) -> bool:
        return target is not None

    def __call__(self, evidence: Sequence[Evidence], history: History = (),
                 target: Mapping[str, np.ndarray] | None = None) -> list[Forecast]:
        said = {e.name: checked(e, target or {}) for e in evidence}
        groups: list[list[Evidence]] = []
        for e in evidence:
            home = next((g for g in groups if same_suite([g[0], e])), None)
            groups.append([e]) if home is None else home.append(e)
        made_by_run = {f.run: f for group in groups for f in self.group(group, said)}
        return [made_by_run[e.name] for e in evidence]

    def group(self, group: list[Evidence], said: Mapping[str, np.ndarray]) -> list[Forecast]:
        """Runs that were judged on the same suite."""
        suite = features(np.stack([e.probabilities for e in group]))
        target = features(np.stack([said[e.name] for e in group]))
        expected = [estimate(s, e.right, t) for s, e, t in zip(suite, group, target, strict=True)]
        errors = [family_errors(s, e) for s, e in zip(suite, group, strict=True)]
        spread = max(FLOOR, float(np.sqrt(np.mean(np.concatenate(errors) ** 2))))
        words = SEVERAL.format(n=len(group)) if len(group) > 1 else ALONE
        return [self.one(e, p, spread, len(t), words)
                for e, p, t in zip(group, expected, target, strict=True)]

    def one(self, evidence: Evidence, p: np.ndarray, spread: float, n: int, words: str
            ) -> Forecast:
        mean = float(logit(p.mean()))
        steep = 1 / float(expit(mean) * (1 - expit(mean)))
        chance = np.sqrt((p * (1 - p)).sum()) / n  # of these pictures, given their probabilities
        sampling = np.hypot(sampling_error(evidence.right, evidence.source), chance) * steep
        far = FAR * abs(mean - float(logit(evidence.plain, len(evidence.label))))
        deviation = float(np.sqrt(spread ** 2 + far ** 2 + sampling ** 2))
        return made(self.name, evidence, mean, deviation, float(sampling), words)


def checked(evidence: Evidence, target: Mapping[str, np.ndarray]) -> np.ndarray:
    """The run's probabilities on the target."""
    said = target.get(evidence.name)
    if said is None or not len(said):
        raise UserError("The target holds no picture, so nothing can be forecast on it.")
    if said.shape[1] != evidence.probabilities.shape[1]:
        raise UserError(f"{evidence.name} gives {said.shape[1]} classes on the target and "
                        f"{evidence.probabilities.shape[1]} on its suite.")
    return said


def features(probabilities: np.ndarray) -> np.ndarray:
    """float (M, n, f): what the runs' probabilities (M, n, K) say of each run's predictions.

    Of the run itself: log-odds of its class, its margin to the second, entropy. Of the others,
    where there are any: their mean probability of that class (of shares, and of logarithms), the
    share that votes for it, their mean probability of the best other class, and their entropy.
    """
    p = np.clip(probabilities.astype(float), SMALLEST, 1)
    runs, n, classes = p.shape
    log, top = np.log(p), p.argmax(2)
    ranked = np.sort(log, axis=2)
    own = np.stack([logit(np.take_along_axis(p, top[..., None], 2)[..., 0]),
                    ranked[..., -1] - ranked[..., max(-2, -classes)], -(p * log).sum(2)], axis=2)
    if runs == 1:
        return own
    votes = np.eye(classes)[top].sum(0)
    rows, parts = np.arange(n), []
    for m in range(runs):
        others = (p.sum(0) - p[m]) / (runs - 1)
        logs = (log.sum(0) - log[m]) / (runs - 1)
        logs = logs - np.log(np.exp(logs).sum(1, keepdims=True))
        rest = others.copy()
        rest[rows, top[m]] = 0
        parts.append(np.column_stack([
            own[m], logit(others[rows, top[m]]), logs[rows, top[m]],
            (votes[rows, top[m]] - 1) / (runs - 1), np.log(np.maximum(rest.max(1), SMALLEST)),
            -(others * np.log(others)).sum(1)]))
    return np.stack(parts)


def estimate(known: np.ndarray, right: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Probability (n,) that each of ``unknown`` (n, f) is right, learned from ``known`` (m, f) of
    which ``right`` (m,) says it: a logistic model with a ridge, by Newton's method."""
    mean, scale = known.mean(0), known.std(0) + 1e-9
    x = np.column_stack([(known - mean) / scale, np.ones(len(known))])
    ridge = PENALTY * np.eye(x.shape[1])
    ridge[-1, -1] = 1e-3
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = expit(np.clip(x @ weights, -15, 15))
        slope = x.T @ (p - right) + ridge @ weights
        weights = weights - np.linalg.solve((x.T * (p * (1 - p) + 1e-6)) @ x + ridge, slope)
    z = np.column_stack([(unknown - mean) / scale, np.ones(len(unknown))])
    return expit(np.clip(z @ weights, -15, 15))


def family_errors(known: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Errors on the logit scale when each family in turn is forecast from all others; the part
    that the few pictures of a family explain is taken off. Empty where no family has enough."""
    member = design(evidence.operation, evidence.strength, FAMILIES)[:, 2:] > 0
    found = []
    for rows in member.T:
        if rows.sum() < FEWEST or (~rows).sum() < FEWEST:
            continue
        p = estimate(known[~rows], evidence.right[~rows], known[rows])
        truth, n = evidence.right[rows].mean(), int(rows.sum())
        error = float(logit(p.mean(), n) - logit(truth, n))
        chance = np.sqrt((p * (1 - p)).sum()) / n / max(truth * (1 - truth), 1 / n)
        found.append(np.sign(error) * np.sqrt(max(error ** 2 - chance ** 2, 0.0)))
    return np.array(found)
