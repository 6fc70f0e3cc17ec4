"""The study behind `make bench-forecast`: every way and every baseline on every world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge import forecast
from harness.judge.evidence import Evidence
from harness.judge.forecast_blind import Prior, prior
from harness.judge.forecast_history import Returned, with_slope
from harness.judge.hidden import expit, logit

DRAWS = 5        # sets of returned scores tried in each world
RESAMPLES = 1000
RETURNED = (1, 3, 9)
RIDGE = 0.05     # of a mean variance: two dozen worlds don't tell the covariance of 16 networks


@dataclass(frozen=True)
class Case:
    """One world: the rows of the suite (m,) that may be seen, what each run says of the world's
    pictures (n, K), and their labels (n,)."""

    name: str
    visible: np.ndarray
    probabilities: tuple[np.ndarray, ...]
    labels: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """Accuracy of each run."""
        return np.array([(p.argmax(1) == self.labels).mean() for p in self.probabilities])


@dataclass(frozen=True)
class Guess:
    """Forecasts of some runs in one world: what was true, expected, and the interval if any."""

    world: str
    truth: np.ndarray
    expected: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def regret(self) -> float:
        """What is lost by the run that is chosen: by the lower end, where there is one."""
        chosen = (self.expected if self.low is None else self.low).argmax()
        return float(self.truth.max() - self.truth[chosen])


def of_forecasts(world: str, truth: np.ndarray, made: Sequence[forecast.Forecast]) -> Guess:
    return Guess(world, truth, *(np.array([getattr(f, key) for f in made])
                                 for key in ("forecast", "low", "high")))


def guesses(evidence: Sequence[Evidence], cases: Sequence[Case]) -> dict[str, list[Guess]]:
    """Every method's guesses. Baselines that are fitted never see the world that they guess.

    "nothing hidden": from the whole suite, as where the hidden test's families are known ones.
    """
    truths = np.stack([c.truth for c in cases])
    validation = np.array([e.validation for e in evidence])
    found: dict[str, list[Guess]] = {}
    whole, believed_whole = forecast.blind(evidence), with_slope(prior(evidence))
    for i, case in enumerate(cases):
        seen = [e.only(case.visible) for e in evidence]
        rest = np.delete(truths, i, axis=0)
        for name, expected in baselines(validation, rest, seen).items():
            found.setdefault(name, []).append(Guess(case.name, truths[i], expected))
        said = {e.name: p for e, p in zip(seen, case.probabilities, strict=True)}
        made_by_way = {"blind": forecast.blind(seen), "blind, nothing hidden": whole,
                       "target": forecast.target(seen, said)}
        for name, made in made_by_way.items():
            found.setdefault(name, []).append(of_forecasts(case.name, truths[i], made))
        beliefs = {"history, {} returned": with_slope(prior(seen)),
                   "history, {} returned, nothing hidden": believed_whole,
                   "bound: history, {} returned": other_worlds(rest)}
        for name, believed in beliefs.items():
            for count in (c for c in RETURNED if c < len(seen) - 1):
                rng = np.random.default_rng([i, count])  # the same scores for every belief
                found.setdefault(name.format(count), []).extend(
                    histories(believed, seen, case.name, truths[i], count, rng))
    return found


def other_worlds(rest: np.ndarray) -> Prior:
    """The belief of somebody who was told every run's accuracy (worlds, runs) in other worlds."""
    logits = logit(rest)
    covariance = np.atleast_2d(np.cov(logits.T))
    ridge = RIDGE * covariance.diagonal().mean() * np.eye(len(covariance))
    return Prior(logits.mean(0), covariance + ridge, np.zeros(len(covariance)))


def histories(believed: Prior, seen: Sequence[Evidence], world: str, truth: np.ndarray,
              count: int, rng: np.random.Generator) -> list[Guess]:
    """Guesses of the runs whose score did not return, for some choices of those that did."""
    found = []
    for _ in range(DRAWS):
        returned = rng.choice(len(seen), count, replace=False)
        scores = [(seen[j].name, float(truth[j])) for j in returned]
        made = Returned().given(believed, seen, scores)
        rest = np.setdiff1d(np.arange(len(seen)), returned)
        found.append(of_forecasts(world, truth[rest], [made[j] for j in rest]))
    return found


def baselines(validation: np.ndarray, rest: np.ndarray, seen: Sequence[Evidence]
              ) -> dict[str, np.ndarray]:
    """The four: test = validation, a line and a logit line through the other worlds, and the suite
    as it is. And a bound: each network's median over the other worlds, which no forecast that knows
    nothing of this world can be expected to beat."""
    x = np.tile(validation, len(rest))
    straight = np.polyfit(x, rest.ravel(), 1)
    bent = np.polyfit(logit(x), logit(rest.ravel()), 1)
    return {"test = validation": validation, "line": np.polyval(straight, validation),
            "logit line": expit(np.polyval(bent, logit(validation))),
            "plain suite": np.array([e.plain for e in seen]),
            "bound: own median": np.median(rest, 0)}


def summary(made: Sequence[Guess]) -> dict[str, float | None]:
    """Mean absolute error (points), coverage, rank correlation and regret, with standard errors
    of the first two from worlds drawn anew."""
    worlds = sorted({g.world for g in made})
    by_world = [[g for g in made if g.world == w] for w in worlds]
    error, error_se = blocks(by_world, lambda g: 100 * np.abs(g.expected - g.truth))
    ranks = [rank_correlation(g.expected, g.truth) for g in made]
    result: dict[str, float | None] = {
        "mae": error, "mae_se": error_se, "pairs": float(sum(len(g.truth) for g in made)),
        "spearman": float(np.mean(ranks)),
        "regret": 100 * float(np.mean([g.regret for g in made])), "coverage": None,
        "coverage_se": None, "width": None}
    if made[0].low is not None:
        result["coverage"], result["coverage_se"] = blocks(by_world, covered)
        result["width"] = 100 * float(np.mean([np.mean(g.high - g.low) for g in made]))
    return result


def covered(g: Guess) -> np.ndarray:
    return 100.0 * ((g.low <= g.truth) & (g.truth <= g.high))


def blocks(by_world: Sequence[Sequence[Guess]], value: Callable[[Guess], np.ndarray]
           ) -> tuple[float, float]:
    """Mean of a value over all guesses, and its standard error with worlds drawn anew."""
    sums = np.array([[sum(value(g).sum() for g in w), sum(len(g.truth) for g in w)]
                     for w in by_world], float)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), RESAMPLES) @ sums
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float((drawn[:, 0] / drawn[:, 1]).std())


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's; 0 where one side is constant."""
    from scipy.stats import rankdata

    x, y = rankdata(a), rankdata(b)
    return 0.0 if x.std() == 0 or y.std() == 0 else float(np.corrcoef(x, y)[0, 1])
