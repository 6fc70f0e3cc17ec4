"""Soups: means of weights."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import load_classifier, load_data, soup, tta
from harness.data.dataset import Dataset
from harness.prepare import prepare
from harness.protocol import PRESETS, protocol
from harness.runs import Store
from harness.training.run import Job
from tests.harness.conftest import SMALL, harness, tiny_contest
from tests.harness.fake_store import make_store
from zoo import UserError
from zoo.files import write_json
from zoo.graph import Graph, Node
from zoo.table import backbone


def test_a_soup_of_one_is_itself_and_of_two_their_mean() -> None:
    first = backbone("smallcnn2").graph(16, seed=1)
    second = Graph(first.nodes, {k: v + 2 for k, v in first.arrays.items()})
    same = soup.average([first, first])
    both = soup.average([first, second])
    for k, v in first.arrays.items():
        assert np.array_equal(same.arrays[k], v)
        assert np.allclose(both.arrays[k], v + 1)
        assert both.arrays[k].dtype == v.dtype


def test_networks_that_are_built_differently_are_refused() -> None:
    with pytest.raises(UserError, match="built alike"):
        soup.average([backbone("smallcnn2").graph(16), backbone("smallcnn3").graph(16)])


def by_channel(factor: float) -> Graph:
    """A network whose class is the brightest channel; with a negative factor, the darkest."""
    return Graph((Node("pool", "global average", ("input",)),
                  Node("logits", "dense", ("pool",), {"activation": "softmax"}, ("kernel",))),
                 {"logits/kernel": np.float32(factor) * np.eye(3, dtype="float32")})


def test_a_network_that_lowers_the_suites_accuracy_stays_out_of_the_soup() -> None:
    labels = np.arange(60) % 3
    images = np.random.default_rng(0).integers(0, 90, (60, 16, 16, 3), dtype=np.uint8)
    images[np.arange(60), :, :, labels] += 120
    job = Job(Dataset(images, labels, ("a", "b", "c"), "test"), ((labels[:0], np.arange(60)),),
              backbone("smallcnn2"), None, protocol("quick", {"suite": 150}))
    good, bad = by_channel(0.1), by_channel(-0.5)
    assert soup.greedy(job, [good, bad, good]) == [0, 2]


@pytest.mark.parametrize("change, sentence", [
    ({"seed": 1, "weights": {"origin": "from scratch"}}, "began at different random weights"),
    ({"protocol": {**PRESETS["seed"].to_json(), "tta": "flip"}}, "test-time augmentation"),
])
def test_runs_whose_mean_is_no_network_or_nothing_new_are_refused(
        tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    first, second = make_store(tmp_path, 2).finished()
    same = {**first.config, "weights": change.get("weights", first.config["weights"])}
    write_json(first.folder / "config.json", same)
    write_json(second.folder / "config.json", {**same, **change})
    store = Store(tmp_path)
    with pytest.raises(UserError, match=sentence):
        soup.make(store, store.finished())


@pytest.mark.parametrize("field, sentence", [
    ({"dreams": 3}, "no field 'dreams'"),
    ({}, "validated on other pictures than this version would"),
])
def test_a_run_of_another_version_is_not_guessed_at(
        tmp_path: Path, field: dict[str, int], sentence: str) -> None:
    tiny_contest(tmp_path / "contest.npz")
    hashed = prepare(str(tmp_path / "contest.npz")).dataset.content_hash
    run = make_store(tmp_path / "runs", 1).finished()[0]
    config = {**run.config, "protocol": {**run.config["protocol"], **field}, "data": {
        **run.config["data"], "provenance": str(tmp_path / "contest.npz"), "hash": hashed}}
    write_json(run.folder / "config.json", config)
    store = Store(tmp_path / "runs")
    with pytest.raises(UserError, match=sentence):
        tta.make(store, store.finished()[0], "flip")


def test_views_are_added_once(tmp_path: Path) -> None:
    run = make_store(tmp_path, 1).finished()[0]
    write_json(run.folder / "config.json", tta.configuration(run, "flip"))
    store = Store(tmp_path)
    with pytest.raises(UserError, match=r"already \(flip\)"):
        tta.make(store, store.finished()[0], "dihedral")


@pytest.mark.slow
def test_runs_of_several_seeds_become_one_run(
        line: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(line / "contest.npz", here)
    result = harness("zoo", "--data", "contest.npz", "--backbones", "mobilenetv2", "--weights",
                     "none", "--seeds", "2", *SMALL)
    assert result.exit_code == 0, result.output
    monkeypatch.setattr(soup, "greedy", lambda job, graphs: list(range(len(graphs))))
    ids = [r.id for r in Store("runs").finished()]
    assert len(ids) == 2
    shutil.copy(line / "shifted.npz", here)
    result = harness("soup", *ids, "--test", "shifted.npz")
    assert result.exit_code == 0, result.output
    made = next(r for r in Store("runs").finished() if "members" in r.config)
    souped = load_classifier(made.id).graphs[0].arrays
    each = [load_classifier(i).graphs[0].arrays for i in ids]
    for k in souped:
        assert np.allclose(souped[k], np.mean([e[k] for e in each], 0), atol=1e-6)
    assert made.config["test"]["name"] == "shifted.npz"
    assert len(made.predictions()["test"]) == made.config["test"]["n"] > 0
    assert harness("soup", ids[0], ids[0]).exit_code == 2


@pytest.mark.slow
def test_test_time_augmentation_is_a_run_that_predicts_the_mean_of_its_views(
        line: Path, here: Path) -> None:
    shutil.copy(line / "contest.npz", here)
    shutil.copytree(line / "runs", here / "runs")
    run = Store("runs").finished()[0]
    result = harness("tta", run.id, "--views", "flip")
    assert result.exit_code == 0, result.output
    made = next(r for r in Store("runs").finished() if r.config["protocol"]["tta"] == "flip")
    images = made.sample()["images"]
    one = load_classifier(run.id)
    assert made.metrics["test"] is None
    mean = (one.predict(images) + one.predict(images[:, :, ::-1])) / 2
    assert np.allclose(load_classifier(made.id).predict(images), mean, atol=1e-5)
    assert np.allclose(made.predictions()["validation"][made.sample()["position"]], mean,
                       atol=1e-5)
    shutil.copy(line / "shifted.npz", here)
    result = harness("tta", run.id, "--views", "flip", "--test", "shifted.npz")
    assert result.exit_code == 0, result.output
    assert len(Store("runs").finished()) == 3
    found = Store("runs").run(made.id)
    shifted = load_data("shifted.npz")
    right = found.predictions()["test"].argmax(1) == shifted.labels
    assert found.metrics["test"]["accuracy"] == np.mean(right)
    assert found.config["test"]["n"] == len(shifted)
