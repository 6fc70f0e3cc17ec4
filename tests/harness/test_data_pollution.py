"""What is pollution, and what is only alike: pictures of one camera, of one layout, oversampled."""

import numpy as np
import pytest
from changed_pictures import CHANGES

from harness.data import demo
from harness.data.clean import clean, judged
from harness.data.dataset import Dataset
from harness.data.fingerprints import fingerprints


def one_camera(n: int, side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Shots of the same part by the same camera, with 0 to 3 scratches, which are the labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    far = np.hypot(x - side / 2, y - side / 2) / side
    part = 150 + 50. * (far < .35) - 70 * (far < .15) + 20 * np.sin(x * 12 / side) * (y > x)
    labels = rng.integers(0, 4, n)
    images = []
    for k in labels:
        shot = part.copy()
        for _ in range(k):
            a, b = rng.uniform(.2, .8, 2) * side
            angle, long = rng.uniform(0, np.pi), rng.uniform(.1, .2) * side
            along = (x - a) * np.cos(angle) + (y - b) * np.sin(angle)
            across = (y - b) * np.cos(angle) - (x - a) * np.sin(angle)
            shot[(np.abs(along) < long) & (np.abs(across) < side * .015)] -= 60
        images.append(shot * rng.normal(1, .03) + rng.normal(0, 4, (side, side)))
    return np.repeat(np.clip(images, 0, 255).astype(np.uint8)[..., None], 3, 3), labels


def one_layout(n: int, side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures of one layout, as X-rays of chests are; faint spots are the labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:side * 1j, -1:1:side * 1j]
    labels = rng.integers(0, 4, n)
    images = []
    for k in labels:
        a, b = (x - rng.normal(0, .04)) * rng.normal(1, .06), y - rng.normal(0, .04)
        shot = 150 + 40 * np.exp(-(a / .09) ** 2) + 7 * np.sin(14 * b + 3 * a * a)
        for lung in (-.4, .4):
            shot -= 60 * np.exp(-(((a - lung) / .27) ** 2 + (b / .55) ** 2) ** 2)
        spot = np.hypot(a - .4, b - rng.uniform(-.4, .3))
        images.append(shot + 12 * k * np.exp(-(spot / .12) ** 2) + rng.normal(0, 3, shot.shape))
    return np.repeat(np.clip(images, 0, 255).astype(np.uint8)[..., None], 3, 3), labels


def cleaned(images: np.ndarray, labels: np.ndarray, **more: object) -> dict[int, str]:
    names = tuple(map(str, range(labels.max() + 1)))
    report = clean(Dataset(images, labels.astype(np.int64), names, "test"))
    return {r["index"]: r["reason"] for r in report.dropped}


@pytest.mark.parametrize("side", [28, 64])
@pytest.mark.parametrize("shots", [one_camera, one_layout])
def test_pictures_that_all_show_the_same_are_no_pollution(shots: object, side: int) -> None:
    assert cleaned(*shots(240, side)) == {}  # type: ignore[operator]


def test_one_picture_with_wrong_labels_does_not_take_its_likes_with_it() -> None:
    images, labels = one_camera(240, 64)
    perfect = np.flatnonzero(labels == 0)
    images = np.concatenate([images, images[perfect[[0, 0]]]])
    labels = np.concatenate([labels, [1, 2]])
    assert set(cleaned(images, labels)) == {int(perfect[0]), 240, 241}


@pytest.mark.parametrize("copies_of_each", [10, 40])
def test_changed_copies_with_all_labels_are_pollution_where_others_are_not(copies_of_each: int
                                                                           ) -> None:
    cells, labels = demo.cells(300, np.random.default_rng(3), demo.AWAY)
    rng, made, names = np.random.default_rng(4), [], list(CHANGES)
    for picture in (demo.face(), demo.stripes()):
        for _ in range(copies_of_each):
            made.append(picture)
            for _ in range(2):
                made[-1] = CHANGES[names[rng.integers(len(names))]](made[-1])
    images = np.concatenate([cells, np.stack(made)])
    gone = cleaned(images, np.concatenate([labels, np.arange(len(made)) % 8]))
    assert set(gone) <= set(range(300, len(images)))
    assert len(gone) >= .9 * len(made)


def test_an_oversampled_class_keeps_one_of_each() -> None:
    contents = [[i] for i in range(100)] + [list(range(a, a + 15)) for a in (100, 115, 130)]
    labels = np.concatenate([np.arange(100) % 2, np.full(45, 2)])
    assert {r["reason"] for r in judged(contents, labels)} == {"duplicate"}
    labels[115:] = 0    # among a hundred that stand there once, two are pollution
    assert {r["index"] for r in judged(contents, labels) if r["reason"] == "pollution"} == set(
        range(115, 145))


def test_a_rare_class_is_not_emptied() -> None:
    cells, labels = demo.cells(200, np.random.default_rng(5), demo.HOME)
    rare = np.flatnonzero(labels == 0)[:2]
    kept = np.concatenate([np.flatnonzero(labels > 0), np.repeat(rare, 25)])
    report = clean(Dataset(cells[kept], labels[kept], tuple("abcdefgh"), "test"))
    assert report.class_counts()["a"] == 2
    assert {r["reason"] for r in report.dropped if r["index"] >= len(kept) - 50} == {"duplicate"}


@pytest.mark.parametrize("side", [9, 28, 48, 50, 80, 112])
def test_fingerprints_are_the_same_for_all_orientations_at_any_size(side: int) -> None:
    rough = np.random.default_rng(0).integers(0, 256, (20, side, side, 3), np.uint8)
    upright = fingerprints(rough).numbers
    for k in range(1, 8):
        turned = np.rot90(rough, k % 4, axes=(1, 2))
        turned = turned[:, :, ::-1] if k >= 4 else turned
        assert np.allclose(fingerprints(np.ascontiguousarray(turned)).numbers, upright, atol=1e-3)


def test_letters_a_little_bolder_than_others_are_no_outliers() -> None:
    from pathlib import Path

    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    fonts = sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVuS*.ttf"))
    rng, pictures = np.random.default_rng(0), []
    labels = rng.integers(0, 8, 1200)
    for k in labels:
        paper, ink = rng.integers(180, 256, 3), rng.integers(0, 100, 3)
        sheet = Image.new("RGB", (48, 48), tuple(paper.tolist()))
        font = ImageFont.truetype(fonts[rng.integers(len(fonts))], int(48 * rng.uniform(.6, .85)))
        ImageDraw.Draw(sheet).text(tuple(24 + rng.normal(0, 2.4, 2)), "ABCDEFGH"[k],
                                   tuple(ink.tolist()), font, "mm")
        pictures.append(np.asarray(sheet) + rng.normal(0, 2, (48, 48, 3)))
    images = np.clip(pictures, 0, 255).astype(np.uint8)
    assert "outlier" not in cleaned(images, labels).values()
