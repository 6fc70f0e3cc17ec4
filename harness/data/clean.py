"""Cleaning: what must not be trained on, what belongs together, and why."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.data.dataset import Dataset
from harness.data.leaks import digests

POLLUTION = 3  # copies of one content that are no accident


@dataclass(frozen=True)
class CleaningReport:
    """mask bool (N,): what stays; group int64 (N,): pictures of one group never part."""

    mask: np.ndarray
    group: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    content_hash: str
    dropped: list[dict[str, Any]] = field(default_factory=list)
    outliers: list[dict[str, Any]] = field(default_factory=list)
    suspected_labels: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The report as ``harness clean --json`` writes it; positions are into the given file."""
        kept = self.labels[self.mask]
        members = [np.flatnonzero(self.group == g) for g in self.shared()]
        counts = np.bincount(kept, minlength=len(self.class_names))
        return {"n": len(self.mask), "dropped": self.dropped, "groups": members,
                "outliers": self.outliers, "suspected_labels": self.suspected_labels,
                "class_counts": dict(zip(self.class_names, counts.tolist(), strict=True)),
                "content_hash": self.content_hash}

    def shared(self) -> np.ndarray:
        values, counts = np.unique(self.group, return_counts=True)
        return values[counts > 1]

    def summary(self) -> str:
        """One sentence for people."""
        reasons: dict[str, int] = {}
        for row in self.dropped:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
        why = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())
        return (f"{self.mask.sum():,} of {len(self.mask):,} pictures are kept"
                + (f"; dropped: {why}." if why else "; none had to be dropped."))


def clean(dataset: Dataset, keep: Collection[int] = (), drop: Collection[int] = ()
          ) -> CleaningReport:
    """Find pollution, exact duplicates, and pictures that hold nothing.

    keep, drop: positions that are kept or dropped whatever is found.
    """
    found: dict[int, dict[str, Any]] = {}
    for i in dataset.unreadable:
        found[i] = row(i, "unreadable")
    flat = dataset.images.reshape(len(dataset), -1)
    for i in np.flatnonzero((flat == flat[:, :1]).all(1)):
        found.setdefault(int(i), row(int(i), "constant"))
    copies: dict[bytes, list[int]] = {}
    for i, digest in enumerate(digests(dataset.images)):
        copies.setdefault(digest, []).append(i)
    for same in copies.values():
        for i, reason, twin in judged(same, dataset.labels):
            found.setdefault(i, row(i, reason, twin))
    for i in keep:
        found.pop(i, None)
    for i in drop:
        found.setdefault(i, row(i, "asked for"))
    mask = np.ones(len(dataset), bool)
    mask[list(found)] = False
    return CleaningReport(mask, np.arange(len(dataset)), dataset.labels, dataset.class_names,
                          dataset.subset(mask).content_hash,
                          [found[i] for i in sorted(found)])


def judged(same: list[int], labels: np.ndarray) -> list[tuple[int, str, int | None]]:
    """What to drop of pictures with one content: (position, reason, twin)."""
    if len(same) == 1:
        return []
    if len(same) >= POLLUTION:
        return [(i, "pollution", same[0] if i != same[0] else same[1]) for i in same]
    first, second = same
    if labels[first] != labels[second]:
        return [(first, "conflicting", second), (second, "conflicting", first)]
    return [(second, "duplicate", first)]


def row(index: int, reason: str, twin: int | None = None) -> dict[str, Any]:
    return {"index": index, "reason": reason, "twin": twin}
