"""Folds keep groups whole and classes balanced, for any labels and groups."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data.splits import folds
from zoo.errors import UserError


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 80))
    labels = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    group = draw(st.lists(st.integers(0, draw(st.integers(1, n))), min_size=n, max_size=n))
    return np.array(labels, np.int64), np.array(group, np.int64)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(labelled_groups(), st.integers(2, 10), st.integers(0, 3))
def test_no_group_stands_on_both_sides(drawn: tuple[np.ndarray, np.ndarray], k: int, seed: int
                                       ) -> None:
    labels, group = drawn
    try:
        parts = folds(labels, group, k, seed)
    except UserError:
        counts = np.bincount(labels[np.unique(group, return_index=True)[1]])
        assert counts.max() < k, "only what can't be divided is refused"
        return
    assert len(parts) == k
    validated = np.concatenate([held for _, held in parts])
    assert sorted(validated.tolist()) == list(range(len(labels))), "each validates once"
    for train, held in parts:
        assert not set(group[train]) & set(group[held])
        assert sorted([*train, *held]) == list(range(len(labels)))


def test_classes_keep_their_shares() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    for _, held in folds(labels, np.arange(1000), 5, seed=0):
        assert np.bincount(labels[held]).tolist() == [120, 60, 20]


def test_a_seed_names_a_split() -> None:
    labels, group = np.arange(90) % 3, np.arange(90) // 2
    first, again, other = (folds(labels, group, 3, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("k", [0, 1, 7])
def test_too_many_or_too_few_folds_are_refused(k: int) -> None:
    with pytest.raises(UserError, match="folds"):
        folds(np.arange(6) % 2, np.zeros(6, np.int64) if k == 7 else np.arange(6), k, 0)
