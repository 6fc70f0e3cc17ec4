"""Training: caches, batches, stages, and what is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.dataset import Dataset
from harness.protocol import PRESETS, RANGES, protocol
from harness.terminal import duration
from harness.training import activations, cache, stages, wise
from harness.training import run as training
from harness.training.heads import head, trainable
from harness.training.run import Job, boundary_of, network, warn_of_divergence
from harness.training.sources import Pictures, Tables, batches
from harness.training.stages import Learner, Stage, Task, fit
from harness.training.views import Views
from zoo import UserError
from zoo.files import write_json
from zoo.graph import Graph, run
from zoo.split import cut, join
from zoo.table import backbone

N, SIDE, CLASSES = 90, 16, 3


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    labels = np.arange(N) % CLASSES
    images = rng.integers(0, 90, (N, SIDE, SIDE, 3), dtype=np.uint8)
    for k in range(CLASSES):
        images[labels == k, :, :, k] += 120
    return Dataset(images, labels.astype("int64"), ("a", "b", "c"), "test")


@pytest.fixture(scope="module")
def frozen() -> activations.Frozen:
    return activations.Frozen(*cut(backbone("smallcnn3").graph(SIDE), "conv3"))


def small_cache(folder: Path, limit: float = 1e9) -> cache.Cache:
    return cache.Cache(folder, int(limit))


def task(dataset: Dataset, **fields: object) -> Task:
    return Task(dataset.labels, CLASSES, np.arange(N) % 5 > 0, np.arange(N) % 5 == 0,
                protocol("seed", {"batch": "8", "dense": "0", **fields}), seed=3)


def test_cached_activations_are_the_trunks_output(dataset, frozen, tmp_path) -> None:
    views = Views(dataset, "random")
    found = activations.compute(views, 1, frozen, small_cache(tmp_path), lambda n: None)
    for view in (0, 1):
        pictures = views.render(found.order, view)
        expected = np.asarray(run(frozen.trunk, pictures))
        stored = found.boundary[view].rows(0, N)
        assert stored.dtype == np.float16
        assert np.allclose(stored, expected, rtol=2e-3, atol=2e-3)
        pooled = np.asarray(run(join(frozen.tail, activations.POOL), expected))
        assert np.allclose(found.pooled[view].rows(0, N), pooled, rtol=4e-3, atol=4e-3)


def test_the_second_computation_passes_nothing_through_the_trunk(dataset, frozen, tmp_path) -> None:
    views, store, seen = Views(dataset, "random"), small_cache(tmp_path), []
    assert activations.missing(views, 2, frozen, store) == 3 * N
    activations.compute(views, 2, frozen, store, seen.append)
    assert sum(seen) == 3 * N
    assert activations.missing(views, 2, frozen, store) == 0
    activations.compute(views, 2, frozen, store, seen.append)
    assert sum(seen) == 3 * N


def test_what_onnx_runtime_computes_is_kept_as_float32(dataset, frozen, tmp_path) -> None:
    pytest.importorskip("onnx", reason="pip install 'shift-harness[onnx]'")
    pytest.importorskip("onnxruntime", reason="pip install 'shift-harness[onnx]'")
    views, other = Views(dataset, "random"), replace(frozen, engine="onnxruntime")
    folders = [small_cache(tmp_path / name) for name in ("tensorflow", "onnx")]
    exact, found = (activations.compute(views, 1, network, folder, lambda n: None, number_type=kind)
                    for network, folder, kind in zip((frozen, other), folders,
                                                     ("float32", "bfloat16"), strict=True))
    for a, b in zip((*exact.boundary, *exact.pooled), (*found.boundary, *found.pooled),
                    strict=True):
        assert np.allclose(a.rows(0, N), b.rows(0, N), rtol=2e-3, atol=2e-3)
    assert activations.missing(views, 1, frozen, folders[1]) == 0
    assert activations.missing(views, 1, frozen, folders[1], number_type="bfloat16") == 2 * N


def test_other_pixels_or_weights_are_another_file(dataset, frozen, tmp_path) -> None:
    store = small_cache(tmp_path)
    activations.compute(Views(dataset, "random"), 0, frozen, store, lambda n: None)
    changed = Dataset(dataset.images ^ 1, dataset.labels, dataset.class_names, "test")
    assert activations.missing(Views(changed, "random"), 0, frozen, store) == N
    other = Graph(frozen.trunk.nodes, {k: v + 1e-3 for k, v in frozen.trunk.arrays.items()})
    assert activations.missing(Views(dataset, "random"), 0,
                               activations.Frozen(other, frozen.tail), store) == N


def test_what_another_process_deletes_is_kept_open_or_computed_again(dataset, frozen, tmp_path,
                                                                     monkeypatch) -> None:
    store, views, filled = small_cache(tmp_path), Views(dataset, "random"), []
    fill = activations.fill
    expected = activations.compute(views, 1, frozen, small_cache(tmp_path / "own"), lambda n: None)

    def fill_and_delete(paths, views, view, both, step) -> None:
        """Another process needs room while a view is written, and at once when the first is."""
        fill(paths, views, view, both, step)
        filled.append(view)
        for path in tmp_path.glob("*.npy"):
            if path not in paths or len(filled) == 1:
                path.unlink()

    monkeypatch.setattr(activations, "fill", fill_and_delete)
    found = activations.compute(views, 1, frozen, store, lambda n: None)
    assert sorted(filled) in ([0, 0, 1], [0, 1, 1])
    assert filled[0] == filled[1]
    for a, b in zip(expected.boundary, found.boundary, strict=True):
        assert np.array_equal(a.rows(0, N), b.rows(0, N))


def test_processes_that_need_the_same_views_begin_with_different_ones(dataset, frozen, tmp_path,
                                                                      monkeypatch) -> None:
    class Begun(Exception):
        pass

    def begin(paths, views, view, both, step) -> None:
        raise Begun(view)

    monkeypatch.setattr(activations, "fill", begin)
    first = set()
    for _ in range(30):
        with pytest.raises(Begun) as stopped:
            activations.compute(Views(dataset, "random"), 2, frozen, small_cache(tmp_path),
                                lambda n: None)
        first.add(stopped.value.args[0])
    assert len(first) > 1


def test_a_cache_too_small_for_two_processes_is_a_sentence(dataset, frozen, tmp_path, monkeypatch
                                                           ) -> None:
    monkeypatch.setattr(activations, "fill", lambda *args: None)
    with pytest.raises(UserError, match="Other processes delete"):
        activations.compute(Views(dataset, "random"), 0, frozen, small_cache(tmp_path),
                            lambda n: None)


def test_an_epoch_shows_each_training_picture_once_and_no_other(dataset, frozen, tmp_path) -> None:
    views = Views(dataset, "random")
    found = activations.compute(views, 1, frozen, small_cache(tmp_path), lambda n: None)
    t = task(dataset)
    for source in (Tables(found.boundary, found.order, views), Pictures(views, 1)):
        for number in (0, 1):
            shown = np.concatenate([b.picture.ravel() for b in
                                    source.epoch(number, t.train, 8, seed=1)])
            assert len(set(shown)) == len(shown) == 8 * (t.train.sum() // 8)
            assert t.train[shown].all()


def test_rows_keep_their_pictures(dataset, frozen, tmp_path) -> None:
    views = Views(dataset, "none")
    found = activations.compute(views, 0, frozen, small_cache(tmp_path), lambda n: None)
    expected = np.asarray(run(frozen.trunk, dataset.images))
    source = Tables(found.boundary, found.order, views)
    for batch in source.epoch(0, task(dataset).train, 8, seed=1):
        flat = batch.x.reshape(-1, *batch.x.shape[2:])
        assert np.allclose(flat, expected[batch.picture.ravel()], rtol=2e-3, atol=2e-3)


def test_pictures_drawn_on_the_fly_are_new_in_every_epoch(dataset) -> None:
    source, allowed = Pictures(Views(dataset, "random"), 0), np.ones(N, bool)
    first, second = (next(iter(source.epoch(e, allowed, N, seed=1))) for e in (0, 1))
    first, second = (b.x[0][np.argsort(b.picture[0])] for b in (first, second))
    assert (first != second).any((1, 2, 3)).mean() > 0.95


def test_pictures_drawn_on_the_fly_are_new_for_every_seed_and_those_that_judge_are_not(
        dataset, monkeypatch) -> None:
    shown: list[int] = []
    render = Views.render

    def watched(self: Views, index: np.ndarray, view: int) -> np.ndarray:
        shown.append(view)
        return render(self, index, view)

    monkeypatch.setattr(Views, "render", watched)
    source, allowed = Pictures(Views(dataset, "random"), 2), np.ones(N, bool)
    most = RANGES["epochs_2"][1]
    for seed in (0, 1, 2):
        for number in (0, 1, most - 1):
            list(source.epoch(number, allowed, N, seed))
    assert shown[:3] == [3, 4, most + 2]
    assert len(set(shown)) == 9


def test_each_seed_begins_at_its_own_weights_unless_activations_are_shared(dataset) -> None:
    for name, size, shared in (("smallcnn2", SIDE, False), ("mobilenetv2", 32, True)):
        first, second = (network(replace(job_of(dataset, name, size=size), seed=seed)).arrays
                         for seed in (0, 1))
        assert all(np.array_equal(first[k], second[k]) for k in first) == shared
        plain = backbone(name).graph(size).arrays
        assert all(np.array_equal(first[k], plain[k]) for k in first)


def test_rows_that_fill_no_batch_go_into_the_next_chunk() -> None:
    chunks = iter([(np.arange(5),) * 4, (np.arange(5, 10),) * 4])
    found = list(batches(chunks, 4, np.random.default_rng(0)))
    assert [b.x.shape for b in found] == [(1, 4), (1, 4)]
    assert len(set(np.concatenate([b.x.ravel() for b in found]))) == 8


def test_targets_keep_their_mass_and_carry_the_weight_of_the_class(dataset) -> None:
    t = task(dataset, label_smoothing="0.1", class_weights="true")
    unequal = Task(np.where(np.arange(N) < 60, 0, dataset.labels), CLASSES, t.train, t.validation,
                   t.protocol, 0)
    y = unequal.targets(np.arange(N))
    counts = np.bincount(unequal.labels[unequal.train], minlength=CLASSES)
    expected = unequal.train.sum() / (CLASSES * counts)
    assert np.allclose(y.sum(1), expected[unequal.labels], rtol=1e-5)
    assert (y.argmax(1) == unequal.labels).all()
    absent = replace(unequal, classes=CLASSES + 7)  # classes that no training picture has
    seen = absent.targets(np.flatnonzero(t.train)).sum(1)
    assert seen.mean() == pytest.approx(1, rel=1e-5)


def fitted(dataset: Dataset, epochs: int = 8, **fields: object):
    t = replace(task(dataset, rate_1="0.01", epochs_1=str(epochs), policy="basic", **fields),
                seed=0)
    network = backbone("smallcnn2").graph(SIDE)
    top = head(t.protocol, 64, CLASSES, seed=0)
    graph = join(network, activations.POOL, top)
    source = Pictures(Views(dataset, t.protocol.policy), 1)
    return graph, source, t, fit(graph, source, t, Stage.first(t.protocol), 1)


def test_training_learns_and_says_what_the_kept_weights_have(dataset) -> None:
    graph, source, t, kept = fitted(dataset)
    best = kept.history[kept.best - 1]
    assert best["train_loss"] < kept.history[0]["train_loss"]
    assert best["validation_accuracy"] > 0.9
    learned = Graph(graph.nodes, {**graph.arrays, **kept.weights})
    index = np.flatnonzero(t.validation)
    probabilities = np.asarray(run(learned, dataset.images[index]))
    assert (probabilities.argmax(1) == dataset.labels[index]).mean() == pytest.approx(
        best["validation_accuracy"])


def test_the_same_training_twice_gives_the_same_weights(dataset) -> None:
    first, second = fitted(dataset, 2)[3], fitted(dataset, 2)[3]
    for k in first.weights:
        assert np.array_equal(first.weights[k], second.weights[k])


def test_statistics_and_preprocessing_are_not_trained() -> None:
    graph = backbone("mobilenetv2").graph(32)
    names = trainable(graph)
    assert not [k for k in names if k.endswith(("/mean", "/variance")) or "preprocess" in k]
    assert [k for k in names if k.endswith("/gamma")]
    assert [k for k in trainable(backbone("convnexttiny").graph(32)) if "layer_scale" in k]


def test_a_feature_that_never_varied_in_training_decides_nothing_later() -> None:
    pooled = np.random.default_rng(0).normal(3, 2, (40, 4)).astype("float32")
    pooled[:, 1] = 0.0
    top = head(protocol("strong"), 4, CLASSES, 0, pooled)
    later = pooled.copy()
    later[:, 1] = 40.0
    assert np.array_equal(np.asarray(run(top, later)), np.asarray(run(top, pooled)))
    standardized = np.asarray(run(top, pooled, until="standardize"))[:, [0, 2, 3]]
    assert np.allclose(standardized.mean(0), 0, atol=1e-5)
    assert np.allclose(standardized.std(0), 1, atol=1e-2)


def test_features_that_are_all_small_are_not_taken_for_constant() -> None:
    pooled = np.random.default_rng(0).normal(0, 1e-4, (40, 4)).astype("float32")
    assert (head(protocol("strong"), 4, CLASSES, 0, pooled).arrays["standardize/scale"] > 0).all()


def test_training_leaves_nothing_of_a_network_in_memory(dataset, monkeypatch) -> None:
    """TensorFlow keeps the variables themselves."""
    made: list[Learner] = []

    class Seen(Learner):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(stages, "Learner", Seen)
    t = task(dataset)
    graph = join(backbone("smallcnn2").graph(SIDE), activations.POOL,
                 head(t.protocol, 64, CLASSES, 0))
    stages.fit(graph, Pictures(Views(dataset, "none"), 0), t,
               Stage(1, 1e-2, 0.0, "cosine", 0.0, 1.0, ema=0.5), 0)
    moments = [v for o in made[0].optimizers for v in o.moments]
    variables = [*made[0].variables.values(), *made[0].averaged.values(), *moments]
    assert len(variables) == 4 * len(made[0].variables)
    assert not any(v.numpy().size for v in variables)


def test_the_moving_average_is_an_average_of_what_was_passed(dataset) -> None:
    t = task(dataset)
    graph = join(backbone("smallcnn2").graph(SIDE), activations.POOL,
                 head(t.protocol, 64, CLASSES, 0))
    learner = Learner(graph, t, Stage(1, 1e-2, 0.0, "cosine", 0.0, 1.0, ema=0.5))
    key = "logits/kernel"
    mean = graph.arrays[key]
    x = dataset.images[:8][None]
    for done in range(3):
        learner.learn(x, t.targets(np.arange(8))[None], 1.0, 10)
        decay = min(0.5, (1 + done) / (10 + done))
        mean = decay * mean + (1 - decay) * learner.variables[key].numpy()
        assert np.allclose(learner.weights()[key], mean, atol=1e-6)


def test_the_ends_of_wise_are_exact_and_its_middle_is_between() -> None:
    before, after = {"k": np.float32([0, 0.1])}, {"k": np.float32([1, 0.3])}
    assert np.array_equal(wise.interpolate(before, after, 0.0)["k"], before["k"])
    assert np.array_equal(wise.interpolate(before, after, 1.0)["k"], after["k"])
    assert np.allclose(wise.interpolate(before, after, 0.5)["k"], [0.5, 0.2])


def test_wise_takes_the_point_with_the_lowest_loss(dataset) -> None:
    graph, source, t, kept = fitted(dataset)
    learned = Graph(graph.nodes, {**graph.arrays, **kept.weights})
    noise = {k: np.random.default_rng(0).normal(size=v.shape).astype("f4") * 5
             for k, v in kept.weights.items()}
    worse = type(kept)(noise, kept.history, kept.best)
    chosen = wise.between(learned, worse, source, t, Stage.first(t.protocol), 1)
    assert chosen.share == 0.0
    assert all(np.array_equal(chosen.weights[k], kept.weights[k]) for k in kept.weights)


def test_every_preset_can_be_written_down(tmp_path) -> None:
    for p in PRESETS.values():
        write_json(tmp_path / "p.json", p.to_json())


def job_of(dataset: Dataset, name: str, **fields: object) -> Job:
    return Job(dataset, (), backbone(name), None, protocol("strong", fields))


def test_light_networks_are_trained_whole_and_heavy_ones_from_half_on(dataset) -> None:
    for name, expected in (("mobilenetv2", "all"), ("vgg16", "half")):
        job = job_of(dataset, name, size=96)
        assert boundary_of(job.backbone.graph(96), job) == expected


@pytest.mark.parametrize("name, passes", [("vgg16", 3), ("mobilenetv2", 7)])
def test_the_time_that_is_told_counts_what_learning_takes(dataset, tmp_path, monkeypatch, name,
                                                          passes) -> None:
    said: list[str] = []
    monkeypatch.setattr(training, "speed", lambda *given: (0.0, 60.0))
    monkeypatch.setattr(training.terminal, "say", said.append)
    job = replace(job_of(dataset, name, boundary="all", epochs_2="2"),
                  folds=((np.arange(80), np.arange(80, N)),))
    whole = activations.Frozen(Graph((), {}), network(job))
    training.announce(job, whole, training.views_of(job), small_cache(tmp_path), "float32")
    assert f"fine-tuning {duration(60 * 2 * (passes * 80 + 2 * 10))}" in said[0]


def test_a_size_below_what_the_backbone_needs_is_raised_to_it(dataset) -> None:
    assert job_of(dataset, "xception", size=64).size == 71
    assert job_of(dataset, "mobilenetv2", size=64).size == 64
    assert job_of(dataset, "mobilenetv2").size == 32


def test_a_stage_that_diverged_is_kept_as_it_began_and_said(dataset, capsys, monkeypatch) -> None:
    def learn(learner: Learner, *given: object) -> float:
        for variable in learner.variables.values():
            variable.assign(variable * np.nan)
        return np.nan

    monkeypatch.setattr(Learner, "learn", learn)
    graph, _, _, kept = fitted(dataset, epochs=2)
    assert all(np.array_equal(v, graph.arrays[k]) for k, v in kept.weights.items())
    warn_of_divergence("VGG16", {"stage 2": kept, "stage 1": replace(kept, best=1)})
    said = capsys.readouterr().err
    assert "VGG16: stage 2 diverged" in said
    assert "stage 1" not in said
