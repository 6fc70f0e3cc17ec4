"""What jobs train on, and what they are tested on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.dataset import Dataset
from harness.data.sources import load_judged
from harness.prepare import Prepared, aligned, judgeable, prepare
from zoo import UserError


def named(labels: list[int], *names: str) -> Dataset:
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 8, 8, 3), dtype=np.uint8)
    return Dataset(images, np.array(labels), names, "test")


def test_a_test_that_lacks_a_class_is_numbered_as_the_training_data_is() -> None:
    train = named([0, 1, 2], "a", "b", "c")
    assert aligned(named([0, 1, 1], "a", "c"), train, "t").labels.tolist() == [0, 2, 2]
    assert aligned(named([0, 2, 1]), train, "t").labels.tolist() == [0, 2, 1]


def test_a_class_that_training_does_not_have_is_refused() -> None:
    train = named([0, 1, 2], "a", "b", "c")
    with pytest.raises(UserError, match="the class 'd'"):
        aligned(named([0, 1], "a", "d"), train, "t")
    with pytest.raises(UserError, match="the label 3"):
        aligned(named([0, 3]), train, "t")


def test_a_set_that_only_judges_may_lack_classes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "one.npz", images=images, labels=[2, 2, 2, 2])
    found = load_judged(tmp_path / "one.npz")
    assert found.labels.tolist() == [2] * 4
    assert found.class_names == ("class 0", "class 1", "class 2")
    np.savez(tmp_path / "none.npz", images=images)
    with pytest.raises(UserError, match="--labels-key"):
        load_judged(tmp_path / "none.npz")


def test_pictures_that_cant_be_read_judge_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    broken = replace(named([0, 1, 1], "a", "b"), unreadable=(1,))
    found = judgeable(broken, "t")
    assert (found.labels.tolist(), found.unreadable) == ([0, 1], ())
    assert "1 of 3 pictures of t can't be read" in capsys.readouterr().err
    with pytest.raises(UserError, match="no picture that can be read"):
        judgeable(replace(broken, unreadable=(0, 1, 2)), "t")


def test_a_test_without_labels_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    judgeable(named([-1, -1]), "t", "labels")
    assert "--labels-key" in capsys.readouterr().err


def test_a_few_pictures_of_each_class_can_be_split_once() -> None:
    labels, group = [0, 1] * 4 + [0], np.array([0, 1, 2, 3, 4, 5, 6, 7, 0])
    (train, validation), = Prepared(named(labels, "a", "b"), group, {}, {}).folds(1)
    assert sorted([*train, *validation]) == list(range(9))
    assert 2 <= len(validation) <= 3
    many = Prepared(named([0, 1] * 50, "a", "b"), np.arange(100), {}, {})
    assert len(many.folds(1)[0][1]) == 10


def test_the_only_picture_of_a_class_is_learned_and_its_copies_with_it() -> None:
    labels, group = [1, 2, *[0] * 58], np.array([0, 1, *range(2, 58), 0, 1])
    (train, validation), = Prepared(named(labels, "a", "b", "c"), group, {}, {}).folds(1)
    assert set(train) >= {0, 1, 58, 59}
    assert sorted([*train, *validation]) == list(range(60))
    assert train.tolist() == sorted(train)
    assert 4 <= len(validation) <= 6


def test_a_test_with_labels_beyond_its_names_is_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (60, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images[:40], labels=np.arange(40) % 4)
    np.savez(tmp_path / "b.npz", images=images[40:], labels=np.arange(20) % 4,
             class_names=["class 0", "class 1"])
    with pytest.raises(UserError, match="label 2 of picture 2 .*2 classes"):
        prepare(str(tmp_path / "a.npz"), str(tmp_path / "b.npz"))


def test_how_a_source_was_read_reads_it_again(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (60, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", pictures=images, classes=np.arange(60) % 3)
    first = prepare(str(tmp_path / "a.npz"), images_key="pictures", labels_key="classes", drop=[7])
    again = prepare(str(tmp_path / "a.npz"), **first.reading)
    assert again.dataset.content_hash == first.dataset.content_hash
    assert len(first.dataset) == 59


def test_a_notebook_names_the_arrays_of_its_file(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import forecasts, sweep, train

    images = np.random.default_rng(0).integers(0, 255, (60, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", pictures=images, classes=np.arange(60) % 3)
    monkeypatch.setattr(sweep, "run_job", lambda spec, prepared, *rest: prepared)
    monkeypatch.setattr(forecasts, "update", lambda store: [])
    prepared: Any = train(str(tmp_path / "a.npz"), "smallcnn2", runs=tmp_path / "runs",
                          images_key="pictures", labels_key="classes")
    assert len(prepared.dataset) == 60
    assert list((tmp_path / "runs").glob("cleaning-*.json"))  # the page shows it
    with pytest.raises(UserError, match="seed must be"):
        train(str(tmp_path / "a.npz"), "smallcnn2", runs=tmp_path / "runs", seed=-1)


def test_a_run_that_says_names_from_before_is_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
        ) -> None:
    from types import SimpleNamespace

    from harness import finish
    from harness.protocol import protocol
    from harness.sweep import Spec, run_job

    monkeypatch.setattr(finish, "tested", lambda run, *rest: run)
    spec = Spec("vgg16", None, {"origin": "random"}, protocol("strong", {}), 1, 0)
    old = SimpleNamespace(id="old", folder=tmp_path / "old",
                          config={"data": {"classes": ["a", "b"]}})
    store: Any = SimpleNamespace(find=lambda identity: old)
    for names, said in ((("a", "b"), False), (("a", "c"), True)):
        run_job(spec, Prepared(named([0, 1], *names), np.arange(2), {}, {}), store, None)  # type: ignore[arg-type]
        assert ("says the old names" in " ".join(capsys.readouterr().err.split())) == said
