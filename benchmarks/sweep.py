"""A sweep against the Keras script that one would write first: time and accuracy side by side.

    python -m benchmarks.sweep [--data SOURCE]

The plain script: ``fit`` with augmentation layers in front of a frozen backbone, then the last
block unfrozen. Ours: the ``seed`` protocol. Same pictures, split, epochs, batch size, optimizer,
rates, penalties, class weights and plateau; both keep the best epoch and neither stops early.
Building, compiling and judging count on both sides, loading TensorFlow on neither; our cache is
empty at the start. The pictures are the demo's unless --data or HARNESS_DATA names others.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.limit import cost, limit
from benchmarks.pairs import spread, summary
from harness.data.dataset import Dataset

DATA = "HARNESS_DATA"  # a source of pictures, as for harness zoo


@dataclass(frozen=True)
class Case:
    """epochs: of each stage; pictures: in all, a fifth of them validate."""

    backbone: str
    epochs: int
    pictures: int


CASES = (Case("mobilenetv2", 30, 800), Case("vgg16", 30, 160))
SEEDS = 3
BATCH = 16
JUDGED = 64  # pictures a batch on validation, on both sides


def pictures(count: int, source: str) -> Dataset:
    """``count`` pictures of a labelled source, classes in turn."""
    from harness.data.sources import load

    data = load(source)
    rank = np.zeros(len(data), int)
    for k in np.unique(data.labels):
        rank[data.labels == k] = np.arange((data.labels == k).sum())
    return data.subset(np.argsort(rank, kind="stable")[:count])


def side(data: Dataset, name: str) -> int:
    """Of the square that both resize pictures to, inside the network."""
    from zoo.table import backbone

    return max(*data.images.shape[1:3], backbone(name).minimum)


def plain(case: Case, seed: int, fold: Any, data: Dataset, weights: Path | None) -> float:
    """The plain script; its validation accuracy."""
    import keras
    from keras import layers as la

    from zoo.backbone import preprocessing
    from zoo.graph import Graph, run
    from zoo.table import backbone

    keras.utils.set_random_seed(seed)
    size, classes = side(data, case.backbone), len(data.class_names)
    (x, y), judged = ((data.images[index], data.labels[index]) for index in fold)
    counts = np.bincount(y, minlength=classes)
    balance = dict(enumerate(len(y) / (classes * np.maximum(counts, 1))))
    row = backbone(case.backbone)
    nodes, arrays = preprocessing(row.preprocessing)
    front = Graph(tuple(nodes), arrays)
    network = row.model(size, weights)
    network.trainable = False
    inputs = keras.Input(data.images.shape[1:])
    z = la.Resizing(size, size)(inputs)
    for layer in (la.Rescaling(1 / 255), la.RandomTranslation(0.1, 0.1), la.RandomRotation(0.1),
                  la.RandomZoom(0.2), la.RandomBrightness(0.2, (0, 1)),
                  la.RandomContrast(0.2, (0, 1)), la.GaussianNoise(0.02), la.Rescaling(255)):
        z = layer(z)
    z = la.Lambda(lambda q: run(front, q), output_shape=(size, size, 3))(z)
    z = la.GlobalAveragePooling2D()(network(z, training=False))
    l2 = keras.regularizers.L2(1e-3)
    z = la.Dropout(0.4)(la.Dense(256, activation="relu", kernel_regularizer=l2)(z))
    z = la.Dense(classes, activation="softmax", kernel_regularizer=l2)(z)
    model = keras.Model(inputs, z)
    for rate, decay in ((1e-4, 1e-4), (1e-5, 1e-5)):
        model.compile(keras.optimizers.AdamW(rate, weight_decay=decay),
                      "sparse_categorical_crossentropy", metrics=["accuracy"])
        best = keras.callbacks.EarlyStopping(patience=10_000, restore_best_weights=True)
        slower = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_delta=0)
        model.fit(x, y, BATCH, case.epochs, 0, [best, slower], validation_data=judged,
                  validation_batch_size=JUDGED, class_weight=balance)
        unfreeze(network, row.boundaries["last block"])
    return float(model.evaluate(*judged, JUDGED, 0)[1])


def unfreeze(network: Any, first: str) -> None:
    """Make every layer from ``first`` on trainable, batch norms excepted."""
    network.trainable = True
    reached = False
    for layer in network.layers:
        reached = reached or layer.name == first
        layer.trainable = reached and type(layer).__name__ != "BatchNormalization"


def ours(case: Case, seed: int, fold: Any, data: Dataset, weights: Path | None) -> float:
    """The same through the harness; its validation accuracy."""
    from harness.protocol import protocol
    from harness.training.cache import Cache
    from harness.training.run import Job, train
    from zoo.table import backbone

    chosen = protocol("seed", {"epochs_1": case.epochs, "epochs_2": case.epochs,
                               "patience": 10_000, "batch": BATCH})
    job = Job(data, (fold,), backbone(case.backbone), weights, chosen, seed)
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(job, Cache(Path(folder), 10**11))
    predicted = outcome.classifier(job).predict(data.images[fold[1]]).argmax(1)
    return float((predicted == data.labels[fold[1]]).mean())


def work(trunk: int, tail: int, epochs: int, views: int, train: int, validation: int
         ) -> tuple[int, int]:
    """Multiply-adds of the plain script and of ours, for so many pictures.

    trunk, tail: of one picture, forward. Learning takes three times what forward takes. Both
    judge every epoch of the second stage, ours on two views, and predict once at the end; heads
    are left out. Ours passes every view through the whole network once.
    """
    whole = trunk + tail
    every = train + validation
    first = epochs * every * whole
    second = epochs * (every * whole + train * 2 * tail)
    cached = (views + 1) * every * whole + epochs * (3 * train + 2 * validation) * tail
    return first + second + validation * whole, cached + validation * whole


def ceiling(case: Case, size: int, train: int, validation: int) -> float:
    """How many times less than the plain script ours must compute: the most it could be faster
    by if both computed in one number type, all of it at the same speed, and nothing else."""
    from harness.protocol import protocol
    from zoo.cost import multiply_adds
    from zoo.split import cut
    from zoo.table import backbone

    row = backbone(case.backbone)
    trunk, _ = cut(row.graph(size), row.boundaries["last block"])
    below = multiply_adds(trunk, (size, size, 3))
    before, after = work(below, cost(case.backbone, size) - below, case.epochs,
                         protocol("seed", {}).views, train, validation)
    return before / after


def number_types() -> str:
    """What ours computes the most of its work in, and this machine's gain from it."""
    from zoo.device import number_type

    kind = number_type()
    return kind if kind == "float32" else f"{kind}, x {limit(kind) / limit('float32'):.1f}"


