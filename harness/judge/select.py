"""Which run to send: small named strategies over the records of runs.

A record is a dict of metrics as the leaderboard makes them: "floor" (what a run scores at least:
the returned score where one came back, less its sampling error, else the forecast's lower end),
"forecast", "suite" (accuracy on all distortions), "validation", "worst precision".
Adding a strategy is adding a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import UserError

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Strategy:
    """A name, what it ranks by (earlier keys first, the larger the better), and in words."""

    name: str
    keys: tuple[str, ...]
    words: str

    def value(self, record: Record) -> tuple[float, ...]:
        """What the record is worth; a missing number is worth less than any other."""
        found = [record.get(key) for key in self.keys]
        return tuple(-1.0 if v is None or v != v else float(v) for v in found)


STRATEGIES = {s.name: s for s in (
    Strategy("forecast", ("floor", "forecast", "suite", "validation"),
             "the lower end of the forecast's interval, or the score that came back"),
    Strategy("suite", ("suite", "validation"), "accuracy on distorted validation pictures"),
    Strategy("validation", ("validation", "suite"), "accuracy on clean validation pictures"),
    Strategy("worst-class", ("worst precision", "validation"),
             "precision of the worst class on validation"),
)}


def strategy(name: str) -> Strategy:
    """The strategy of this name. Raises UserError if there is none."""
    if name not in STRATEGIES:
        raise UserError(f"There is no strategy {name!r} to select by. "
                        f"There are: {', '.join(STRATEGIES)}.")
    return STRATEGIES[name]


def order(records: Sequence[Any], name: str = "forecast") -> list[Any]:
    """The records, the best first; equals stay in order. Raises UserError for a wrong name."""
    return sorted(records, key=strategy(name).value, reverse=True)


def pick(records: Sequence[Any], name: str = "forecast") -> Any:
    """The best record. Raises UserError for a wrong name, or where there is no record."""
    ranked = order(records, name)
    if not ranked:
        raise UserError("There is no run to select from. Make one with: harness zoo")
    return ranked[0]
