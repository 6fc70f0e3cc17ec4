"""Which runs an ensemble takes, and how much each counts."""

import numpy as np

from harness.ensembles import greedy

LABELS = np.zeros(100, int)


def member(wrong: slice, sure: float) -> np.ndarray:
    """Two classes; right with probability ``sure``, but for ``wrong``, which it gets wrong so."""
    p = np.full((100, 2), [sure, 1 - sure])
    p[wrong] = p[wrong, ::-1]
    return p


def test_what_helps_is_taken_and_what_does_not_is_left() -> None:
    members = [member(slice(0, 30), 0.7), member(slice(30, 50), 0.8), member(slice(0, 60), 0.9)]
    assert greedy(members, LABELS, 3) == [1]
    other = member(slice(50, 60), 0.9)
    assert set(greedy([*members, other], LABELS, 3)) == {3}


def test_a_member_may_count_twice() -> None:
    # Three of four voters would be right on every picture, were the best one asked twice.
    members = [member(slice(0, 10), 0.6), member(slice(0, 40), 0.75)]
    members[1][0:10] = [0.9, 0.1]
    members[1][10:40] = [0.3, 0.7]
    assert greedy(members, LABELS, 2, start=(0, 1)) == [0, 1, 0]


def test_no_more_different_members_than_asked_for() -> None:
    rng = np.random.default_rng(0)
    members = [rng.dirichlet([2, 1], 100) for _ in range(6)]
    for most in (1, 2, 3):
        assert len(set(greedy(members, LABELS, most))) <= most