def find_weights(name: str) -> Path | None:
    """The pretrained weights if they are at hand (HARNESS_WEIGHTS, or Keras' cache)."""
    from zoo import weights
    from zoo.table import backbone

    file = backbone(name).pretrained
    folders = [f for f in (os.environ.get(weights.MIRROR), weights.keras_folder()) if f]
    found = [p for f in folders for p in weights.variants(Path(f), file.name)] if file else []
    return found[0] if found else None


def timed(way: Any, *arguments: Any) -> tuple[float, float]:
    """Seconds, and the accuracy."""
    import keras

    keras.backend.clear_session()
    gc.collect()
    began = time.perf_counter()
    reached = way(*arguments)
    return time.perf_counter() - began, reached


def measure(cases: tuple[Case, ...] = CASES, seeds: int = SEEDS, source: str | None = None
            ) -> list[dict[str, Any]]:
    """[{"backbone", "weights", "data", "epochs", "pictures", "times faster" (with its spread over
    the seeds), "ceiling", "number type", "seconds", "accuracy" (plain -> ours)}]."""
    source = source or os.environ.get(DATA) or "demo"
    rows = []
    for case in cases:
        data = pictures(case.pictures, source)
        count, held = len(data), len(data) // 5
        weights = find_weights(case.backbone)
        times, right = [], []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(count)
            fold = (np.sort(order[held:]), np.sort(order[:held]))
            ways = (plain, ours) if seed % 2 == 0 else (ours, plain)  # neither is always second
            done = {way: timed(way, case, seed, fold, data, weights) for way in ways}
            times.append((done[plain][0], done[ours][0]))
            right.append((done[plain][1], done[ours][1]))
        found = summary(times)
        before, after = np.mean(right, 0)
        rows.append({"backbone": case.backbone, "weights": "imagenet" if weights else "random",
                     "data": Path(source).name, "epochs": f"{case.epochs} + {case.epochs}",
                     "pictures": count, "times faster": spread(found),
                     "ceiling": ceiling(case, side(data, case.backbone), count - held, held),
                     "number type": number_types(),
                     "seconds": f"{found['plain']:.0f} -> {found['ours']:.0f}",
                     "accuracy": f"{before:.3f} -> {after:.3f}"})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    from tabulate import tabulate

    parser = argparse.ArgumentParser()
    parser.add_argument("--data", metavar="SOURCE", help="a labelled source of pictures")
    print(tabulate(measure(source=parser.parse_args().data), headers="keys", floatfmt=".1f"))
