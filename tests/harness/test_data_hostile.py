"""Whatever lies in an npz file, reading it gives a data set or one sentence, soon and safely."""

import time
from pathlib import Path

import numpy as np
import pytest

from harness.data.sources import load
from tests.attacks.hostile_npz import every, good_arrays, npz, objects
from zoo.errors import UserError

CASES = list(every())
SECONDS = 20.0      # generous: machines may be crowded


def test_a_few_hundred_files_are_tried() -> None:
    assert len(CASES) > 300
    assert len({name for name, _ in CASES}) > 300


@pytest.mark.parametrize("part", range(8))
def test_a_damaged_file_is_one_sentence(part: int, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "stranger.npz"
    refused = 0
    for name, content in CASES[part::8]:
        path.write_bytes(content)
        began = time.monotonic()
        try:
            dataset = load(path)
        except UserError as e:
            refused += 1
            message = str(e)
            assert "stranger.npz" in message, name
            assert "\n" not in message, name
            assert len(message) < 600, name
        else:
            assert len(dataset.images) == len(dataset.labels) > 0, name
            assert dataset.images.dtype == np.uint8, name
            assert dataset.labels.max() < len(dataset.class_names), name
        assert time.monotonic() - began < SECONDS, name
    assert refused > 0.6 * len(CASES[part::8])
    assert [p.name for p in tmp_path.iterdir()] == ["stranger.npz"], "something was executed"


def test_the_undamaged_file_is_read(tmp_path: Path) -> None:
    arrays = good_arrays()
    for compressed in (False, True):
        (tmp_path / "a.npz").write_bytes(npz(compressed, **arrays))
        dataset = load(tmp_path / "a.npz")
        assert np.array_equal(dataset.images, arrays["images"])
        assert np.array_equal(dataset.labels, arrays["labels"][:, 0])


def test_pickled_objects_are_never_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    (tmp_path / "a.npz").write_bytes(objects(trap))
    with pytest.raises(UserError, match="Python objects"):
        load(tmp_path / "a.npz")
    assert not trap.exists()


def test_what_is_no_list_of_class_names_is_left_unread(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.npz", good_arrays()
    words = np.array(["a", "b", "c"])[arrays["labels"][:, 0]]
    for other in (np.array([{}, None], object), words):
        np.savez(path, classes=other, **arrays)
        assert load(path).class_names == ("class 0", "class 1", "class 2")
    np.savez(path, classes=words, label_names=["x", "y", "z"], **arrays)
    assert load(path).class_names == ("x", "y", "z")


def test_labels_with_gaps_are_to_be_numbered_again(tmp_path: Path) -> None:
    path, images = tmp_path / "a.npz", good_arrays()["images"]
    np.savez(path, images=images, labels=np.arange(12) % 4 * 10 + 10)
    with pytest.raises(UserError, match="4 different labels, up to 40; they must go from 0 to 3"):
        load(path)
    np.savez(path, images=images, labels=[0, 1, 2] * 3 + [0, 1, 99])
    with pytest.raises(UserError, match="label 99 of picture 11 .* the file has 3 classes, 0..2"):
        load(path)


def test_cells_are_named_only_where_their_numbers_are_the_contests(tmp_path: Path) -> None:
    path, images = tmp_path / "a.npz", np.zeros((960, 96, 96, 3), np.uint8)
    contest = np.repeat(np.arange(8), [70, 175, 87, 162, 68, 80, 186, 132])
    np.savez_compressed(path, images=images, labels=contest)
    assert load(path).class_names[:2] == ("basophil", "eosinophil")
    contest[0] = 8
    np.savez_compressed(path, images=images, labels=contest)
    with pytest.raises(UserError, match="label 8 of picture 0 .* the file has 8 classes"):
        load(path)
    others = np.arange(960) % 8
    np.savez_compressed(path, images=images, labels=others)
    assert load(path).class_names[:2] == ("class 0", "class 1")
    others[0] = 8
    np.savez_compressed(path, images=images, labels=others)
    assert len(load(path).class_names) == 9


def test_what_can_be_mended_in_a_line_is_answered_with_that_line(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.npz", good_arrays()
    images, labels = arrays["images"], arrays["labels"][:, 0]
    for change, line in (
            ({"images": images / 255}, r"\(images \* 255\)\.round\(\)"),
            ({"images": (images > 99).astype(float)}, r"\(images \* 255\)\.round\(\)"),
            ({"images": images / 127.5 - 1}, r"\(\(images \+ 1\) \* 127\.5\)\.round\(\)"),
            ({"images": images.astype(np.uint16) * 257}, "Scale them to that range"),
            ({"images": images.transpose(0, 3, 1, 2)}, r"transpose\(0, 2, 3, 1\)"),
            ({"images": np.concatenate([images, images[..., :1]], -1)}, r"images\[\.\.\., :3\]"),
            ({"labels": np.eye(3)[labels]}, r"labels\.argmax\(1\)"),
            ({"labels": np.array(["a", "b", "c"])[labels]}, r"'class_names'")):
        np.savez(path, **{**arrays, **change})
        with pytest.raises(UserError, match=line):
            load(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_is_not_read_without_end() -> None:
    with pytest.raises(UserError, match="neither a file nor a folder"):
        load("/dev/zero")


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "absent.npz")
    with pytest.raises(UserError, match="holds no pictures"):
        load(tmp_path)
