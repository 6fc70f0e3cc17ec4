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


def discs(n: int, seed: int) -> np.ndarray:
    """Different pictures, so simple that many look like copies of each other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    places = rng.uniform((13, 13, 6), (19, 19, 10), (n, 3))
    inside = np.stack([np.hypot(y - a, x - b) < r for a, b, r in places])
    return np.repeat(np.where(inside, 60, 200).astype(np.uint8)[..., None], 3, 3)


def test_pictures_too_simple_to_tell_copies_by_are_left_out(
        capsys: pytest.CaptureFixture[str]) -> None:
    a, b = np.unique(discs(300, 0), axis=0), discs(100, 1)
    b = np.delete(b, leaked(a, b)[0][:, 1], 0)
    rest = check_leak(dataset(a), dataset(b), "a.npz", "b.npz")
    assert 0 < len(rest) < len(b)
    assert not any(map(len, leaked(a, rest.images)))
    assert f"{len(b) - len(rest)} of {len(b)} pictures of b.npz are left" in capsys.readouterr().err


def test_simple_pictures_hide_no_leak() -> None:
    simple = np.unique(discs(300, 0), axis=0)
    with pytest.raises(UserError, match="changed a little"):
        check_leak(dataset(simple), dataset(simple[:80, ::-1]), "a.npz", "b.npz")
    with pytest.raises(UserError, match="in a.npz and in b.npz"):
        check_leak(dataset(simple), dataset(np.concatenate([discs(50, 1), simple[:1]])), "a.npz",
                   "b.npz")
