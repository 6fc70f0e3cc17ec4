"""MedMNIST files: splits stay apart, and BloodMNIST trains no entry."""

from pathlib import Path

import numpy as np
import pytest

from harness.data import medmnist
from harness.data.sources import load
from harness.prepare import prepare
from zoo.errors import UserError

SIZES = {"train": 30, "val": 12, "test": 18}


def medmnist_file(path: Path, classes: int = 3) -> Path:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in SIZES.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28, 3), np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n) % classes)[:, None].astype(np.uint8)
    np.savez_compressed(path, **arrays)
    return path


def test_the_training_split_is_what_a_file_gives(tmp_path: Path) -> None:
    dataset = load(medmnist_file(tmp_path / "pathmnist.npz"))
    assert len(dataset) == SIZES["train"]
    assert dataset.role == "competition"
    assert dataset.labels[:4].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("way", ["{}", "medmnist:{}", "medmnist:{}/train"])
def test_what_a_run_was_trained_on_can_be_read_again(tmp_path: Path, way: str) -> None:
    dataset = load(way.format(medmnist_file(tmp_path / "pathmnist.npz")))
    assert load(dataset.provenance).content_hash == dataset.content_hash


@pytest.mark.parametrize("split", SIZES)
def test_each_split_can_be_named(tmp_path: Path, split: str) -> None:
    path = medmnist_file(tmp_path / "pathmnist.npz")
    assert len(load(f"medmnist:{path}/{split}")) == SIZES[split]
    assert (load(f"medmnist:{path}/{split}").role == "competition") == (split == "train")


def test_bloodmnist_is_known_by_name_and_by_its_sizes(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = medmnist_file(tmp_path / "bloodmnist_64.npz", classes=8)
    assert load(named).role == "BloodMNIST"
    assert load(named).class_names[1] == "eosinophil"
    monkeypatch.setattr(medmnist, "COUNTS", tuple(SIZES.values()))
    renamed = medmnist_file(tmp_path / "cells.npz", classes=8)
    for key in ("train", "val", "test"):
        assert load(renamed, f"{key}_images", f"{key}_labels").role == "BloodMNIST"


@pytest.mark.parametrize("split", ["", "/train", "/val", "/test"])
def test_no_split_of_bloodmnist_trains_an_entry(tmp_path: Path, split: str) -> None:
    path = medmnist_file(tmp_path / "bloodmnist.npz", classes=8)
    with pytest.raises(UserError, match="BloodMNIST benchmark.*must not train"):
        prepare(f"medmnist:{path}{split}")


def test_no_split_of_bloodmnist_judges_an_entry(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    np.savez(tmp_path / "contest.npz", images=rng.integers(0, 256, (60, 28, 28, 3), np.uint8),
             labels=np.arange(60) % 8)
    path = medmnist_file(tmp_path / "bloodmnist.npz", classes=8)
    for split in ("val", "test"):
        with pytest.raises(UserError, match="BloodMNIST"):
            prepare(str(tmp_path / "contest.npz"), test=f"medmnist:{path}/{split}")


def test_unknown_names_and_other_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bloodmnist128"):
        load("medmnist:nonsense")
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="no MedMNIST file"):
        load(f"medmnist:{tmp_path / 'a.npz'}")
    with pytest.raises(UserError, match="does not exist"):
        load(f"medmnist:{tmp_path / 'b.npz'}")


def test_a_file_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                            ) -> None:
    monkeypatch.setenv("HARNESS_MEDMNIST", str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    medmnist_file(tmp_path / "bloodmnist_128.npz", classes=8)
    assert len(load("medmnist:bloodmnist128/val")) == SIZES["val"]


def test_a_download_that_fails_says_where_to_put_the_file(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import weights

    def refuse(url: str, target: Path, hash: str) -> None:
        raise weights.NotFetched("no network")

    monkeypatch.setenv("HARNESS_MEDMNIST", str(tmp_path))
    monkeypatch.setattr(weights, "download", refuse)
    with pytest.raises(UserError, match=r"bloodmnist_224\.npz .*no network"):
        load("medmnist:bloodmnist224")
