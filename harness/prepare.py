"""From a source to what jobs train on: load, clean, check for leaks, split."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import terminal
from harness.data.dataset import Dataset
from zoo.errors import UserError
from zoo.files import write_json

HOLD_OUT = 10  # one of so many parts validates where a single split is asked for


@dataclass(frozen=True)
class Prepared:
    """Cleaned pictures, their near-duplicate groups (N,), what cleaning found, how the source was
    read (arguments of :func:`prepare`), a labelled test."""

    dataset: Dataset
    group: np.ndarray
    cleaning: dict[str, Any]
    reading: dict[str, Any]
    test: Dataset | None = None

    def write_cleaning(self, store: Path) -> None:
        """Leave what cleaning found beside the runs, one file a data set, for the page."""
        data = self.dataset
        write_json(store / f"cleaning-{data.content_hash[:8]}.json",
                   {"source": data.provenance, **self.cleaning})

    def folds(self, k: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """``k`` (train, validation) pairs of positions; one pair where k is 1.

        They don't depend on a run's seed, so that runs can be compared and averaged.
        """
        from harness.data.splits import folds

        labels = self.dataset.labels
        if k > 1:
            return tuple(folds(labels, self.group, k, seed=0))
        _, first = np.unique(self.group, return_index=True)
        # Where no class has so many pictures, so many parts can't be made.
        hold_out = max(2, min(HOLD_OUT, int(np.bincount(labels[first]).max())))
        train, held = folds(labels, self.group, hold_out, seed=0)[0]
        # A class that is held out whole could never be learned.
        whole = self.group[held[~np.isin(labels[held], labels[train])]]
        stays = ~np.isin(self.group[held], whole)
        if stays.any():
            train, held = np.sort(np.concatenate([train, held[~stays]])), held[stays]
        return ((train, held),)


def prepare(source: str, test: str | None = None, images_key: str = "images",
            labels_key: str = "labels", keep: Any = (), drop: Any = ()) -> Prepared:
    """Read ``source``, clean it, and make sure that ``test`` holds none of its pictures.

    Raises UserError for whatever is wrong with either.
    """
    from harness.data.clean import clean
    from harness.data.leaks import check_leak
    from harness.data.medmnist import BENCHMARK
    from harness.data.sources import load

    dirty = load(source, images_key, labels_key, tolerant=True)
    if dirty.role != "competition":
        raise UserError(f"{source} is the {dirty.role} benchmark; its pictures must not train a "
                        "contest's entry. Name the contest's own file.")
    report = clean(dirty, keep=keep, drop=drop)
    terminal.say(report.summary())
    dataset = dirty.subset(report.mask)
    if len(np.unique(dataset.labels)) < 2:
        raise UserError(f"After cleaning, {source} holds one class only. Look at what was dropped "
                        f"with: harness clean {source}")
    if test is None and source == "demo":
        test = "demo-test"
    held = None
    if test is not None:
        held = load(test, images_key, labels_key, labelled=False)
        if held.role == BENCHMARK:
            raise UserError(f"{test} is of the {BENCHMARK} benchmark, which hidden tests are most "
                            "likely made of; it must not choose a contest's entry. Name a test of "
                            "your own.")
        held = aligned(judgeable(held, test, labels_key), dataset, test)
        held = check_leak(dataset, held, source, test)
    reading = {"images_key": images_key, "labels_key": labels_key,
               "keep": sorted(map(int, keep)), "drop": sorted(map(int, drop))}
    return Prepared(dataset, report.group[report.mask], report.to_json(), reading, held)


def judgeable(test: Dataset, name: str, labels_key: str = "") -> Dataset:
    """The pictures of ``test`` that could be read; what is missing is said.

    labels_key: where labels were looked for. Raises UserError where no picture is left.
    """
    if test.unreadable:
        terminal.warn(f"{len(test.unreadable):,} of {len(test):,} pictures of {name} can't be read "
                      "and are left out.")
        test = test.readable()
        if not len(test):
            raise UserError(f"{name} holds no picture that can be read.")
    if labels_key and not test.labelled:
        terminal.warn(f"{name} has no labels ({labels_key!r}), so no accuracy on it is known. If "
                      "it has, under another name, give it with --labels-key.")
    return test


def aligned(test: Dataset, dataset: Dataset, name: str) -> Dataset:
    """``test`` with its labels numbered as the training data's are, by the classes' names."""
    known = dataset.class_names
    if test.labelled and test.class_names and test.class_names != known:
        unknown = [c for c in test.class_names if c not in known]
        if unknown:
            raise UserError(f"{name} has the class {unknown[0]!r}, which the training data doesn't "
                            f"have. It has: {', '.join(known[:20])}.")
        number = np.array([known.index(c) for c in test.class_names])
        test = replace(test, labels=number[test.labels], class_names=known)
    if test.labelled and test.labels.max() >= len(dataset.class_names):
        raise UserError(f"{name} has the label {test.labels.max()}, but the training data has "
                        f"{len(dataset.class_names)} classes, 0..{len(dataset.class_names) - 1}.")
    return test
