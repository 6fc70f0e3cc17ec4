"""What is dropped for which reason, and that nothing else is."""

from dataclasses import replace

import numpy as np
import pytest

from harness.data import demo
from harness.data.clean import clean, constant, copies, judged
from harness.data.dataset import Dataset
from zoo.errors import UserError


def dataset(labels: list[int], contents: list[int], **more: object) -> Dataset:
    """Tiny pictures; equal numbers in ``contents`` are equal pictures."""
    pictures = np.random.default_rng(0).integers(0, 256, (max(contents) + 1, 8, 8, 3), np.uint8)
    found = Dataset(pictures[contents], np.array(labels, np.int64), ("a", "b", "c"), "test")
    return replace(found, **more)  # type: ignore[arg-type]


def reasons(report: object) -> dict[int, tuple[str, int | None]]:
    return {r["index"]: (r["reason"], r["twin"]) for r in report.dropped}  # type: ignore[attr-defined]


def test_one_of_equal_pictures_with_one_label_stays() -> None:
    report = clean(dataset([0, 1, 0, 2, 0], [0, 1, 0, 2, 0]))
    assert reasons(report) == {2: ("duplicate", 0), 4: ("duplicate", 0)}
    assert report.mask.tolist() == [True, True, False, True, False]
    assert report.class_counts() == {"a": 1, "b": 1, "c": 1}


def test_of_equal_pictures_with_two_labels_none_stays() -> None:
    assert reasons(clean(dataset([0, 1, 1, 2], [0, 0, 1, 2]))) == {
        0: ("conflicting", 1), 1: ("conflicting", 0)}


def test_a_content_with_three_labels_is_pollution() -> None:
    found = reasons(clean(dataset([0, 1, 2, 2], [0, 0, 0, 1])))
    assert found == {0: ("pollution", 1), 1: ("pollution", 0), 2: ("pollution", 0)}


def test_a_content_again_and_again_under_one_label_is_pollution() -> None:
    contents = [*range(1, 41), *[0] * 12]
    report = clean(dataset([0, 1] * 26, contents))
    labels = np.array([0, 1] * 20 + [1] * 12)
    found = {r["reason"] for r in judged(copies(dataset(labels.tolist(), contents).images), labels)}
    assert found == {"pollution"}
    assert not report.mask[40:].any()


@pytest.mark.parametrize("limit", [8.0, 7.9, 6.0])
def test_a_rare_kind_in_company_stays_whatever_limit_is_asked_for(limit: float) -> None:
    images = demo.test().images.copy()
    images[:12, :, :, 0] //= 8
    report = clean(Dataset(images, np.arange(len(images)) % 3, ("a", "b", "c"), "test"),
                   outlier_limit=limit)
    assert report.mask[:12].all()
    assert {r["index"] for r in report.outliers} >= set(range(12))


def test_the_few_coloured_pictures_of_a_grey_file_stay() -> None:
    images = demo.test().images.copy()
    images[12:] = images[12:].mean(3, keepdims=True).astype(np.uint8)
    report = clean(Dataset(images, np.arange(len(images)) % 3, ("a", "b", "c"), "test"))
    assert report.mask[:12].sum() >= 11
    assert {r["index"] for r in report.outliers} >= set(range(12))


def test_an_oversampled_file_keeps_one_of_each() -> None:
    contents = np.repeat(np.arange(30), 12)
    rows = list(judged([list(range(12 * i, 12 * i + 12)) for i in range(30)], contents % 3))
    assert {r["reason"] for r in rows} == {"duplicate"}
    assert len(rows) == 30 * 11


def test_one_colour_everywhere_is_constant_and_a_single_other_pixel_is_not() -> None:
    images = np.zeros((4, 40, 33, 3), np.uint8)
    images[0] = (255, 0, 0)
    images[1] = 7
    images[2, 39, 32, 2] = 1
    assert constant(images) == [0, 1, 3]


def test_what_can_not_be_read_is_dropped_and_can_not_be_kept() -> None:
    damaged = dataset([0, 1, 2, 0], [0, 1, 2, 3], unreadable=(2,))
    assert reasons(clean(damaged)) == {2: ("unreadable", None)}
    with pytest.raises(UserError, match="can't be read"):
        clean(damaged, keep=[2])


def test_wishes_go_before_findings() -> None:
    data = dataset([0, 1, 0, 2], [0, 1, 0, 2])
    report = clean(data, keep=[2], drop=[1])
    assert report.mask.tolist() == [True, False, True, True]
    assert reasons(report) == {1: ("asked", None)}
    assert report.group[0] == report.group[2], "kept copies never part"
    for keep, drop in (([4], []), ([], [-1]), ([1], [1])):
        with pytest.raises(UserError, match="osition"):
            clean(data, keep=keep, drop=drop)


def test_the_hash_is_of_what_stays() -> None:
    dirty = dataset([0, 1, 0, 2], [0, 1, 0, 2])
    report = clean(dirty)
    assert report.content_hash == dirty.subset(report.mask).content_hash
    assert report.content_hash == clean(dirty.subset(report.mask)).content_hash
    assert report.content_hash != dirty.content_hash


def test_the_record_has_the_stated_keys() -> None:
    record = clean(dataset([0, 1, 0, 2], [0, 1, 0, 2])).to_json()
    assert set(record) == {"n", "dropped", "groups", "outliers", "suspected_labels",
                           "class_counts", "content_hash"}
    assert record["n"] == 4
    assert record["dropped"] == [{"index": 2, "reason": "duplicate", "twin": 0}]


def test_nothing_may_be_left() -> None:
    report = clean(Dataset(np.zeros((3, 8, 8, 3), np.uint8), np.array([0, 1, 0]), ("a", "b"), "t"))
    assert not report.mask.any()
    assert {r["reason"] for r in report.dropped} == {"constant"}
