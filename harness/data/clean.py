"""Cleaning: what must not be trained on, what belongs together, and why."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from harness.data.dataset import Dataset
from harness.data.duplicates import grouped
from harness.data.leaks import digests
from harness.data.outliers import DROPPED, LISTED
from zoo.errors import UserError

Row = dict[str, Any]

LABELS = 3      # different labels of one content that are no slip of the pen
AGREED = 2 / 3  # of near-duplicates; where more have one label, the others are slips of the pen
MANY = 10       # copies under one label that are no accident ...
RARE = 0.01     # ... unless so many contents have them that the file was oversampled
SOME = 10       # contents that are few in any file
SLIPS = 3       # pairs of near-duplicates that may differ in label in any file
CHAIN = .5      # of a file's pictures; a group with more of them isn't of one shot
CROWD = 4       # times as many as a foreign picture's copies; more company aren't its copies, too


@dataclass(frozen=True)
class CleaningReport:
    """mask bool (N,): what stays; group i64 (N,): pictures of one group never part; distances
    float (N,): Mahalanobis distances, NaN where there was nothing to measure."""

    mask: np.ndarray
    group: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    content_hash: str
    dropped: list[Row] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)
    outliers: list[Row] = field(default_factory=list)
    suspected_labels: list[Row] = field(default_factory=list)
    distances: np.ndarray = field(default_factory=lambda: np.empty(0))

    def to_json(self) -> dict[str, Any]:
        """The report as ``harness clean --json`` writes it; positions are into the given file."""
        outliers = [{"index": r["index"], "distance": r["distance"]} for r in self.outliers]
        return {"n": len(self.mask), "dropped": self.dropped, "groups": self.groups,
                "outliers": outliers, "suspected_labels": self.suspected_labels,
                "class_counts": self.class_counts(), "content_hash": self.content_hash}

    def class_counts(self) -> dict[str, int]:
        """How many pictures of each class are kept."""
        kept = self.labels[self.mask & (self.labels >= 0)]
        counts = np.bincount(kept, minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def class_weights(self) -> dict[str, float]:
        """Weights that give every class the same say; 0 where a class is empty."""
        counts = self.class_counts()
        filled = sum(n > 0 for n in counts.values())
        total = sum(counts.values())
        return {name: total / (filled * n) if n else 0.0 for name, n in counts.items()}

    def rows(self) -> list[Row]:
        """A row for each reason: how many pictures it dropped, and the first of them."""
        first: dict[str, int] = {}
        for row in self.dropped:
            first.setdefault(row["reason"], row["index"])
        return [{"reason": reason, "count": n, "first": first[reason]}
                for reason, n in self.reasons().items()]

    def reasons(self) -> dict[str, int]:
        """How many pictures were dropped for each reason."""
        found: dict[str, int] = {}
        for row in self.dropped:
            found[row["reason"]] = found.get(row["reason"], 0) + 1
        return found

    def summary(self) -> str:
        """One sentence for people."""
        why = ", ".join(f"{n:,} {reason}" for reason, n in self.reasons().items())
        return (f"{self.mask.sum():,} of {len(self.mask):,} pictures are kept"
                + (f"; dropped: {why}." if why else "; none had to be dropped."))


# Many small products: threads of the linear algebra wait for each other longer than they work,
# on a busy machine several times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def clean(dataset: Dataset, keep: Collection[int] = (), drop: Collection[int] = (),
          outlier_limit: float = DROPPED) -> CleaningReport:
    """Find pollution, copies, pictures that hold nothing, outliers and suspected labels.

    outlier_limit: oddness, in robust deviations, above which an outlier without company is dropped
    (see harness/data/outliers.py); it and suspected labels are listed, the latter never dropped.

    keep, drop: positions that are kept or dropped whatever is found. Raises UserError where they
    are out of range, contradict each other, or ask for a picture that can't be read.
    """
    from harness.data import features
    from harness.data.duplicates import SURE, compared
    from harness.data.labels import suspected
    from harness.data.outliers import measured

    check_wishes(dataset, keep, drop)
    dropped = {i: row(i, "unreadable") for i in dataset.unreadable}
    for i in constant(dataset.images):
        dropped.setdefault(i, row(i, "constant"))
    contents = [same for same in copies(dataset.images) if same[0] not in dropped]
    for r in judged(contents, dataset.labels):
        dropped.setdefault(r["index"], r)

    first = np.array([same[0] for same in contents], np.int64)
    pairs, likeness = compared(dataset.images[first])
    near = first[pairs]
    exact = np.array([(same[0], i) for same in contents for i in same[1:]], np.int64)
    foreign = {i for i, r in dropped.items() if r["reason"] == "pollution"}
    sure = near[likeness >= SURE]
    shot = grouped(len(dataset), np.concatenate([sure, exact.reshape(-1, 2)]))
    for r in tainted(members(shot, np.unique(shot[sure])), dataset.labels, foreign):
        dropped[r["index"]] = r
        foreign.add(r["index"])
    stays = np.array([i not in foreign for i in range(len(dataset))], bool)
    group, near = parted((near, sure, near[:0]), exact.reshape(-1, 2), first[stays[first]],
                         len(dataset))
    alike = members(group, np.unique(group[near]))

    left = np.array([i for i in range(len(dataset)) if i not in dropped], np.int64)
    distances = np.full(len(dataset), np.nan)
    outliers: list[Row] = []
    suspects: list[Row] = []
    if len(left):
        small = features.shrink(dataset.images, left)
        # What only one way of telling tones finds odd is a quirk of that way.
        views = [features.statistics(small, t) for t in (features.percentiles, features.bands)]
        found = [measured(v, dataset.labels[left], outlier_limit) for v in views]
        distances[left] = found[0][0]
        oddness, lonely = (np.minimum(found[0][i], found[1][i]) for i in (1, 2))
        outliers = listed(left, distances[left], oddness, lonely)
        for i in left[np.minimum(oddness, lonely) > outlier_limit]:
            dropped[int(i)] = row(i, "outlier")
        described = np.concatenate([features.invariants(small), views[0]], 1)
        suspects = suspected(described, dataset.labels[left], group[left])
        suspects = [{**s, "index": int(left[s["index"]])} for s in suspects]

    for i in keep:
        dropped.pop(i, None)
    for i in drop:
        dropped.setdefault(i, row(i, "asked"))
    mask = np.ones(len(dataset), bool)
    mask[list(dropped)] = False
    return CleaningReport(
        mask, group, dataset.labels, dataset.class_names, dataset.subset(mask).content_hash,
        [dropped[i] for i in sorted(dropped)], [a for a in alike if foreign.isdisjoint(a)],
        outliers, suspects, distances)


def listed(index: np.ndarray, distances: np.ndarray, oddness: np.ndarray, lonely: np.ndarray
           ) -> list[Row]:
    """The pictures that are worth a look, the oddest first, those in company last."""
    both = np.minimum(oddness, lonely)
    order = np.argsort(-both, kind="stable")
    return [{"index": int(index[i]), "distance": round(float(distances[i]), 3),
             "oddness": round(float(oddness[i]), 2), "alone": round(float(lonely[i]), 2)}
            for i in order if both[i] > LISTED or oddness[i] > DROPPED]


def check_wishes(dataset: Dataset, keep: Collection[int], drop: Collection[int]) -> None:
    for i in (*keep, *drop):
        if not 0 <= i < len(dataset):
            raise UserError(f"Position {i} was asked to be kept or dropped, but "
                            f"{dataset.provenance} holds {len(dataset):,} pictures, numbered from "
                            "0.")
    both, blank = set(keep) & set(drop), set(keep) & set(dataset.unreadable)
    if both:
        raise UserError(f"Position {min(both)} was asked to be kept and to be dropped. Remove it "
                        "from one of the two lists.")
    if blank:
        raise UserError(f"Picture {min(blank)} of {dataset.provenance} was asked to be kept, but "
                        "it can't be read. Remove it from the list.")


def constant(images: np.ndarray) -> list[int]:
    """Positions of pictures of one colour everywhere."""
    corner = images[:, :1, :1]
    maybe = np.flatnonzero((images[:, ::16, ::16] == corner).all((1, 2, 3)))
    return [int(i) for i in maybe if (images[i] == images[i, 0, 0]).all()]


def copies(images: np.ndarray) -> list[list[int]]:
    """Positions of each content, in order; contents in order of their first picture."""
    found: dict[bytes, list[int]] = {}
    for i, digest in enumerate(digests(images)):
        found.setdefault(digest, []).append(i)
    return list(found.values())


def judged(contents: list[list[int]], labels: np.ndarray) -> Iterable[Row]:
    """What to drop of pictures with one content, and its twin.

    Three labels or more are pollution, two are conflicting; of copies with one label the first
    stays, unless it is one of a few contents that stand in the file again and again. Where most
    of a class are copies, or many contents of a file, it was oversampled.
    """
    crowded = sum(len(same) >= MANY for same in contents) <= max(3, RARE * len(contents))
    oversampled = copied(contents, labels)
    for same in contents:
        if len(same) == 1:
            continue
        differ = len(np.unique(labels[same]))
        again = crowded and (differ > 1 or labels[same[0]] not in oversampled)
        if differ >= LABELS or (len(same) >= MANY and again):
            reason, whole = "pollution", True
        else:
            reason, whole = ("conflicting", True) if differ == 2 else ("duplicate", False)
        for i in same if whole else same[1:]:
            yield row(i, reason, same[0] if i != same[0] else same[1])


def copied(contents: list[list[int]], labels: np.ndarray) -> set[int]:
    """The labels of which most contents stand in the file more than once."""
    first = labels[[same[0] for same in contents]]
    often = np.array([len(same) > 1 for same in contents], bool)
    return {int(k) for k in np.unique(first) if often[first == k].mean() > .5}


def parted(surer: Iterable[np.ndarray], exact: np.ndarray, different: np.ndarray, n: int
           ) -> tuple[np.ndarray, np.ndarray]:
    """A group for each of ``n`` pictures, and the pairs of near-duplicates that make them: the
    first of ``surer`` that leaves no group with most of the ``different`` pictures.

    Such a group is no picture's copies: everything in the file shows much the same, and what is
    alike forms one chain, which could neither be split nor held out.
    """
    for pairs in surer:
        group = grouped(n, np.concatenate([pairs, exact]))
        largest = np.bincount(group[different], minlength=1).max()
        if largest <= max(SOME, CHAIN * len(different)):
            break
    return group, pairs


def tainted(alike: list[list[int]], labels: np.ndarray, foreign: Collection[int]) -> list[Row]:
    """What else is pollution, of positions that are one shot beyond doubt: the company of a
    foreign picture, and what carries three labels or more.

    Not the latter where it is frequent, or where such groups have two labels more often than one:
    pictures so simple, or of kinds that differ in colour or in a trifle alone, are alike without
    being copies. For the same reason the former only where the foreign picture stands in the file
    not much less often than its company, or their labels are at odds.
    """
    mixed = [at_odds(labels[same]) for same in alike]
    kinds = [len(np.unique(labels[same])) for same in alike]
    few = (sum(mixed) <= max(SOME, RARE * len(labels))
           and kinds.count(2) <= max(SLIPS, kinds.count(1)))
    found = []
    for same, differ in zip(alike, mixed, strict=True):
        known = [i for i in same if i in foreign]
        if (differ and few) or (known and (differ or len(same) <= CROWD * len(known))):
            twin = known[0] if known else same[0]
            found += [row(i, "pollution", twin if i != twin else same[1])
                      for i in same if i not in foreign]
    return found


def at_odds(labels: np.ndarray) -> bool:
    """Whether near-duplicates have so many labels that none of them can be meant.

    Simple pictures form long chains of near-duplicates, in which two wrong labels aren't rare.
    """
    _, counts = np.unique(labels, return_counts=True)
    return len(counts) >= LABELS and counts.max() <= AGREED * len(labels)


def members(group: np.ndarray, wanted: np.ndarray) -> list[list[int]]:
    """The positions in each wanted group."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], wanted)
    ends = np.searchsorted(group[order], wanted, side="right")
    return [order[a:b].tolist() for a, b in zip(starts, ends, strict=True)]


def row(index: int, reason: str, twin: int | None = None) -> Row:
    return {"index": int(index), "reason": reason, "twin": twin}
