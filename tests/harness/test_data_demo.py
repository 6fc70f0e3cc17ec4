"""The embedded demo: eight kinds of cells, dirty, and another laboratory's to test on."""

import numpy as np
import pytest

from harness.data import demo
from harness.data.clean import clean
from harness.data.leaks import check_leak


@pytest.fixture(scope="module")
def dirty():
    return demo.train()


def test_it_has_all_kinds_and_is_the_same_every_time(dirty):
    assert dirty.images.shape == (1200, 96, 96, 3)
    assert dirty.images.dtype == np.uint8
    assert (np.bincount(dirty.labels, minlength=8) >= 80).all()
    again = demo.cells(40, np.random.default_rng(3), demo.HOME)
    assert (again[0] == demo.cells(40, np.random.default_rng(3), demo.HOME)[0]).all()


def test_the_test_set_is_another_laboratorys_and_shares_no_picture(dirty):
    test = demo.test()
    assert test.images.shape == (300, 96, 96, 3)
    check_leak(dirty, test, "demo", "demo-test")
    cream, grey = (np.median(d.images, (0, 1, 2)) for d in (dirty, test))
    assert np.abs(cream - grey).max() > 10


def test_kinds_differ_and_overlap(dirty):
    """Nearest neighbours on a few pixels tell most kinds apart, and never all."""
    from sklearn.neighbors import KNeighborsClassifier

    cells, labels = demo.cells(600, np.random.default_rng(1), demo.HOME)
    pixels = cells[:, 4::8, 4::8].reshape(600, -1).astype(float)
    score = KNeighborsClassifier(5).fit(pixels[:400], labels[:400]).score(pixels[400:],
                                                                          labels[400:])
    assert .3 < score < .95


def test_cleaning_finds_what_was_planted(dirty):
    report = clean(dirty)
    assert report.reasons()["pollution"] == 80
    assert report.reasons()["duplicate"] == 6
    assert report.reasons()["conflicting"] == 4
    assert report.reasons()["constant"] == 1
    assert report.reasons().get("outlier", 0) <= 6   # half a per cent
    twins = [r for r in report.dropped if r["reason"] == "duplicate"]
    for row in twins:
        assert (dirty.images[row["index"]] == dirty.images[row["twin"]]).all()
        assert report.mask[row["twin"]]
