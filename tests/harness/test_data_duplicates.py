"""Near-duplicates are found however a copy was changed, and different pictures are not merged."""

from pathlib import Path

import numpy as np
import pytest
from changed_pictures import CHANGES, changed

from harness.data import demo
from harness.data.clean import clean
from harness.data.dataset import Dataset
from harness.data.duplicates import grouped, near_duplicates, twins
from harness.data.fingerprints import fingerprints

REAL = Path(__file__).parents[3] / "shared" / "data" / "cells.npz"


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Different pictures of the demo."""
    return demo.test().images


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_nothing_else(cells: np.ndarray, change: str) -> None:
    copied = np.arange(0, len(cells), 5)
    found = near_duplicates(np.concatenate([cells, changed(cells[copied], change)]))
    truth = {(int(i), len(cells) + j) for j, i in enumerate(copied)}
    pairs = {tuple(p) for p in found.tolist()}
    assert len(pairs & truth) >= 0.95 * len(truth)
    assert len(pairs - truth) <= len(cells) / 1000


def test_different_pictures_make_no_pairs(cells: np.ndarray) -> None:
    assert len(near_duplicates(cells)) <= len(cells) / 1000


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (150, 130), (9, 40)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    rough = np.random.default_rng(0).integers(0, 256, (60, 9, 9, 3), np.uint8)
    from PIL import Image

    pictures = np.stack([np.asarray(Image.fromarray(p).resize(size[::-1])) for p in rough])
    both = np.concatenate([pictures, pictures[:20, ::-1]])
    assert near_duplicates(both).tolist() == [[i, 60 + i] for i in range(20)]


@pytest.mark.parametrize("change", ["JPEG at 60", "orientation 5", "5 % darker"])
def test_changed_copies_of_small_pictures_are_found_and_nothing_else(cells: np.ndarray, change: str
                                                                     ) -> None:
    from PIL import Image

    small = np.stack([np.asarray(Image.fromarray(p).resize((28, 28), Image.Resampling.BOX))
                      for p in cells])
    found = near_duplicates(np.concatenate([small, changed(small[::5], change)])).tolist()
    truth = [[i, len(small) + j] for j, i in enumerate(range(0, len(small), 5))]
    assert sum(pair in found for pair in truth) >= 0.95 * len(truth)
    assert all(pair in truth for pair in found)


def test_blank_and_few_pictures_make_no_pairs() -> None:
    blank = np.full((30, 16, 16, 3), 200, np.uint8)
    blank[:, 3, 3] = np.arange(30)[:, None]
    assert len(near_duplicates(blank[:, :2, :2])) == 0
    assert near_duplicates(blank[:0]).shape == (0, 2)
    assert near_duplicates(blank[:1]).shape == (0, 2)


def test_fingerprints_are_the_same_for_all_orientations(cells: np.ndarray) -> None:
    original = fingerprints(cells[:40]).numbers
    for k in range(1, 8):
        turned = fingerprints(changed(cells[:40], f"orientation {k}")).numbers
        assert np.allclose(original, turned, atol=5e-3)


def test_twins_are_found_between_sets_of_different_sizes(cells: np.ndarray) -> None:
    from PIL import Image

    small = np.stack([np.asarray(Image.fromarray(p).resize((64, 64), Image.Resampling.BOX))
                      for p in cells[:50]])
    found = twins(cells, np.concatenate([255 - small[:5, :, ::-1], small[10:]]))
    assert {(i, i - 5) for i in range(10, 50)} >= {tuple(p) for p in found.tolist()}
    assert len(found) >= 38


def test_chains_become_one_group() -> None:
    group = grouped(7, np.array([[1, 3], [3, 5], [0, 6]]))
    assert group.tolist() == [0, 1, 2, 1, 4, 1, 0]
    assert grouped(3, np.empty((0, 2), np.int64)).tolist() == [0, 1, 2]


def test_near_duplicates_are_grouped_and_kept(cells: np.ndarray) -> None:
    images = np.concatenate([cells[:200], changed(cells[:3], "JPEG at 60"), cells[:1]])
    labels = np.concatenate([np.arange(200) % 2, [0, 1, 0], [0]])
    report = clean(Dataset(images, labels, ("a", "b"), "test"))
    assert report.groups == [[0, 200, 203], [1, 201], [2, 202]]
    assert [r for r in report.dropped if r["reason"] == "duplicate"] == [
        {"index": 203, "reason": "duplicate", "twin": 0}]
    assert report.mask[[0, 1, 2, 200, 201, 202]].all()


def test_changed_copies_of_a_foreign_picture_go_with_it(cells: np.ndarray) -> None:
    face = demo.face()
    variants = [CHANGES[c](face) for c in CHANGES]
    images = np.concatenate([cells[:200], np.repeat(face[None], 12, 0), np.stack(variants)])
    labels = np.concatenate([np.arange(212) % 3, np.zeros(len(variants), int)])
    report = clean(Dataset(images, labels, ("a", "b", "c"), "test"))
    gone = {r["index"]: r for r in report.dropped}
    assert set(gone) == set(range(200, len(images)))
    assert {r["reason"] for r in gone.values()} == {"pollution"}
    assert all(gone[i]["twin"] == 200 for i in range(212, len(images)))
    assert report.groups == []


def test_near_duplicates_with_three_labels_are_pollution(cells: np.ndarray) -> None:
    images = np.concatenate([cells[:200], changed(cells[:2], "JPEG at 60"),
                             changed(cells[:1], "a pixel down")])
    labels = np.concatenate([np.arange(200) % 3, [1, 2, 2]])
    report = clean(Dataset(images, labels, ("a", "b", "c"), "test"))
    assert report.dropped == [{"index": 0, "reason": "pollution", "twin": 200},
                              {"index": 200, "reason": "pollution", "twin": 0},
                              {"index": 202, "reason": "pollution", "twin": 0}]
    assert report.groups == [[1, 201]]


def test_two_wrong_labels_in_a_chain_of_near_duplicates_are_no_pollution(cells: np.ndarray) -> None:
    images = np.concatenate([cells[:100], *(changed(cells[:1], f"orientation {k}")
                                            for k in range(1, 8))])
    labels = np.zeros(len(images), int)
    labels[[50, 101, 60, 102]] = [1, 1, 2, 2]
    report = clean(Dataset(images, labels, ("a", "b", "c"), "test"))
    assert report.dropped == []
    assert report.groups == [[0, *range(100, 107)]]


def test_kinds_that_differ_in_colour_alone_are_no_pollution() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :48]
    colours = np.array([(200, 30, 30), (30, 160, 30), (30, 30, 200), (150, 150, 0)])
    labels = rng.integers(0, 4, 400)
    places = rng.uniform((20, 20, 10), (28, 28, 14), (400, 3))
    images = np.stack([np.where((np.hypot(y - a, x - b) < r)[..., None], colours[k], 250)
                       for (a, b, r), k in zip(places, labels, strict=True)])
    images = (images - rng.integers(0, 6, images.shape)).clip(0).astype(np.uint8)
    assert clean(Dataset(images, labels, tuple("abcd"), "test")).dropped == []


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not REAL.exists(), reason="the real pictures are not here")
@pytest.mark.parametrize("change", ["JPEG at 60", "a pixel up and left", "orientation 5",
                                    "5 % brighter"])
def test_copies_of_real_cells_are_found_and_true_neighbours_stay_apart(change: str) -> None:
    import io

    from PIL import Image

    with np.load(REAL) as z:
        blob, ends = z["blob"].tobytes(), z["offsets"]
        images = np.stack([np.asarray(Image.open(io.BytesIO(blob[a:b])).convert("RGB"))
                           for a, b in zip(ends[:1500], ends[1:1501], strict=True)])
    before = {tuple(p) for p in near_duplicates(images).tolist()}
    copied = np.arange(0, len(images), 7)
    found = near_duplicates(np.concatenate([images, changed(images[copied], change)]))
    truth = {(int(i), len(images) + j) for j, i in enumerate(copied)}
    pairs = {tuple(p) for p in found.tolist()}
    assert len(pairs & truth) >= 0.95 * len(truth)
    strangers = [p for p in pairs - truth - before if p[1] < len(images)]
    assert not strangers
