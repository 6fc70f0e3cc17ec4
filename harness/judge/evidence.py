"""What a forecast starts from: one run's outcome on its stress suite, as plain arrays."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.judge.suite import CLEAN, LEVELS, families

if TYPE_CHECKING:
    from harness.runs import Run


@dataclass(frozen=True)
class Evidence:
    """A run's stress suite: probabilities (m, K) of pictures with these labels (m,), made from
    pictures ``source`` (m,) by ``operation`` (m,) at ``strength`` (m,); see ``suite.Suite``.

    validation: accuracy on clean held-out pictures. Raises ValueError where no picture of the suite
    is distorted, or lengths differ.
    """

    name: str
    probabilities: np.ndarray
    label: np.ndarray
    source: np.ndarray
    operation: np.ndarray
    strength: np.ndarray
    held_out: np.ndarray
    validation: float

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, f)) for f in ARRAYS}
        if len(lengths) > 1 or not self.distorted.any():
            raise ValueError(f"the suite of {self.name} has no distorted picture, or arrays of "
                             f"different lengths: {sorted(lengths)}")

    @property
    def right(self) -> np.ndarray:
        """float (m,): 1 where the most probable class is the true one."""
        return (self.probabilities.argmax(1) == self.label).astype(float)

    @property
    def distorted(self) -> np.ndarray:
        return self.operation != CLEAN

    @property
    def depth(self) -> np.ndarray:
        """int (m,): operations on each picture."""
        return np.where(self.distorted, np.char.count(self.operation, "+") + 1, 0)

    @property
    def plain(self) -> float:
        """Accuracy on the suite as it is, without the clean pictures."""
        return float(self.right[self.distorted].mean())

    def share(self, rows: np.ndarray) -> float | None:
        """Accuracy on some rows; None where there are none."""
        return float(self.right[rows].mean()) if rows.any() else None

    def only(self, rows: np.ndarray) -> "Evidence":
        """The same run, with ``rows`` (bool (m,)) of its suite and no others."""
        return replace(self, **{f: getattr(self, f)[rows] for f in ARRAYS})


ARRAYS = ("probabilities", "label", "source", "operation", "strength", "held_out")


def same_suite(evidence: list[Evidence]) -> bool:
    """Whether all were judged on the same pictures, row for row."""
    first = evidence[0]
    return all(np.array_equal(getattr(e, f), getattr(first, f)) for e in evidence[1:]
               for f in ("source", "operation", "strength"))


def design(operation: np.ndarray, strength: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """float (m, 2 + families): how deep and how strong each row is, and whose part it is.

    Depth is counted from 1 and strength from the middle, in units of its half range; a
    composition's families share 1 between them. Clean rows are 0.
    """
    table: dict[str, np.ndarray] = {}
    for name in np.unique(operation).tolist():
        found = families(name)
        row = np.array([f in found for f in names], float)
        table[name] = np.r_[name.count("+"), row / max(len(found), 1)]
    parts = np.stack([table[name] for name in operation.tolist()])
    middle = (LEVELS + 1) / 2
    strong = np.where(operation == CLEAN, 0, (strength - middle) / (middle - 1))
    return np.column_stack([parts[:, 0], strong, parts[:, 1:]])


def of_run(run: "Run") -> Evidence | None:
    """The evidence that a ``harness.runs.Run`` holds; None where it has no usable suite."""
    suite = run.suite()
    if not suite or not (suite["operation"] != CLEAN).any():
        return None
    return Evidence(run.id, suite["probabilities"], suite["label"], suite["source"],
                    suite["operation"], suite["strength"], suite["held_out"],
                    float(run.metrics["validation"]["accuracy"]))
