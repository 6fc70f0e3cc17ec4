"""What jobs train on, and what they are tested on."""

import numpy as np
import pytest

from harness.data.dataset import Dataset
from harness.prepare import aligned
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
