"""The published facts: local accuracy against the hidden test's, of teams of one contest.

``published_pairs.csv`` holds one row a network and phase, with the public source of each figure.
What the local figure means differs: clean held-out pictures; AUGMENTED, where the local set was
itself strongly distorted; LEAK, where copies of one picture stood on both sides of the split.
"""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.judge.hidden import logit

PATH = Path(__file__).with_name("published_pairs.csv")
Z90 = 1.6449  # a normal deviate is within so many deviations in 90 % of all cases
KINDS = ("clean", "augmented", "leak")
SCRATCH = ("MLP", "small CNN", "from scratch")  # words in the name of a network without pretraining


@dataclass(frozen=True)
class Pair:
    """Local and hidden accuracy (0..1) of one network, who measured them, and where it says so."""

    team: str
    backbone: str
    kind: str
    pretrained: bool
    local: float
    hidden: float
    phase: str
    source: str


@functools.cache
def published() -> tuple[Pair, ...]:
    """All rows of the file."""
    with PATH.open(encoding="utf-8", newline="") as f:
        return tuple(pair(row) for row in csv.DictReader(f))


def pair(row: dict[str, str]) -> Pair:
    notes = row["protocol_notes"]
    kind = "leak" if "LEAK" in notes else "augmented" if "AUGMENTED" in notes else "clean"
    return Pair(row["team"], row["backbone"], kind,
                not any(word in row["backbone"] for word in SCRATCH),
                float(row["val_accuracy"]), float(row["test_accuracy"]), row["phase"],
                f"{row['repo']}: {row['source']}")


def select(kind: str, pretrained: bool | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Local and hidden accuracies, each (n,), of one kind of row."""
    rows = [p for p in published() if p.kind == kind and pretrained in (None, p.pretrained)]
    return np.array([p.local for p in rows]), np.array([p.hidden for p in rows])


def level() -> tuple[float, float]:
    """How hidden scores lie to accuracy on a distorted hold-out: (mean, deviation) in angles.

    Angles (arcsine of the root) make differences between shares comparable at any level. From the
    AUGMENTED rows. A team's rows share its recipe of distortions, so the mean is that of the teams'
    means, by James and Stein's rule 0 where so few teams can't tell it from 0. The deviation is
    that of rows about their team's mean.
    """
    teams: dict[str, list[float]] = {}
    for p in published():
        if p.kind == "augmented":
            teams.setdefault(p.team, []).append(float(angle(p.hidden) - angle(p.local)))
    means = np.array([np.mean(rows) for rows in teams.values()])
    error = means.var(ddof=1) / len(means)
    kept = max(0.0, 1 - error / means.mean() ** 2)
    squares = sum(len(rows) * np.var(rows) for rows in teams.values())
    free = sum(len(rows) for rows in teams.values()) - len(teams)
    return float(kept * means.mean()), float(np.sqrt(squares / free))


def angle(share: np.ndarray | float) -> np.ndarray | float:
    """The arcsine of the root of a share."""
    return np.arcsin(np.sqrt(share))


def lines() -> dict[str, np.ndarray]:
    """Coefficients (slope, intercept) of the published baselines, over the clean rows: "line" on
    accuracies, "logit line" on their logits."""
    local, hidden = select("clean")
    return {"line": np.polyfit(local, hidden, 1),
            "logit line": np.polyfit(logit(local), logit(hidden), 1)}
