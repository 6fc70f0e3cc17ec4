"""Metrics, intervals, the published facts, and selection."""

import numpy as np
import pytest

from harness.judge import pairs, select
from harness.judge.intervals import ENOUGH, jackknife_plus, sampling_error
from harness.judge.metrics import metrics
from zoo import UserError

SURE = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0]])
LABELS = np.array([0, 1, 1, 1])


def test_every_number_is_the_one_counted_by_hand() -> None:
    m = metrics(SURE, LABELS, ("a", "b", "c"))
    assert m["n"] == 4
    assert m["accuracy"] == 0.75
    assert m["confusion"] == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    a, b, c = m["per_class"]
    assert (a["precision"], a["recall"], a["support"]) == (0.5, 1.0, 1)
    assert (b["precision"], b["support"]) == (1.0, 3)
    assert b["recall"] == pytest.approx(2 / 3)
    assert c == {"name": "c", "precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert m["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert m["worst_class"]["name"] == "b"
    assert m["nll"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.9]).mean())
    assert m["ece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.1) / 4)


def test_the_interval_holds_the_accuracy_and_narrows_with_more_pictures() -> None:
    few = metrics(SURE, LABELS, ("a", "b", "c"))["interval"]
    many = metrics(np.tile(SURE, (100, 1)), np.tile(LABELS, 100), ("a", "b", "c"))["interval"]
    assert few["low"] <= 0.75 <= few["high"]
    assert many["high"] - many["low"] == pytest.approx(2 * 1.645 * np.sqrt(0.1875 / 400), rel=0.1)
    assert metrics(SURE, LABELS, ("a", "b", "c"))["interval"] == few


@pytest.mark.parametrize("labels, names", [
    ([0, 1, 1, 3], ("a", "b", "c")), ([0, 1, 1, -1], ("a", "b", "c")), ([0, 1], ("a", "b", "c")),
    ([0, 1, 1, 1], ("a", "b"))])
def test_what_does_not_fit_is_refused(labels, names) -> None:
    with pytest.raises(ValueError):
        metrics(SURE, np.array(labels), names)


def test_copies_of_one_picture_tell_no_more_than_the_picture() -> None:
    values, source = np.tile([1.0, 0, 1, 0, 1], 40), np.arange(200)
    once = sampling_error(values, source)
    assert once == pytest.approx(np.sqrt(0.24 / 200), rel=0.15)
    assert sampling_error(np.repeat(values, 5), np.repeat(source, 5)) == pytest.approx(once)


def test_jackknife_plus_covers_and_refuses_too_few_points() -> None:
    rng, inside = np.random.default_rng(0), 0
    for _ in range(200):
        points = rng.normal(0, 1, 21)
        known, new = points[:20], points[20]
        left_out = (known.sum() - known) / 19
        low, high = jackknife_plus(left_out, left_out, known)
        inside += low <= new <= high
    assert 0.85 <= inside / 200 <= 0.97
    assert ENOUGH == 9
    with pytest.raises(ValueError, match="9"):
        jackknife_plus(np.zeros(8), np.zeros(8), np.zeros(8))


def test_the_published_pairs_are_the_ones_that_were_counted() -> None:
    rows = pairs.published()
    assert (len(rows), len({p.team for p in rows})) == (95, 19)
    error = {kind: np.abs(np.subtract(*pairs.select(kind))).mean() for kind in pairs.KINDS}
    assert [len(pairs.select(kind)[0]) for kind in pairs.KINDS] == [69, 14, 12]
    assert 100 * error["clean"] == pytest.approx(25.9, abs=0.05)
    assert 100 * error["augmented"] == pytest.approx(4.8, abs=0.05)
    assert len(pairs.select("clean", pretrained=False)[0]) == 9
    assert all(p.source for p in rows)


def test_three_teams_do_not_move_the_level_but_widen_it() -> None:
    offset, spread = pairs.level()
    assert offset == 0
    assert 0.03 < spread < 0.1


RECORDS = [
    {"run": "a", "floor": 0.7, "forecast": 0.9, "suite": 0.6, "validation": 0.99,
     "worst precision": 0.5},
    {"run": "b", "floor": 0.8, "forecast": 0.85, "suite": 0.5, "validation": 0.97,
     "worst precision": 0.9},
    {"run": "c", "floor": None, "forecast": None, "suite": 0.7, "validation": 0.98,
     "worst precision": 0.6}]


@pytest.mark.parametrize("name, best", [
    ("forecast", "b"), ("suite", "c"), ("validation", "a"), ("worst-class", "b")])
def test_each_strategy_picks_by_its_own_number(name, best) -> None:
    assert select.pick(RECORDS, name)["run"] == best


def test_runs_without_a_forecast_stand_last_and_wrong_names_are_refused() -> None:
    assert [r["run"] for r in select.order(RECORDS)] == ["b", "a", "c"]
    with pytest.raises(UserError, match="worst-class"):
        select.pick(RECORDS, "luck")
    with pytest.raises(UserError, match="no run"):
        select.pick([])
