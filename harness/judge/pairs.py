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

PATH = Path(__file__).with_name("published_pairs.csv")
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
