"""The stress suite."""

import numpy as np
import pytest

from harness.augment import FAMILIES, OPERATIONS, trained_on
from harness.judge.suite import families, make_suite, plan
from zoo import UserError

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (40, 24, 24, 3), dtype=np.uint8)
LABELS = np.arange(40) % 3


def test_the_same_pictures_meet_the_same_suite_under_every_policy() -> None:
    a, b = make_suite(IMAGES, LABELS, "none", budget=150), make_suite(IMAGES, LABELS, "random",
                                                                      budget=150)
    for field in ("images", "source", "label", "operation", "strength"):
        assert np.array_equal(getattr(a, field), getattr(b, field)), field
    distorted = a.strength > 0
    assert np.array_equal(a.held_out, distorted)
    known = trained_on("random")
    assert b.held_out.tolist() == [o != "clean" and bool(set(o.split("+")) - known)
                                   for o in b.operation.tolist()]
    assert 0 < b.held_out.sum() < distorted.sum()


def test_rows_tell_where_they_come_from() -> None:
    before = IMAGES.copy()
    s = make_suite(IMAGES, LABELS, "none", budget=150)
    assert np.array_equal(IMAGES, before)
    assert np.array_equal(s.label, LABELS[s.source])
    clean = s.operation == "clean"
    assert clean.any()
    assert np.array_equal(s.images[clean], IMAGES[s.source[clean]])
    assert np.array_equal(clean, s.strength == 0)
    changed = (s.images != IMAGES[s.source]).any((1, 2, 3))
    assert changed[~clean].mean() > 0.9
    counts = np.bincount(s.source, minlength=40)
    assert counts.max() - counts.min() <= 1


def test_the_plan_deals_operations_strengths_and_depths_evenly() -> None:
    operation, strength = plan(0, 2000)
    depth = np.char.count(operation, "+") + 1
    single = operation[(depth == 1) & (operation != "clean")]
    assert set(single) == set(OPERATIONS)
    counts = np.unique(single, return_counts=True)[1]
    assert counts.max() - counts.min() <= 5
    assert {f for o in operation.tolist() for f in families(o)} == set(FAMILIES)
    sizes = np.bincount(depth[depth > 1])[2:]
    assert len(sizes) == 3
    assert sizes.max() - sizes.min() <= 1
    assert set(strength) == {0, 1, 2, 3, 4, 5}
    assert all(len(set(o.split("+"))) == len(o.split("+")) for o in operation.tolist())


def test_a_seed_is_a_suite() -> None:
    assert np.array_equal(plan(1, 300)[0], plan(1, 300)[0])
    assert not np.array_equal(plan(1, 300)[0], plan(2, 300)[0])


def test_no_pictures_or_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UserError, match="at least one"):
        make_suite(IMAGES[:0], LABELS[:0], "none")
    with pytest.raises(UserError, match="policy"):
        make_suite(IMAGES, LABELS, "magic")
