"""Draws are named: they depend on keys alone, and look random."""

import numpy as np
import pytest

from harness.augment import draws


def test_keys_depend_on_every_part():
    index = np.arange(1000)
    seen = np.concatenate([draws.key(seed, view, index) for seed in range(5) for view in range(5)])
    assert len(np.unique(seen)) == len(seen)
    assert draws.key(-1, 2**70, index).dtype == np.uint64


def test_purposes_and_counts_are_independent():
    keys = draws.key(3, np.arange(5000))
    columns = [draws.uniform(keys, "a"), draws.uniform(keys, "b"),
               *draws.uniform(keys, "a", 3).T, draws.uniform(draws.fork(keys, "c"), "a")]
    assert np.abs(np.corrcoef(columns) - np.eye(6)).max() < 0.06


@pytest.mark.parametrize("count", [0, 7])
def test_uniform_draws_are_even_between_0_and_1(count):
    values = draws.uniform(draws.key(0, np.arange(20_000)), "x", count)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() < 1
    assert np.abs(np.histogram(values, 10, (0, 1))[0] / values.size - 0.1).max() < 0.01


def test_choices_and_signs_are_even():
    keys = draws.key(1, np.arange(20_000))
    assert np.abs(np.bincount(draws.choice(keys, "x", 5)) / 20_000 - 0.2).max() < 0.02
    assert abs(draws.sign(keys, "x").mean()) < 0.03


def test_normal_noise_is_normal_and_differs_between_keys():
    values = draws.noise(draws.key(0, np.arange(50)), "x", 5000)
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert abs((values**4).mean() - 3) < 0.1
    assert np.abs(np.corrcoef(values) - np.eye(50)).max() < 0.08


def test_noise_larger_than_the_bank_goes_round():
    values = draws.noise(draws.key(0, np.arange(1)), "x", draws.BANK + 10)
    np.testing.assert_array_equal(values[0, :10], values[0, -10:])
    again = draws.noise(draws.key(0, np.arange(1)), "x", 100)
    np.testing.assert_array_equal(values[0, :100], again[0])


def test_the_hash_is_the_published_one():
    """First outputs of SplitMix64 from state 0, as its reference implementation prints them."""
    states = np.arange(3, dtype=np.uint64) * draws.GOLDEN
    assert [int(x) for x in draws.scramble(states)] == [
        0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
