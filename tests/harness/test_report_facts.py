import base64

import numpy as np
import pytest

from harness import soup, tta
from harness.judge.suite import make_suite
from harness.report import facts, pictures, sections, svg
from harness.report.pair import compare
from tests.harness.fake_store import CLASSES, make_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("runs"), 3)


def certain(classes, k):
    """Probabilities 0.9 for the given classes."""
    p = np.full((len(classes), k), 0.1 / (k - 1), np.float32)
    p[np.arange(len(classes)), classes] = 0.9
    return p


def test_commonest_confusions_come_first_and_right_answers_never():
    matrix = np.array([[50, 3, 0], [7, 40, 0], [0, 1, 30]])
    assert facts.confusions(matrix, 2) == [(1, 0, 7), (0, 1, 3)]
    assert facts.confusions(np.diag([5, 5])) == []


def test_reliability_bins_add_up_and_hold_their_own_means():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.35, 0.65]])
    bins = facts.reliability(p, np.array([0, 1, 1, 1]))
    assert sum(b["share"] for b in bins) == pytest.approx(1)
    top = bins[-1]
    assert (top["confidence"], top["accuracy"]) == (pytest.approx(0.9), pytest.approx(0.5))


def test_heat_map_has_a_row_a_family_with_its_accuracy_at_each_strength():
    suite = {"probabilities": certain([0, 1, 0, 1], 2), "label": np.array([0, 0, 0, 1]),
             "operation": np.array(["clean", "jpeg", "jpeg", "stain+fog"]),
             "strength": np.array([0, 1, 5, 3]), "held_out": np.array([False, True, True, True])}
    rows = {r["family"]: r for r in facts.heat_map(suite)}
    assert list(rows) == ["clean", "resolution", "several"]
    assert rows["resolution"]["strengths"] == [0.0, None, None, None, 1.0]
    assert rows["resolution"]["all"] == 0.5
    assert rows["resolution"]["held_out"]
    assert rows["several"]["strengths"][2] == 1.0


def test_mistakes_are_the_kept_pictures_that_were_wrong_most_surely():
    labels = np.array([0, 0, 1, 1])
    p = np.array([[0.2, 0.8], [0.9, 0.1], [0.6, 0.4], [0.99, 0.01]])
    predictions = {"validation": p, "validation_labels": labels,
                   "validation_index": np.array([40, 30, 20, 10])}
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(3, 3)
    found = facts.mistakes(predictions, {"images": images, "position": np.array([0, 2, 3])})
    assert [(m["index"], m["true"], m["predicted"]) for m in found] == [
        (10, 1, 0), (40, 0, 1), (20, 1, 0)]
    assert found[0]["image"].max() == 2


def test_suite_pictures_are_drawn_again_as_the_suite_drew_them():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 24, 24, 3), dtype=np.uint8)
    made = make_suite(images, np.arange(6) % 2, "report", budget=200)
    rows = np.arange(0, 200, 7)
    suite = {"operation": made.operation, "strength": made.strength}
    places = [(int(made.source[r]), int(made.source[r])) for r in rows]
    again = facts.suite_pictures(suite, rows, places, images)
    np.testing.assert_array_equal(again, made.images[rows])


def test_long_learning_curves_are_thinned_out_and_gaps_are_left():
    class Fake:
        history = [{"stage 1": {"best": 3, "epochs": [
            {"epoch": e, "train_loss": float("nan") if e == 1 else 1 / e, "validation_loss": None}
            for e in range(1, 1001)]}}]

    stage, = facts.curves(Fake())
    line, = stage["lines"]["train_loss"]
    assert 100 <= len(line) <= facts.CURVE_POINTS
    assert all(np.isfinite(y) for _, y in line)
    assert stage["lines"]["validation_loss"] == [[]]
    assert svg.learning_curves(stage, "loss").startswith("<svg")
    assert svg.learning_curves(stage, "accuracy") == ""


@pytest.mark.parametrize("only_a, only_b, p", [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625),
                                               (1, 9, 0.021484375)])
def test_mcnemar_is_the_exact_binomial_test(only_a, only_b, p):
    assert facts.mcnemar(only_a, only_b) == pytest.approx(p)


def test_paired_bits_stand_in_the_order_of_the_pictures(store):
    run = store.finished()[0]
    predictions = run.predictions()
    turned = {k: v[::-1] for k, v in predictions.items() if k.startswith("validation")}
    assert facts.paired(run, predictions) == facts.paired(run, turned)
    paired = facts.paired(run, predictions)
    right = np.unpackbits(np.frombuffer(base64.b64decode(paired["right"]), np.uint8))
    correct = predictions["validation"].argmax(1) == predictions["validation_labels"]
    np.testing.assert_array_equal(right[:int(paired["n"])], correct)


