"""What a source or an option is, where it is not what was expected, and what to do about it."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.data.sources import load
from zoo.errors import UserError
from zoo.files import write_text

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (24, 20, 30, 3), np.uint8)
LABELS = np.arange(24) % 3


def refusal(path: Path, images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> str:
    np.savez(path / "data.npz", images=images, labels=labels)
    with pytest.raises(UserError) as refused:
        load(path / "data.npz")
    return str(refused.value)


def test_pictures_in_other_orders_are_told_how_to_turn(tmp_path: Path) -> None:
    assert "images.transpose(0, 2, 3, 1)" in refusal(tmp_path, IMAGES.transpose(0, 3, 1, 2))
    assert "images.transpose(3, 0, 1, 2)" in refusal(tmp_path, IMAGES.transpose(1, 2, 3, 0))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_pictures_of_two_values_are_not_taken_for_black(tmp_path: Path, kind: type) -> None:
    assert "images * 255" in refusal(tmp_path, (IMAGES > 128).astype(kind))


def test_standardised_pictures_are_not_told_to_be_rounded(tmp_path: Path) -> None:
    assert "(images).round()" not in refusal(tmp_path, IMAGES / 64.)
    assert "(images).round()" in refusal(tmp_path, IMAGES * .97)


def test_a_row_of_labels_is_not_taken_for_one_hot(tmp_path: Path) -> None:
    assert "labels[0]" in refusal(tmp_path, labels=LABELS[None])
    assert "argmax(1)" in refusal(tmp_path, labels=np.eye(3)[LABELS])


def test_a_zip_of_pictures_is_to_be_unpacked(tmp_path: Path) -> None:
    from PIL import Image

    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for i in range(4):
            png = io.BytesIO()
            Image.fromarray(IMAGES[i]).save(png, "PNG")
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", png.getvalue())
    with pytest.raises(UserError, match="Unpack it"):
        load(tmp_path / "pictures.zip")


@pytest.mark.parametrize("source", ["", "x" * 5000, "a/" * 3000 + "b"])
def test_what_names_no_file_is_one_sentence(source: str) -> None:
    with pytest.raises(UserError) as refused:
        load(source)
    assert len(str(refused.value)) < 400


def test_no_number_is_no_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "data.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(SystemExit) as end:
        main(["clean", str(tmp_path / "data.npz"), "--outliers", "nan"])
    assert end.value.code == 2
    assert "--outliers wants a number" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no pipes there")
def test_what_is_no_file_is_never_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no ordinary file"):
        write_text(tmp_path / "pipe", "words")
    assert (tmp_path / "pipe").is_fifo()
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that makes none")
def test_a_folder_that_can_not_be_made_is_said_to_be_missing() -> None:
    with pytest.raises(UserError, match="folder does not exist"):
        write_text("/proc/none/facts.json", "words")
