"""The three ways to forecast, on networks of known skill."""

from dataclasses import replace

import numpy as np
import pytest

from harness.judge import forecast, hidden
from harness.judge.forecast_history import MANY
from tests.harness import judged
from zoo import UserError


@pytest.fixture(scope="module")
def evidence() -> list:
    return judged.runs(12)


def test_every_way_gives_one_ordered_interval_a_run(evidence) -> None:
    said, truth = judged.world(12, 1.0)
    for made in (forecast.blind(evidence), forecast.history(evidence, [("run3", truth["run3"])]),
                 forecast.target(evidence, said)):
        assert [f.run for f in made] == [e.name for e in evidence]
        for f in made:
            assert 0 <= f.low < f.forecast < f.high <= 1
            assert 0 < f.sampling < (f.high - f.low)
            assert {"run", "way", "forecast", "low", "high", "held_out"} <= f.record().keys()


def test_the_blind_way_is_the_suite_and_is_not_sure(evidence) -> None:
    for f, e in zip(forecast.blind(evidence), evidence, strict=True):
        assert f.forecast == pytest.approx(e.plain, abs=0.06)
        assert f.high - f.low > 4 * f.sampling
        assert f.facts["held_out"] == pytest.approx(e.plain)
        assert f.facts["trained_on"] is None


def test_the_blind_way_leans_on_what_training_never_showed(evidence) -> None:
    e = evidence[5]
    wrong_rows = e.distorted & (e.right == 0)
    leaning = hidden.expected(replace(e, held_out=wrong_rows)) @ e.right
    assert leaning < hidden.expected(replace(e, held_out=e.distorted)) @ e.right - 0.03


def test_returned_scores_move_the_others_and_narrow_their_interval(evidence) -> None:
    _, truth = judged.world(12, 2.2)
    blind = forecast.blind(evidence)
    three = forecast.history(evidence, [(r, truth[r]) for r in ("run2", "run6", "run10")])
    error = [np.mean([abs(f.forecast - truth[f.run]) for f in made]) for made in (blind, three)]
    assert error[1] < error[0] / 2
    agree = forecast.history(evidence, [(f.run, f.forecast) for f in blind[2::4]])
    widths = [np.mean([f.high - f.low for f in made]) for made in (blind, agree)]
    assert widths[1] < 0.9 * widths[0]
    assert "3 returned scores" in three[0].assumes
    assert "2 returned scores" in three[2].assumes


def test_nine_scores_give_a_jackknife_interval_that_holds(evidence) -> None:
    _, truth = judged.world(12, 1.6)
    returned = [(f"run{i}", truth[f"run{i}"]) for i in range(9)]
    made = forecast.history(evidence, returned)[9:]
    assert all(f.assumes == MANY.format(n=9) for f in made)
    assert all(f.low - 0.01 <= truth[f.run] <= f.high + 0.01 for f in made)


def test_a_run_is_never_forecast_from_its_own_score(evidence) -> None:
    others = [("run1", 0.4), ("run5", 0.5)]
    a = forecast.history(evidence, [*others, ("run3", 0.2)])[3]
    b = forecast.history(evidence, [*others, ("run3", 0.9)])[3]
    assert a == b


@pytest.mark.parametrize("harshness", [0.3, 1.0, 2.0])
def test_target_pictures_are_worth_most(evidence, harshness) -> None:
    said, truth = judged.world(12, harshness)
    made = forecast.target(evidence, said)
    errors = [abs(f.forecast - truth[f.run]) for f in made]
    assert np.mean(errors) < 0.04
    assert np.mean([f.low <= truth[f.run] <= f.high for f in made]) >= 0.8


def test_a_single_run_is_judged_by_its_confidence(evidence) -> None:
    said, truth = judged.world(12, 1.0)
    made = forecast.target(evidence[4:5], said)[0]
    assert "confidence" in made.assumes
    assert made.forecast == pytest.approx(truth["run4"], abs=0.08)


def test_runs_with_different_suites_do_not_judge_each_other(evidence) -> None:
    said, _ = judged.world(12, 1.0)
    other = replace(judged.runs(1, seed=5)[0], name="run11")
    made = forecast.target([*evidence[:4], other], said)
    assert "4 runs" in made[0].assumes
    assert "confidence" in made[4].assumes


def test_forecasts_are_the_same_every_time(evidence) -> None:
    assert forecast.blind(evidence) == forecast.blind(evidence)


def test_an_empty_target_and_other_classes_are_refused(evidence) -> None:
    said, _ = judged.world(12, 1.0)
    with pytest.raises(UserError, match="no picture"):
        forecast.target(evidence, {k: p[:0] for k, p in said.items()})
    with pytest.raises(UserError, match="classes"):
        forecast.target(evidence, {k: p[:, :3] for k, p in said.items()})


def test_perfect_and_hopeless_runs_get_finite_forecasts(evidence) -> None:
    e = evidence[0]
    right = np.eye(judged.CLASSES)[e.label]
    for p in (right, np.roll(right, 1, axis=1)):
        always = [replace(e, probabilities=p), evidence[1]]
        said = {"run0": right, "run1": evidence[1].probabilities}
        for made in (forecast.blind(always), forecast.history(always, [("run0", 1.0)]),
                     forecast.target(always, said)):
            assert all(np.isfinite([f.low, f.forecast, f.high]).all() for f in made)
            assert all(f.low <= f.forecast <= f.high for f in made)


def test_fewer_mistakes_never_promise_less() -> None:
    e = judged.runs(1, 2000)[0]
    perfect = np.eye(judged.CLASSES)[e.label]
    lows = []
    for every in (20, 50, 100, 200, 1000, 10 ** 6):  # one picture in so many is wrong
        p = perfect.copy()
        p[every // 2::every] = np.roll(p[every // 2::every], 1, axis=1)
        lows.append(forecast.blind([replace(e, probabilities=p)])[0].low)
    assert lows == sorted(lows)


def test_a_target_of_one_picture_says_what_many_like_it_say_with_less_certainty(evidence) -> None:
    e = evidence[5]
    sure = e.probabilities[[e.probabilities.max(1).argmax()]]
    one, many = (forecast.target([e], {e.name: np.repeat(sure, n, 0)})[0] for n in (1, 1000))
    assert one.forecast == pytest.approx(many.forecast)
    assert one.forecast > 0.9
    assert one.high - one.low > many.high - many.low


def test_a_single_returned_score_is_no_news_for_its_own_run(evidence) -> None:
    blind = forecast.blind(evidence)
    made = forecast.history(evidence, [("run3", 0.5)])
    assert "no other run's score" in made[3].assumes
    assert "by 1 returned score" in made[2].assumes
    assert made[3].forecast == pytest.approx(blind[3].forecast)
    assert made[3].low == pytest.approx(blind[3].low, abs=0.02)
