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


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "absent.npz")
    with pytest.raises(UserError, match="holds no pictures"):
        load(tmp_path)
