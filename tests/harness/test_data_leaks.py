"""Two sets that share a picture, or a changed copy of one, are not compared."""

import numpy as np
import pytest
from changed_pictures import changed

from harness.data import demo
from harness.data.dataset import Dataset
from harness.data.leaks import check_leak, leaked
from zoo.errors import UserError


def dataset(images: np.ndarray) -> Dataset:
    return Dataset(images, np.arange(len(images)) % 2, ("a", "b"), "test")


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return demo.test().images


def test_separate_sets_pass(cells: np.ndarray) -> None:
    check_leak(dataset(cells[:200]), dataset(cells[200:]), "a.npz", "b.npz")


def test_a_copy_is_refused_and_named(cells: np.ndarray) -> None:
    other = np.concatenate([cells[200:205], cells[7:8]])
    with pytest.raises(UserError, match=r"1 pictures are in a\.npz and in b\.npz .*7 and 5"):
        check_leak(dataset(cells[:200]), dataset(other), "a.npz", "b.npz")


@pytest.mark.parametrize("change", ["JPEG at 60", "a pixel down", "orientation 3", "5 % darker"])
def test_a_changed_copy_is_refused(cells: np.ndarray, change: str) -> None:
    other = np.concatenate([cells[200:205], changed(cells[7:8], change)])
    exact, near = leaked(cells[:200], other)
    assert len(exact) == 0
    assert near.tolist() == [[7, 5]]
    with pytest.raises(UserError, match="changed a little"):
        check_leak(dataset(cells[:200]), dataset(other), "a.npz", "b.npz")


def test_many_copies_of_one_picture_hide_no_leak(cells: np.ndarray) -> None:
    crowd = np.repeat(cells[3:4], 50, 0)
    exact, near = leaked(np.concatenate([crowd, cells[:100]]), changed(cells[3:4], "5 % brighter"))
    assert len(exact) == 0
    assert near.tolist() == [[0, 0]]


def test_sets_of_other_sizes_are_compared_as_well(cells: np.ndarray) -> None:
    from PIL import Image

    small = np.stack([np.asarray(Image.fromarray(p).resize((48, 48))) for p in cells[50:60]])
    exact, near = leaked(cells[:100], small)
    assert len(exact) == 0
    assert near[:, 0].tolist() == list(range(50, 60))
