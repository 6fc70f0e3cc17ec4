"""Mixed pictures carry labels in the proportion in which they were mixed."""

import numpy as np
import pytest

from harness.augment import draws
from harness.augment.mixing import KINDS, Mixing, Pairs, boxes, mix, weights
from zoo.errors import UserError

N, SHAPE = 64, (24, 20)
COLOURS = np.linspace(0, 252, N).astype(np.uint8)
IMAGES = np.broadcast_to(COLOURS[:, None, None, None], (N, *SHAPE, 3)).copy()
ALL, ONE_PART = np.arange(N), np.zeros(N, np.int64)


def pairs(kind: str, part: np.ndarray = ONE_PART, seed: int = 1, view: int = 2) -> Pairs:
    return Mixing(kind, part).pairs(ALL[:len(part)], seed, view, SHAPE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_partners_share_is_its_share_of_the_pixels_values(kind):
    found = pairs(kind)
    mixed = mix(IMAGES, IMAGES[found.partner], found)
    assert mixed.dtype == np.uint8
    expected = (1 - found.share) * COLOURS + found.share * COLOURS[found.partner]
    np.testing.assert_allclose(mixed.astype(float).mean((1, 2, 3)), expected, atol=0.51)
    assert found.share.min() >= 0
    assert found.share.max() <= 1
    assert found.share.std() > 0.15


def test_cutmix_puts_one_whole_rectangle_of_the_partner_in():
    found = pairs("cutmix")
    mixed = mix(np.zeros_like(IMAGES), np.full_like(IMAGES, 255), found)
    assert set(np.unique(mixed)) == {0, 255}
    np.testing.assert_allclose((mixed == 255).mean((1, 2, 3)), found.share, atol=1e-6)
    for picture in mixed[..., 0] == 255:
        rows, columns = picture.any(1), picture.any(0)
        assert picture.sum() == rows.sum() * columns.sum()


def test_most_of_mixups_mixtures_are_near_one_of_the_two():
    share = weights(draws.key(0, np.arange(2000)))
    assert ((share < 0.1) | (share > 0.9)).mean() > 0.5
    assert abs(share.mean() - 0.5) < 0.03


def test_a_rectangle_lies_inside_the_picture():
    top, bottom, left, right = boxes(draws.key(0, np.arange(2000)), SHAPE).T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (bottom <= SHAPE[0]).all()
    assert (right <= SHAPE[1]).all()
    assert (top <= bottom).all()
    assert (left <= right).all()


@pytest.mark.parametrize("cut", [False, True])
def test_a_share_of_0_leaves_the_picture_and_a_share_of_1_is_the_partner(cut):
    others = IMAGES[::-1].copy()
    for share, expected in ((0, IMAGES), (1, others)):
        box = np.array([0, SHAPE[0] * share, 0, SHAPE[1]])
        ends = Pairs(ALL[::-1], np.full(N, share, np.float32), np.full(N, cut),
                     np.tile(box, (N, 1)))
        np.testing.assert_array_equal(mix(IMAGES, others, ends), expected)


def test_partners_are_others_of_the_same_part():
    rng = np.random.default_rng(0)
    for trial in range(50):
        part = rng.integers(0, rng.integers(1, 12), N) * 7 - 1
        partner = pairs("both", part, seed=trial).partner
        np.testing.assert_array_equal(part[partner], part)
        alone = np.bincount(part + 1)[part + 1] == 1
        np.testing.assert_array_equal(partner == ALL, alone)


def test_every_other_picture_of_the_part_can_be_the_partner():
    met = {int(pairs("mixup", ONE_PART[:5], view=view).partner[3]) for view in range(2, 60)}
    assert met == {0, 1, 2, 4}


def test_a_pair_is_named_by_seed_view_and_picture():
    whole, again = pairs("both"), Mixing("both", ONE_PART).pairs(ALL[7:9], 1, 2, SHAPE)
    for of_all, of_two in zip(vars(whole).values(), vars(again).values(), strict=True):
        np.testing.assert_array_equal(of_all[7:9], of_two)
    for other in (pairs("both", seed=2), pairs("both", view=3)):
        assert (other.partner != whole.partner).mean() > 0.8


def test_both_is_either_half_of_the_time():
    assert 0.3 < pairs("both").cut.mean() < 0.7
    assert pairs("cutmix").cut.all()
    assert not pairs("mixup").cut.any()


def test_the_input_is_left_alone():
    before, found = IMAGES.copy(), pairs("both")
    mix(IMAGES, IMAGES[found.partner], found)
    np.testing.assert_array_equal(IMAGES, before)


def test_an_unknown_kind_is_a_sentence():
    with pytest.raises(UserError, match="no mixing 'blend'"):
        Mixing("blend", ONE_PART)
