"""Mixed pictures carry labels in the proportion in which they were mixed."""

import numpy as np
import pytest

from harness.augment import draws
from harness.augment.mixing import cutmix, mix, mixup
from zoo.errors import UserError

N, K = 64, 5
COLOURS = np.linspace(0, 252, N).astype(np.uint8)
IMAGES = np.broadcast_to(COLOURS[:, None, None, None], (N, 24, 20, 3)).copy()
LABELS = np.eye(K, dtype=np.float32)[np.arange(N) % K]


@pytest.mark.parametrize("kind", ["none", "mixup", "cutmix", "both"])
def test_label_mass_is_kept(kind):
    smoothed = LABELS * 0.9 + 0.1 / K
    for labels in (LABELS, smoothed):
        images, mixed = mix(IMAGES, labels, kind, seed=0, step=3)
        np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-6)
        assert mixed.min() >= 0
        assert images.shape == IMAGES.shape
        assert images.dtype == np.uint8


def test_cutmix_shares_are_the_pixels_shares():
    others = np.full_like(IMAGES, 255)
    mixed, share = cutmix(IMAGES, others, draws.key(0, np.arange(N)))
    np.testing.assert_allclose((mixed == 255).mean(axis=(1, 2, 3)), share, atol=1e-6)
    assert share.std() > 0.15


def test_mixup_shares_are_the_means_shares():
    black, pale = np.zeros_like(IMAGES), np.full_like(IMAGES, 200)
    mixed, share = mixup(black, pale, draws.key(0, np.arange(N)))
    np.testing.assert_allclose(mixed[:, 0, 0, 0], 200 * share, atol=0.51)
    assert ((share < 0.1) | (share > 0.9)).mean() > 0.3


@pytest.mark.parametrize("kind", ["mixup", "cutmix", "both"])
def test_images_and_labels_tell_of_the_same_partner(kind):
    """Each picture is of one colour and its label is its number: both must agree."""
    images, labels = mix(IMAGES, np.eye(N, dtype=np.float32), kind, seed=1, step=0)
    means = images.astype(float).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, labels @ COLOURS.astype(float), atol=0.51)
    assert (labels > 0).sum(axis=1).max() == 2


def test_no_picture_is_its_own_partner_and_each_is_one_partner():
    _, labels = mix(IMAGES, np.eye(N, dtype=np.float32), "mixup", seed=2, step=0)
    np.fill_diagonal(labels, 0)
    assert ((labels > 0).sum(axis=1) <= 1).all()
    assert ((labels > 0).sum(axis=0) <= 1).all()
    assert (labels > 0).sum() > 0.9 * N


def test_the_step_names_the_mixture():
    first = mix(IMAGES, LABELS, "both", 0, 1)
    again = mix(IMAGES, LABELS, "both", 0, 1)
    other = mix(IMAGES, LABELS, "both", 0, 2)
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


def test_one_picture_stays_alone():
    images, labels = mix(IMAGES[:1], LABELS[:1], "both", 0, 0)
    np.testing.assert_array_equal(images, IMAGES[:1])
    np.testing.assert_array_equal(labels, LABELS[:1])


def test_the_input_is_left_alone():
    before = IMAGES.copy()
    mix(IMAGES, LABELS, "both", 0, 0)
    np.testing.assert_array_equal(IMAGES, before)


def test_an_unknown_kind_is_a_sentence():
    with pytest.raises(UserError, match="no mixing 'blend'"):
        mix(IMAGES, LABELS, "blend", 0, 0)
