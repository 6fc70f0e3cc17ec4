"""Outliers and suspected labels on numbers whose truth is known."""

import numpy as np
import pytest

from harness.data.clean import listed
from harness.data.labels import suspected
from harness.data.outliers import DROPPED, LISTED, measured


@pytest.fixture
def usual():
    """Three classes of 400 in ten dimensions."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 400)
    middles = rng.normal(0, 6, (3, 10))
    return middles[labels] + rng.normal(size=(1200, 10)), labels


def test_lone_far_ones_are_odd_and_usual_ones_are_not(usual):
    numbers, labels = usual
    numbers[:3] += np.array([[200], [-300], [250]])
    far, oddness, lonely = measured(numbers, labels)
    assert set(np.argsort(far)[-3:]) == {0, 1, 2}
    assert (oddness[:3] > DROPPED).all()
    assert (lonely[:3] > DROPPED).all()
    assert (oddness[3:] < DROPPED).all()
    assert (oddness[3:] > LISTED).mean() < .01


def test_a_far_group_of_its_own_is_listed_but_not_dropped(usual):
    numbers, labels = usual
    numbers[:40] += 60
    _, oddness, lonely = measured(numbers, labels)
    assert (oddness[:40] > DROPPED).all()
    assert (lonely[:40] < LISTED).all()
    rows = listed(np.arange(1200), np.zeros(1200), oddness, lonely)
    assert {r["index"] for r in rows} >= set(range(40))


def test_what_is_asked_for_is_measured_below_the_usual_limit_too(usual):
    numbers, labels = usual
    numbers[:40] += 2
    _, oddness, lonely = measured(numbers, labels, limit=2)
    asked = (oddness > 2) & (oddness < LISTED)
    assert asked[:40].sum() > 10
    assert (lonely[asked] != 0).all()


def test_a_statistic_that_is_the_same_for_most_makes_none_odd(usual):
    numbers, labels = usual
    rare = np.zeros((1200, 1))
    rare[:3] = [[5], [-9], [30]]
    plain, joined = measured(numbers, labels), measured(np.hstack([numbers, rare]), labels)
    assert np.array_equal(plain, joined)
    assert not np.any(measured(rare, labels))


def test_far_ones_that_are_scattered_but_nearer_to_each_other_are_in_company(usual):
    numbers, labels = usual
    numbers[:30] += 300 + np.random.default_rng(2).normal(0, 20, (30, 10))
    _, oddness, lonely = measured(numbers, labels)
    assert (oddness[:30] > DROPPED).all()
    assert not lonely[:30].any()


def test_a_wrong_label_alone_is_no_outlier(usual):
    numbers, labels = usual
    labels[:20] = 2
    assert (measured(numbers, labels)[1][:20] < LISTED).mean() > .9


@pytest.mark.filterwarnings("error")
def test_where_every_picture_has_a_class_of_its_own_all_tell_what_is_usual(usual):
    numbers = usual[0][:300]
    numbers[0] += 200
    _, oddness, lonely = measured(numbers, np.arange(300))
    assert np.flatnonzero(np.minimum(oddness, lonely) > DROPPED).tolist() == [0]


def test_too_few_pictures_tell_nothing():
    for found in measured(np.arange(40.)[:, None], np.zeros(40, int)):
        assert not found.any()


def test_wrong_labels_lead_the_suspects(usual):
    numbers, labels = usual
    truth = labels.copy()
    wrong = np.random.default_rng(1).choice(1200, 30, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 3
    found = suspected(numbers, labels, np.arange(1200))
    leading = [r["index"] for r in found[:30]]
    assert len(set(leading) & set(wrong)) >= 28
    for row in found[:20]:
        assert row["suggested"] == truth[row["index"]]
        assert row["label"] == labels[row["index"]]


def test_a_copy_does_not_vouch_for_its_own_wrong_label(usual):
    numbers, labels = usual
    numbers = np.concatenate([numbers, np.repeat(numbers[:1], 30, 0)])
    labels = np.concatenate([labels, np.full(30, 2)])
    labels[0] = 2
    group = np.concatenate([np.arange(1200), np.zeros(30, int)])
    assert 0 in {r["index"] for r in suspected(numbers, labels, group)}


def test_without_labels_nothing_is_suspected(usual):
    numbers, _ = usual
    assert suspected(numbers, np.full(1200, -1), np.arange(1200)) == []
