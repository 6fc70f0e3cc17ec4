"""Mixed views: what is mixed, with whom, and what a network learns from it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.augment.mixing import Mixing
from harness.data.dataset import Dataset
from harness.data.splits import folds, parts
from harness.protocol import protocol
from harness.training import activations
from harness.training.cache import Cache
from harness.training.run import Job, Outcome, divide, mask, sources, train, views_of
from harness.training.sources import Pictures, Tables
from harness.training.stages import Task
from harness.training.views import MIXED, Views
from zoo.backbone import Backbone, WeightFile
from zoo.graph import run
from zoo.split import join
from zoo.table import backbone

N, SIDE, CLASSES = 60, 32, 3
# A small network that counts as pretrained: random MobileNetV2 gives next to nothing.
LIVELY = dataclasses.replace(backbone("smallcnn3"), pretrained=WeightFile("none", "", ""))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    labels = np.arange(N) % CLASSES
    images = rng.integers(0, 120, (N, SIDE, SIDE, 3), dtype=np.uint8)
    for k in range(CLASSES):
        images[labels == k, :, :, k] += 120
    return Dataset(images, labels.astype("int64"), ("a", "b", "c"), "test")


def job(dataset: Dataset, row: Backbone = LIVELY, **fields: str) -> Job:
    split = folds(dataset.labels, np.arange(N), 5, seed=0)
    return Job(dataset, tuple(split[:1]), row, None, protocol("quick", {
        "mixing": "both", "views": "3", "batch": "8", "epochs_1": "2", "epochs_2": "1", **fields}))


def views(dataset: Dataset, part: np.ndarray | None = None, policy: str = "random") -> Views:
    part = np.zeros(N, np.int64) if part is None else part
    return Views(dataset, policy, mixing=Mixing("both", part))


def test_the_views_that_judge_are_not_mixed(dataset) -> None:
    plain, mixed, every = Views(dataset, "random"), views(dataset), np.arange(N)
    for view in (0, 1):
        assert np.array_equal(mixed.render(every, view), plain.render(every, view))
        assert mixed.key(view) == plain.key(view)
        partner, share = mixed.partners(every, view)
        assert np.array_equal(partner, every)
        assert not share.any()
    assert np.array_equal(mixed.render(every, 0), dataset.images)
    changed = mixed.render(every, MIXED) != plain.render(every, MIXED)
    assert changed.any((1, 2, 3)).mean() > 0.5


def test_the_same_key_gives_the_same_pixels_in_any_company(dataset) -> None:
    mixed, some = views(dataset), np.array([40, 3, 17])
    whole = mixed.render(np.arange(N), MIXED)
    assert np.array_equal(views(dataset).render(some, MIXED), whole[some])
    partner, share = mixed.partners(np.arange(N), MIXED)
    assert np.array_equal(mixed.partners(some, MIXED)[0], partner[some])
    assert np.array_equal(mixed.partners(some, MIXED)[1], share[some])


def test_a_mixed_views_key_names_the_mixing_and_the_partition(dataset) -> None:
    keys = [Views(dataset, "random").key(2), views(dataset).key(2), views(dataset).key(3),
            views(dataset, np.arange(N) // 7).key(2), views(dataset, np.arange(N) // 30).key(2),
            Views(dataset, "random", mixing=Mixing("mixup", np.zeros(N, np.int64))).key(2)]
    assert len({str(key) for key in keys}) == len(keys)


def test_no_pair_straddles_training_and_validation(dataset) -> None:
    rng = np.random.default_rng(0)
    for trial in range(20):
        k = int(rng.integers(2, 8))
        group = rng.integers(0, N // 2, N)  # near-duplicates
        labels = rng.integers(0, CLASSES, N)
        split = folds(labels, group, k, seed=trial)[:int(rng.choice([1, k]))]
        mixed = views(dataset, parts(split, N))
        for view in (MIXED, MIXED + 5):
            partner, _ = mixed.partners(np.arange(N), view)
            for train_index, _ in split:
                learned = mask(train_index, N)
                assert np.array_equal(learned[partner], learned)
                assert not set(group[partner[learned]]) & set(group[~learned])


def test_targets_are_both_pictures_targets_in_their_shares(dataset) -> None:
    for fields in ({"class_weights": "true", "label_smoothing": "0.1"}, {"class_weights": "false"}):
        j = job(dataset, **fields)
        task = Task(dataset.labels, CLASSES, mask(j.folds[0][0], N), mask(j.folds[0][1], N),
                    j.protocol, 0)
        batch = next(iter(Pictures(views_of(j), 3).epoch(0, task.train, 8, seed=1)))
        assert task.train[batch.picture].all()
        assert task.train[batch.partner].all()
        own, others = task.targets(batch.picture), task.targets(batch.partner)
        share = batch.share[..., None]
        found = task.mixed_targets(batch)
        assert np.allclose(found, (1 - share) * own + share * others, atol=1e-6)
        mass = (1 - batch.share) * own.sum(-1) + batch.share * others.sum(-1)
        assert np.allclose(found.sum(-1), mass, atol=1e-5)
        assert (found > 0.15).sum(-1).max() > 1


def test_a_tables_rows_keep_their_partners(dataset, tmp_path: Path) -> None:
    j = job(dataset)
    frozen = divide(j.backbone.graph(SIDE), j, "float32")
    pooled, tuned = sources(j, frozen, views_of(j), Cache(tmp_path, 1 << 30), Outcome())
    assert isinstance(pooled, Tables)
    assert isinstance(tuned, Tables)
    every, mixed = np.arange(N), views_of(j)
    for source, graph in ((pooled, join(frozen.trunk, frozen.tail, activations.POOL)),
                          (tuned, frozen.trunk)):
        expected = [np.asarray(run(graph, mixed.render(every, view))) for view in range(4)]
        spread = np.abs(expected[0]).max()
        met = set()
        for epoch in range(4):  # the data set is one block: each epoch shows one view of it
            batch = next(iter(source.epoch(epoch, np.ones(N, bool), 8, seed=1)))
            picture = batch.picture.ravel()
            x = batch.x.reshape(-1, *batch.x.shape[2:]).astype("float32")
            near = [np.abs(x - e[picture]).max() for e in expected]
            view = int(np.argmin(near))
            assert near[view] < 5e-3 * spread
            met.add(view)
            partner, share = mixed.partners(picture, view)
            assert np.array_equal(batch.partner.ravel(), partner)
            assert np.array_equal(batch.share.ravel(), share)
        assert met == {0, 1, 2, 3}


@pytest.mark.parametrize(("boundary", "policy"), [
    ("last block", "random"), ("head", "random"), ("all", "random"), ("last block", "none")])
def test_a_network_learns_from_mixed_views_and_repeats_itself(dataset, tmp_path, boundary, policy
                                                              ) -> None:
    j = job(dataset, boundary=boundary, policy=policy, epochs_1="8", rate_1="0.02")
    first, second = (train(j, Cache(tmp_path, 1 << 30)) for _ in range(2))
    curve = first.history[0]["stage 1"]["epochs"]
    best = curve[first.history[0]["stage 1"]["best"] - 1]
    assert best["validation_loss"] < 0.7 * np.log(CLASSES)  # of the labels' own shares
    assert best["validation_accuracy"] > 0.7
    assert ("stage 2" in first.history[0]) == (boundary != "head")
    for k, array in first.members[0].arrays.items():
        assert np.array_equal(array, second.members[0].arrays[k])


@pytest.mark.parametrize("row", [backbone("mobilenetv2"), backbone("smallcnn2")])
def test_tuned_networks_and_those_from_scratch_train_on_mixed_views(dataset, tmp_path, row) -> None:
    outcome = train(job(dataset, row), Cache(tmp_path, 1 << 30))
    for stage in outcome.history[0].values():
        assert np.isfinite([e["train_loss"] for e in stage["epochs"]]).all()
    assert "stage 2" in outcome.history[0]
