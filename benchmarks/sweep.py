"""A sweep against the Keras script that one would write first: time and accuracy side by side.

    python -m benchmarks.sweep

The plain script: ``fit`` with augmentation layers in front of a frozen backbone, then the last
block unfrozen. Ours: the ``seed`` protocol. Same pictures, split, epochs, batch size, optimizer and
rates; no early stopping on either side, so that both do the same number of epochs.
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import spread, summary


@dataclass(frozen=True)
class Case:
    """epochs: of each stage; pictures: in all, a fifth of them validate."""

    backbone: str
    epochs: int
    pictures: int


CASES = (Case("mobilenetv2", 30, 320), Case("vgg16", 4, 160))
SEEDS = 3
BATCH = 16


def pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (count, 96, 96, 3) and labels (count,) of the demo set, classes in turn."""
    from harness.data.demo import train

    data = train()
    rank = np.zeros(len(data), int)
    for k in np.unique(data.labels):
        rank[data.labels == k] = np.arange((data.labels == k).sum())
    chosen = np.argsort(rank, kind="stable")[:count]
    return data.images[chosen], data.labels[chosen]


def plain(case: Case, seed: int, fold: Any, x: np.ndarray, y: np.ndarray, weights: Path | None
          ) -> float:
    """The plain script; its validation accuracy."""
    import keras
    from keras import layers as la

    from zoo.backbone import preprocessing
    from zoo.graph import Graph, run
    from zoo.table import backbone

    keras.utils.set_random_seed(seed)
    row = backbone(case.backbone)
    nodes, arrays = preprocessing(row.preprocessing)
    front = Graph(tuple(nodes), arrays)
    network = row.model(96, weights)
    network.trainable = False
    inputs = keras.Input((96, 96, 3))
    z = inputs
    for layer in (la.RandomTranslation(0.1, 0.1), la.RandomRotation(0.1), la.RandomZoom(0.2),
                  la.RandomBrightness(0.2, (0, 255)), la.RandomContrast(0.2, (0, 255)),
                  la.GaussianNoise(5.0)):
        z = layer(z)
    z = la.Lambda(lambda q: run(front, q), output_shape=(96, 96, 3))(z)
    z = la.GlobalAveragePooling2D()(network(z, training=False))
    z = la.Dropout(0.4)(la.Dense(256, activation="relu", kernel_regularizer="l2")(z))
    model = keras.Model(inputs, la.Dense(8, activation="softmax")(z))
    for rate, decay in ((1e-4, 1e-4), (1e-5, 1e-5)):
        model.compile(keras.optimizers.AdamW(rate, weight_decay=decay),
                      "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x[fold[0]], y[fold[0]], BATCH, case.epochs, 0,
                  validation_data=(x[fold[1]], y[fold[1]]))
        unfreeze(network, row.boundaries["last block"])
    return float(model.evaluate(x[fold[1]], y[fold[1]], verbose=0)[1])


def unfreeze(network: Any, first: str) -> None:
    """Make every layer from ``first`` on trainable, batch norms excepted."""
    network.trainable = True
    reached = False
    for layer in network.layers:
        reached = reached or layer.name == first
        layer.trainable = reached and type(layer).__name__ != "BatchNormalization"


def ours(case: Case, seed: int, fold: Any, x: np.ndarray, y: np.ndarray, weights: Path | None
         ) -> float:
    """The same through the harness; its validation accuracy."""
    from harness.data.dataset import Dataset
    from harness.protocol import protocol
    from harness.training.cache import Cache
    from harness.training.run import Job, train
    from zoo.table import backbone

    chosen = protocol("seed", {"epochs_1": case.epochs, "epochs_2": case.epochs,
                               "patience": 10_000, "batch": BATCH})
    job = Job(Dataset(x, y, tuple("abcdefgh"), "benchmark"), (fold,), backbone(case.backbone),
              weights, chosen, seed)
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(job, Cache(Path(folder), 10**11))
    predicted = outcome.classifier(job).predict(x[fold[1]]).argmax(1)
    return float((predicted == y[fold[1]]).mean())


def find_weights(name: str) -> Path | None:
    """The pretrained weights if they are at hand (HARNESS_WEIGHTS, or Keras' cache)."""
    from zoo import weights
    from zoo.table import backbone

    file = backbone(name).pretrained
    folders = [f for f in (os.environ.get(weights.MIRROR), weights.cache_folder()) if f]
    found = [p for f in folders for p in weights.variants(Path(f), file.name)] if file else []
    return found[0] if found else None


def measure(cases: tuple[Case, ...] = CASES, seeds: int = SEEDS) -> list[dict[str, Any]]:
    """[{"backbone", "weights", "epochs", "pictures", "times faster" (with its spread over the
    seeds), "seconds", "accuracy" (plain -> ours)}]."""
    rows = []
    for case in cases:
        x, y = pictures(case.pictures)
        weights = find_weights(case.backbone)
        times, right = [], []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(x))
            fold = (np.sort(order[len(x) // 5:]), np.sort(order[:len(x) // 5]))
            taken, reached = [], []
            for way in (plain, ours):
                began = time.perf_counter()
                reached.append(way(case, seed, fold, x, y, weights))
                taken.append(time.perf_counter() - began)
            times.append((taken[0], taken[1]))
            right.append(reached)
        found = summary(times)
        before, after = np.mean(right, 0)
        rows.append({"backbone": case.backbone, "weights": "imagenet" if weights else "random",
                     "epochs": f"{case.epochs} + {case.epochs}", "pictures": len(x),
                     "times faster": spread(found),
                     "seconds": f"{found['plain']:.0f} -> {found['ours']:.0f}",
                     "accuracy": f"{before:.3f} -> {after:.3f}"})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    from tabulate import tabulate

    print(tabulate(measure(), headers="keys"))
