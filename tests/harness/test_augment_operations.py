"""Every operation of the registry keeps the same few promises."""

import numpy as np
import pytest
from augment_pictures import pictures

from harness.augment import FAMILIES, OPERATIONS, draws

NAMES = sorted(OPERATIONS)
SHAPES = [(96, 96), (33, 64), (64, 33), (7, 5), (2, 3), (1, 1)]


def apply(name, images, strength, first_key=0):
    keys = draws.key(first_key, np.arange(len(images)))
    return OPERATIONS[name].apply(images, np.full(len(images), strength, np.float32), keys)


def test_every_family_has_several_operations_and_every_name_fits_its_row():
    assert len(OPERATIONS) >= 40
    for family in FAMILIES:
        assert sum(o.family == family for o in OPERATIONS.values()) >= 4, family
    for name, operation in OPERATIONS.items():
        assert operation.name == name == operation.function.__name__
        assert operation.family in FAMILIES
        assert operation.function.__doc__, name


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_is_the_picture_itself(name):
    images = pictures(5)
    strength = np.array([0, 0.7, 0, 1, 0], np.float32)
    result = OPERATIONS[name].apply(images, strength, draws.key(1, np.arange(5)))
    np.testing.assert_array_equal(result[strength == 0], images[strength == 0])
    assert result is not images


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_alone_is_as_in_a_batch(name):
    images = pictures(21)
    strength = np.linspace(0.05, 1, 21).astype(np.float32)
    keys = draws.key(2, np.arange(21))
    batch = OPERATIONS[name].apply(images, strength, keys)
    for i in range(21):
        alone = OPERATIONS[name].apply(images[i:i + 1], strength[i:i + 1], keys[i:i + 1])
        np.testing.assert_array_equal(alone[0], batch[i])


@pytest.mark.parametrize("name", NAMES)
def test_the_input_is_left_alone_and_may_be_read_only(name):
    images = pictures(4)
    before = images.copy()
    images.flags.writeable = False
    result = apply(name, images, 0.8)
    np.testing.assert_array_equal(images, before)
    assert result.dtype == np.uint8
    assert result.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_any_size_and_form_of_picture_is_accepted(name):
    for height, width in SHAPES:
        images = pictures(3, height, width)
        for strength in (0.01, 0.5, 1.0):
            assert apply(name, images, strength).shape == images.shape
    assert apply(name, pictures(1)[:0], 0.5).shape == (0, 48, 48, 3)


@pytest.mark.parametrize("name", NAMES)
def test_one_colour_pictures_do_not_break_it(name):
    for value in (0, 255):
        apply(name, np.full((4, 16, 16, 3), value, np.uint8), 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_key_gives_the_same_picture_and_other_keys_another_one(name):
    images = np.repeat(pictures(1), 16, axis=0)
    first = apply(name, images, 0.6, first_key=1)
    np.testing.assert_array_equal(first, apply(name, images, 0.6, first_key=1))
    fixed = {"gaussian_blur", "defocus", "median", "sharpen", "zoom_blur", "jpeg", "pixelate",
             "autocontrast", "equalize", "clahe", "grey", "solarise", "posterise"}
    assert (len(np.unique(first, axis=0)) > 1) == (name not in fixed)


# Flips have no strength, and after half a turn a picture can be nearer to itself than before.
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"flip", "turn", "rotate"}))
def test_strength_one_changes_more_than_strength_a_fifth(name):
    images = pictures(24)
    change = [np.abs(apply(name, images, s).astype(int) - images).mean() for s in (0.2, 1.0)]
    assert change[1] > change[0] > 0


@pytest.mark.parametrize("name", NAMES)
def test_at_its_strongest_something_of_the_picture_is_left(name):
    """No operation may leave one flat colour of what it is given."""
    images = pictures(12)
    result = apply(name, images, 1.0).astype(int)
    assert (result.reshape(12, -1).std(axis=1) > 2).all()


def test_flips_move_pixels_and_change_none():
    images = pictures(16)
    for name in ("flip", "turn"):
        result = apply(name, images, 0.01)
        np.testing.assert_array_equal(np.sort(result.reshape(16, -1)),
                                      np.sort(images.reshape(16, -1)))


def test_flipped_and_turned_a_picture_is_one_of_eight_and_all_eight_occur():
    image = pictures(1)
    eight = {np.rot90(turned, k).tobytes() for k in range(4) for turned in (image[0],
                                                                           image[0, :, ::-1])}
    flipped = apply("flip", np.repeat(image, 128, axis=0), 1.0)
    seen = {x.tobytes() for x in apply("turn", flipped, 1.0, first_key=1)}
    assert seen == eight


def test_a_half_turn_is_an_exact_one():
    image = pictures(1, 31, 31)
    result = apply("rotate", image, 1.0)
    assert np.abs(result[0].astype(int) - image[0, ::-1, ::-1]).max() <= 2


def test_reading_between_pixels_is_bilinear():
    from scipy.ndimage import map_coordinates

    from harness.augment.geometry import sample

    image = pictures(1)
    rng = np.random.default_rng(0)
    rows, columns = rng.uniform(0, 47, (2, 1, 48, 48)).astype(np.float32)
    expected = np.stack([map_coordinates(image[0, ..., c].astype(float), [rows[0], columns[0]],
                                         order=1) for c in range(3)], axis=-1)
    assert np.abs(sample(image, rows, columns)[0] - expected).max() < 2.5


def test_gaussian_blur_is_the_reference_one():
    from scipy.ndimage import gaussian_filter

    from harness.augment.blur import smoothed

    image = pictures(1, 96, 96)[0]
    for sigma in (0.5, 1.3, 3.0):
        expected = gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="reflect")
        assert np.abs(smoothed(image, sigma) - expected).max() < 6
        assert np.abs(smoothed(image, sigma) - expected).mean() < 1.5


def test_the_median_is_the_reference_one():
    from scipy.ndimage import median_filter

    from harness.augment.blur import median_of_nine

    images = pictures(2)
    expected = [median_filter(image, (3, 3, 1), mode="reflect") for image in images]
    np.testing.assert_array_equal(median_of_nine(images), expected)


def test_a_disk_mean_is_the_reference_one_also_where_sums_are_large():
    from scipy.ndimage import correlate

    from harness.augment.blur import disk_mean

    image = pictures(1, 64, 64)[0]
    for radius in (1.0, 2.5, 9.7):
        reach = np.arange(-int(radius), int(radius) + 1)
        disk = (reach[:, None]**2 + reach[None]**2 <= radius**2).astype(float)[..., None]
        expected = correlate(image.astype(float), disk / disk.sum(), mode="reflect")
        assert np.abs(disk_mean(image, radius) - expected).max() < 0.51


def test_stain_separation_and_its_inverse_cancel():
    from harness.augment.colour import stain

    images = pictures(3)
    same = stain(images, np.full(3, 1e-7, np.float32), draws.key(0, np.arange(3)))
    assert np.abs(same.astype(int) - images).max() <= 1


def test_inverting_everything_is_the_negative():
    images = pictures(4)
    np.testing.assert_array_equal(apply("invert", images, 1.0), 255 - images)


def test_noise_has_the_deviation_that_it_says():
    grey = np.full((40, 48, 48, 3), 128, np.uint8)
    result = apply("gaussian_noise", grey, 0.4).astype(float)
    assert abs(result.std() - 20) < 0.5
    assert abs(result.mean() - 128) < 0.5
