"""The study of forecasts: worlds, what is hidden from the judged, and the scores."""

import numpy as np
import pytest

from benchmarks import study
from benchmarks.worlds import make_worlds, tilted
from tests.harness import judged


def test_worlds_are_named_seeded_and_change_pictures() -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 24, 24, 3), dtype=np.uint8)
    a, b = make_worlds(6, 3), make_worlds(6, 3)
    assert a == b
    assert {w.name.split()[0] for w in a} == {"family", "composition", "foreign"}
    for w in a:
        before = images.copy()
        shown = w.render(images, 1)
        assert np.array_equal(images, before)
        assert np.array_equal(shown, w.render(images, 1))
        assert (shown != images).any((1, 2, 3)).mean() > 0.5


def test_a_family_world_hides_its_families_and_a_composition_world_its_pairs() -> None:
    from harness.augment import OPERATIONS

    worlds = make_worlds(2, 0)
    operations = judged.runs(1)[0].operation
    hidden = {OPERATIONS[n].family for n in worlds[0].hidden}
    seen = [o.split("+") for o in operations[worlds[0].visible(operations)] if o != "clean"]
    assert len(hidden) == 4
    assert not {OPERATIONS[n].family for names in seen for n in names} & hidden
    chain = worlds[1].chains[0]
    rows = np.array(["+".join(chain[:2]), chain[0], "clean"])
    assert worlds[1].visible(rows).tolist() == [False, True, True]


def test_tilted_classes_differ_from_the_data() -> None:
    labels = np.repeat(np.arange(4), 100)
    plain = np.bincount(labels[tilted(labels, 300, 0.0, np.random.default_rng(0))])
    skewed = np.bincount(labels[tilted(labels, 300, 0.8, np.random.default_rng(0))])
    assert skewed.std() > 2 * plain.std()


def test_scores_are_those_counted_by_hand() -> None:
    guess = study.Guess("w", np.array([0.5, 0.7, 0.6]), np.array([0.6, 0.65, 0.5]),
                        np.array([0.4, 0.6, 0.45]), np.array([0.7, 0.68, 0.55]))
    s = study.summary([guess, guess])
    assert s["mae"] == pytest.approx((10 + 5 + 10) / 3)
    assert s["coverage"] == pytest.approx(100 / 3)
    assert s["regret"] == 0
    assert s["spearman"] == pytest.approx(0.5)
    assert s["pairs"] == 6


def test_every_way_and_baseline_is_judged_and_targets_win() -> None:
    evidence = judged.runs(5)
    cases = []
    for i, harshness in enumerate((0.5, 1.2, 2.0)):
        said, _ = judged.world(5, harshness, 600, seed=i)
        labels = np.random.default_rng(i).integers(0, judged.CLASSES, 600)
        cases.append(study.Case(f"w{i}", np.ones(len(evidence[0].label), bool),
                                tuple(said[e.name] for e in evidence), labels))
    found = study.guesses(evidence, cases)
    ways = {f"{way}{hidden}" for way in ("blind", "history, 1 returned", "history, 3 returned")
            for hidden in ("", ", nothing hidden")}
    bounds = {f"bound: {b}" for b in ("own median", "history, 1 returned", "history, 3 returned")}
    assert set(found) == ways | bounds | {"target", "test = validation", "line", "logit line",
                                          "plain suite"}
    error = {k: study.summary(v)["mae"] for k, v in found.items()}
    assert error["target"] < min(error[k] for k in ("test = validation", "plain suite", "blind"))