def test_comparing_two_runs_subtracts_the_first_from_the_second(store):
    a, b = store.finished()[:2]
    found = compare(a, b, {})
    accuracy = {r["of"]: r for r in found["accuracy"]}
    assert accuracy["validation"]["a"] == a.metrics["validation"]["accuracy"]
    assert accuracy["validation"]["difference"] == pytest.approx(
        b.metrics["validation"]["accuracy"] - a.metrics["validation"]["accuracy"])
    assert [r["of"] for r in found["classes"]] == list(CLASSES)
    assert [r["field"] for r in found["settings"]] == ["backbone"]
    right = [(p["validation"].argmax(1) == p["validation_labels"]) for p in
             (a.predictions(), b.predictions())]
    assert found["pictures"]["only_b"] == (right[1] & ~right[0]).sum()


def test_runs_on_other_pictures_are_not_compared_picture_by_picture(store, tmp_path):
    other = make_store(tmp_path, 1, n=200).finished()[0]
    assert compare(store.finished()[0], other, {})["pictures"] is None


def test_the_command_that_repeats_a_run_holds_every_changed_field(store):
    config = dict(store.finished()[0].config)
    config["protocol"] = {**config["protocol"], "name": "seed+", "views": 7,
                          "boundary": "half", "wise": True}
    config["data"] = {**config["data"], "provenance": "my cells; rm -rf ~.npz"}
    config |= {"folds": 5, "seed": 2, "weights": {"origin": "random"},
               "reading": {"images_key": "x", "labels_key": "labels", "keep": [3, 17], "drop": []}}
    command = sections.reproduce(config)
    assert command.startswith("harness zoo --data 'my cells; rm -rf ~.npz' --backbones vgg16 ")
    for words in ("--weights none", "--protocol seed ", "--set views=7", "--set boundary=half",
                  "--set wise=true", "--folds 5", "--seeds 3", "--images-key x", "--keep 3,17 "):
        assert words in command + " "
    assert "--drop" not in command


def test_an_ensemble_is_repeated_from_its_members():
    config = {"members": ["a", "b"], "shares": [0.5, 0.5], "protocol": {"name": "soup of 2"}}
    assert sections.reproduce(config) == "harness ensemble a b"
    assert sections.reproduce(config, "my runs") == "harness ensemble a b --runs 'my runs'"


def test_a_soup_is_repeated_as_a_soup(store):
    runs = store.finished()[:2]
    for run in runs:
        run.config["of"] = "another"
    config = soup.configuration(runs)
    assert sections.reproduce(config) == f"harness soup {runs[0].id} {runs[1].id}"


def test_a_run_with_views_is_repeated_from_the_run_it_was_made_of(store):
    run = store.finished()[0]
    config = tta.configuration(run, "flip")
    assert sections.reproduce(config) == f"harness tta {run.id} --views flip"
    del config["of"]  # as older runs have it
    assert sections.reproduce(config).endswith("--protocol seed --set tta=flip")


def test_many_classes_make_a_picture_instead_of_a_table():
    matrix = np.eye(30, dtype=int) * 4
    matrix[3, 5] = 2
    found = sections.confusion(matrix, [f"c{i}" for i in range(30)])
    assert found["picture"].startswith("data:image/png;base64,")
    assert "rows" not in found
    assert found["worst"] == [{"true": "c3", "predicted": "c5", "count": 2,
                               "share": pytest.approx(1 / 3)}]


def test_large_pictures_are_made_small_and_small_ones_are_left():
    from io import BytesIO

    from PIL import Image

    def size(address):
        data = base64.b64decode(address.partition(",")[2])
        return Image.open(BytesIO(data)).size

    assert size(pictures.address(np.zeros((300, 200, 3), np.uint8))) == (64, 96)
    assert size(pictures.address(np.zeros((28, 28, 3), np.uint8))) == (28, 28)
    assert size(pictures.strip(np.zeros((6, 96, 96, 3), np.uint8))) == (6 * 64, 64)


@pytest.mark.parametrize("low, high", [(0, 1), (0.62, 0.97), (1, 30), (0, 0.003), (5, 5)])
def test_ticks_are_few_and_inside(low, high):
    found = svg.ticks(low, high)
    assert 1 <= len(found) <= 6
    assert all(low - 1e-9 <= t <= high + 1e-9 for t in found)


def test_words_in_a_figure_are_escaped():
    figure = svg.forecasts([{"run": "<script>x</script>", "forecast": 0.8, "low": 0.7, "high": 0.9,
                             "score": 0.82}])
    assert "<script" not in figure
    assert "&lt;script" in figure
