"""Classifier: raw pictures in, probabilities out, and a folder that can be trusted."""

import json
import zipfile

import numpy as np
import pytest

from zoo.classifier import Classifier, batches, refuse_bomb, symmetries
from zoo.errors import UserError
from zoo.graph import Graph, Node
from zoo.split import join
from zoo.table import backbone

NAMES = ("a", "b", "c")


def member(seed: int, name: str = "smallcnn2") -> Graph:
    trunk = backbone(name).graph(24, seed=seed)
    channels = 64 if name == "smallcnn2" else 1280
    kernel = np.random.default_rng(seed).standard_normal((channels, 3)).astype("float32")
    top = Graph((Node("pool", "global average", ("input",)),
                 Node("logits", "dense", ("pool",), {}, ("kernel",)),
                 Node("probabilities", "activation", ("logits",), {"activation": "softmax"})),
                {"logits/kernel": kernel})
    return join(trunk, top)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier((member(0), member(1)), NAMES)


X = np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)


def test_probabilities_are_float32_and_sum_to_one(classifier):
    p = classifier.predict(X)
    assert p.dtype == np.float32
    assert p.shape == (9, 3)
    assert np.allclose(p.sum(1), 1, atol=1e-6)
    assert np.ptp(p, axis=0).min() > 1e-3


def test_the_members_are_averaged(classifier):
    each = [Classifier((g,), NAMES).predict(X) for g in classifier.graphs]
    assert np.allclose(classifier.predict(X), np.mean(each, 0), atol=1e-6)
    assert not np.allclose(each[0], each[1], atol=1e-3)


def test_no_pictures_give_no_rows(classifier):
    assert classifier.predict(X[:0]).shape == (0, 3)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
def test_the_number_type_of_pictures_does_not_matter(classifier, kind):
    assert np.allclose(classifier.predict(X.astype(kind)), classifier.predict(X), atol=1e-6)


def test_a_pictures_company_does_not_matter(classifier):
    together = classifier.predict(X)
    alone = np.concatenate([classifier.predict(X[i:i + 1]) for i in range(len(X))])
    assert np.array_equal(together, alone)
    assert np.allclose(together, classifier.predict(X, batch=4), atol=1e-6)


def test_a_short_batch_is_filled_with_its_own_pictures():
    pieces = list(batches(X, 7))
    assert [rows for _, rows in pieces] == [slice(0, 7), slice(7, 9)]
    assert np.array_equal(pieces[0][0], X[:7])
    assert np.array_equal(pieces[1][0], X[[7, 8, 7, 8, 7, 8, 7]])
    assert pieces[1][0].dtype == X.dtype


def test_pictures_of_another_size_are_taken(classifier):
    assert classifier.predict(np.zeros((2, 31, 40, 3), "uint8")).shape == (2, 3)


@pytest.mark.parametrize("shape", [(24, 24, 3), (2, 24, 24), (2, 24, 24, 1), (2, 3, 24, 24)])
def test_other_shapes_are_refused(classifier, shape):
    with pytest.raises(UserError, match="shape"):
        classifier.predict(np.zeros(shape, "uint8"))


@pytest.mark.parametrize("tta, views", [("flip", 2), ("dihedral", 8)])
def test_views_are_averaged(classifier, tta, views):
    several = Classifier(classifier.graphs, NAMES, tta)
    turned = [np.asarray(t) for t in symmetries(X, views)]
    assert len({t.tobytes() for t in turned}) == views
    expected = np.mean([classifier.predict(t) for t in turned], 0)
    assert np.allclose(several.predict(X), expected, atol=1e-6)
    # A mirrored picture is then the same picture.
    assert np.allclose(several.predict(X[:, :, ::-1]), several.predict(X), atol=1e-6)


def test_members_count_by_their_shares(classifier, tmp_path):
    each = [Classifier((g,), NAMES).predict(X) for g in classifier.graphs]
    uneven = Classifier(classifier.graphs, NAMES, shares=(0.75, 0.25))
    assert np.allclose(uneven.predict(X), 0.75 * each[0] + 0.25 * each[1], atol=1e-6)
    uneven.save(tmp_path / "k")
    assert Classifier.load(tmp_path / "k").shares == (0.75, 0.25)


def test_a_saved_classifier_predicts_the_same(classifier, tmp_path):
    again = Classifier(classifier.graphs, NAMES, "flip")
    again.save(tmp_path / "k")
    loaded = Classifier.load(tmp_path / "k")
    assert (loaded.class_names, loaded.tta) == (NAMES, "flip")
    assert loaded.parameters == classifier.parameters
    assert np.array_equal(loaded.predict(X), again.predict(X))
    assert sorted(p.name for p in (tmp_path / "k").iterdir()) == [
        "classifier.json", "graph0.json", "graph1.json", "weights0.npz", "weights1.npz"]


def rewritten(**changes):
    def spoil(folder):
        path = folder / "classifier.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return spoil


def shortened(name, keep):
    def spoil(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:keep])
    return spoil


def pickled(folder):
    np.savez(folder / "weights0.npz", **{"conv1/kernel": np.array([print], object)})


def other_graph(folder):
    rows = json.loads((folder / "graph0.json").read_text())
    rows[-1]["kind"] = "python"
    (folder / "graph0.json").write_text(json.dumps(rows))


@pytest.mark.parametrize("spoil", [
    rewritten(members=3), rewritten(members="two"), rewritten(members=None), rewritten(tta="all"),
    rewritten(class_names=None), shortened("classifier.json", 10), shortened("weights0.npz", 900),
    shortened("weights0.npz", 0), shortened("graph1.json", 50), shortened("graph1.json", 0),
    pickled, other_graph, lambda folder: (folder / "weights1.npz").unlink(),
    lambda folder: (folder / "classifier.json").write_text("[]")])
def test_a_spoilt_folder_is_one_sentence(classifier, tmp_path, spoil):
    classifier.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError) as e:
        Classifier.load(tmp_path)
    assert str(tmp_path) in str(e.value)


def test_an_archive_that_expands_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.classifier.LARGEST", 1 << 20)
    with zipfile.ZipFile(tmp_path / "weights0.npz", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a.npy", bytes(8 << 20))
    with pytest.raises(ValueError, match="would expand to 8 MiB"):
        refuse_bomb(tmp_path / "weights0.npz")
