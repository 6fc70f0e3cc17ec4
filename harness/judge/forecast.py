"""Forecasts of a hidden test's accuracy: three ways with one interface.

A way takes the runs' suites (``Evidence``), the scores that came back, and, where somebody has
them, what the runs say of unlabelled target pictures; it gives one ``Forecast`` a run. Numpy in,
numpy out: no store is needed.

    blind      from the suite alone
    history    from the suite and returned scores
    target     from the suite and unlabelled pictures of the target
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.judge.evidence import Evidence, of_run

if TYPE_CHECKING:
    from harness.runs import Run

History = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Forecast:
    """Expected accuracy (0..1) of one run with its 90 % interval.

    sampling: the half-width of the interval if only the suite's size were in doubt; assumes: what
    the number rests on, in words; facts: further numbers to show.
    """

    run: str
    way: str
    forecast: float
    low: float
    high: float
    sampling: float
    assumes: str
    facts: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Plain data for JSON."""
        flat = asdict(self)
        return {**{k: v for k, v in flat.items() if k != "facts"}, **self.facts}


class Way(Protocol):
    """What every way offers. ``target``: name of a run -> its probabilities (n, K)."""

    @property
    def name(self) -> str: ...

    def informed(self, history: History, target: Mapping[str, np.ndarray] | None) -> bool:
        """Whether there is what it goes by beside the suites."""
        ...

    def __call__(self, evidence: Sequence[Evidence], history: History = (),
                 target: Mapping[str, np.ndarray] | None = None) -> list[Forecast]: ...


def ways() -> dict[str, Way]:
    """All ways by name, the one that knows least first. A new way is a new row."""
    from harness.judge.forecast_blind import Blind
    from harness.judge.forecast_history import Returned
    from harness.judge.forecast_target import Target

    return {way.name: way for way in (Blind(), Returned(), Target())}


def blind(evidence: Sequence[Evidence]) -> list[Forecast]:
    """One forecast a run, from its suite alone."""
    return ways()["blind"](evidence)


def history(evidence: Sequence[Evidence], returned: History) -> list[Forecast]:
    """One forecast a run, from the suite and the (run, score) pairs that came back."""
    return ways()["history"](evidence, returned)


def target(evidence: Sequence[Evidence], probabilities: Mapping[str, np.ndarray]
           ) -> list[Forecast]:
    """One forecast a run, from the suite and what the runs say of the target's pictures."""
    return ways()["target"](evidence, (), probabilities)


def forecast_runs(runs: Sequence["Run"], history: History = (), target: np.ndarray | None = None
                  ) -> list[dict[str, Any]]:
    """Records of forecasts of ``harness.runs.Run``s on one data set, the best-informed way first.

    history: (run, returned score) pairs; target: unlabelled pictures uint8 (n, H, W, 3). A run
    without a usable suite gets no forecast.
    """
    evidence = [e for e in map(of_run, runs) if e is not None]
    if not evidence:
        return []
    known = {e.name for e in evidence}
    said = None if target is None else {
        run.id: probabilities(run, target) for run in runs if run.id in known}
    return [f.record() for way in reversed(ways().values()) if way.informed(history, said)
            for f in way(evidence, history, said)]


def probabilities(run: "Run", images: np.ndarray) -> np.ndarray:
    """What a run's classifier says of pictures: float32 (n, K)."""
    from zoo.classifier import Classifier

    return Classifier.load(run.classifier_folder).predict(images)
