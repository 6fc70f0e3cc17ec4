"""What a policy shows: each picture and view its own, whoever renders it."""

import subprocess
import sys

import numpy as np
import pytest
from augment_pictures import pictures

from harness.augment import FAMILIES, OPERATIONS, POLICIES, draws, render, trained_on
from harness.augment.policy import NAMES
from zoo.errors import UserError

IMAGES = pictures(200, 32, 32)
EVERY = np.arange(200)


def test_no_policy_shows_the_pictures_themselves():
    np.testing.assert_array_equal(render(IMAGES, np.array([5, 2]), "none", 1.0, 0, 3),
                                  IMAGES[[5, 2]])


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_picture_is_the_same_in_any_batch_and_order(policy):
    whole = render(IMAGES, EVERY, policy, 1.0, 7, 1)
    some = np.array([150, 3, 77, 3])
    np.testing.assert_array_equal(render(IMAGES, some, policy, 1.0, 7, 1), whole[some])


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_magnitude_zero_shows_the_pictures_themselves(policy):
    np.testing.assert_array_equal(render(IMAGES, EVERY, policy, 0.0, 7, 1), IMAGES)


def test_another_process_renders_the_same_bytes(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    code = ("import numpy as np, sys; from harness.augment import render; "
            "images = np.load(sys.argv[1] + '/images.npy'); "
            "there = render(images, np.arange(200), 'random', 1.0, 7, 1); "
            "np.save(sys.argv[1] + '/there.npy', there)")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "there.npy"),
                                  render(IMAGES, EVERY, "random", 1.0, 7, 1))


def test_no_two_views_of_a_picture_are_the_same():
    views = [render(IMAGES, EVERY, "random", 1.0, seed, view)
             for seed in range(2) for view in range(1, 9)]
    for i in range(len(IMAGES)):
        assert len({view[i].tobytes() for view in views}) == len(views)


def test_pictures_of_a_batch_do_not_share_their_operations():
    same = np.repeat(IMAGES[:1], 64, axis=0)
    assert len({x.tobytes() for x in render(same, np.arange(64), "random", 1.0, 0, 1)}) == 64
    chosen, strength = POLICIES["random"].draw(draws.key(0, 1, EVERY), 1.0)
    lists = {tuple(row) for row in chosen}
    assert len(lists) > 150
    assert len(np.unique(strength)) > 0.99 * strength.size


def test_random_draws_as_many_operations_as_it_says_and_none_twice():
    chosen, _ = POLICIES["random"].draw(draws.key(1, np.arange(20_000)), 1.0)
    always = len(POLICIES["random"].always)
    assert {NAMES[k] for k in np.unique(chosen[:, :always])} == set(POLICIES["random"].always)
    drawn = chosen[:, always:]
    for row in drawn[:2000]:
        row = row[row >= 0]
        assert len(set(row)) == len(row)
    share = np.bincount((drawn >= 0).sum(axis=1), minlength=5) / len(drawn)
    np.testing.assert_allclose(share, POLICIES["random"].counts, atol=0.015)


def test_every_operation_of_random_occurs_about_as_often_as_its_weight():
    policy = POLICIES["random"]
    chosen, _ = policy.draw(draws.key(2, np.arange(40_000)), 1.0)
    first = chosen[:, len(policy.always)]
    total = sum(policy.weights.values())
    for name, weight in policy.weights.items():
        share = (first == NAMES.index(name)).mean()
        assert abs(share - weight / total) < 0.006, name


def test_magnitude_multiplies_strengths_up_to_one():
    keys = draws.key(3, np.arange(1000))
    (_, weak), (_, plain), (_, strong) = (POLICIES["random"].draw(keys, m) for m in (0.5, 1, 2.0))
    np.testing.assert_allclose(weak, plain / 2)
    np.testing.assert_allclose(strong, np.minimum(2 * plain, 1))


def test_trained_on_names_what_a_policy_draws_and_nothing_else():
    assert trained_on("none") == frozenset()
    for name, policy in POLICIES.items():
        chosen, _ = policy.draw(draws.key(4, np.arange(20_000)), 1.0)
        assert {NAMES[k] for k in np.unique(chosen) if k >= 0} == trained_on(name)


def test_random_is_broad_and_leaves_something_unseen_in_every_family():
    seen = trained_on("random")
    for family in FAMILIES:
        names = {n for n, operation in OPERATIONS.items() if operation.family == family}
        assert len(names & seen) >= 3, family
        assert names - seen, family
    assert len(set(OPERATIONS) - seen) >= 8


def test_an_unknown_policy_is_a_sentence():
    for call in (lambda: trained_on("strong"),
                 lambda: render(IMAGES, EVERY, "strong", 1.0, 0, 1)):
        with pytest.raises(UserError, match="no augmentation policy 'strong'"):
            call()


def test_an_empty_index_gives_no_pictures():
    assert render(IMAGES, np.array([], int), "random", 1.0, 0, 1).shape == (0, 32, 32, 3)
