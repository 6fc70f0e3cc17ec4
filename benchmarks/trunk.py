"""Frozen backbones: pictures a second, Keras' own network (compiled) against ours.

    python -m benchmarks.trunk [BACKBONE ...]

Raw uint8 pictures of 96 x 96 in, the last map of activations out, for both. Weights are random,
but scales and statistics are moved off the zeros and ones they start as, which TensorFlow would
drop from the computation.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.limit import share
from benchmarks.pairs import ratio, spread

SIZE, ROUNDS = 96, 3
BATCH = 64  # what the activation cache uses
# Fewer where a batch of the stock network takes seconds.
SMALLER = {"vgg16": 16, "vgg19": 16, "resnet50": 32, "xception": 32, "convnextbase": 8}
NAMES = ("mobilenetv2", "efficientnetb2", "efficientnetb3", "resnet50", "xception", "vgg16",
         "vgg19", "convnextbase")


def lively(model: Any) -> Any:
    """The network with statistics, scales and biases that do something."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:
            values = np.asarray(variable)
            noise = rng.uniform(0, 0.2, values.shape) if "variance" in variable.path \
                else 0.05 * rng.standard_normal(values.shape)
            variable.assign(values + noise)
    return model


def programs(name: str) -> dict[str, Callable[[Any], Any]]:
    """Stock, ours in float32, ours in this machine's number type: raw pictures in, map out."""
    import tensorflow as tf

    from zoo.backbone import preprocessing
    from zoo.device import number_type
    from zoo.graph import Graph, compiled, run
    from zoo.read import read
    from zoo.rewrite import fast
    from zoo.split import join
    from zoo.table import backbone

    row = backbone(name)
    model = lively(row.model(SIZE))
    nodes, arrays = preprocessing(row.preprocessing)
    front = Graph(tuple(nodes), arrays)
    ours = fast(join(front, read(model)))

    def stock(x: Any) -> Any:
        return model(run(front, x), training=False)

    return {"stock": tf.function(stock, autograph=False),
            **{kind: compiled(ours, kind) for kind in {"float32", number_type()}}}


def one(name: str, rounds: int) -> dict[str, Any]:
    """The row of one backbone."""
    batch = SMALLER.get(name, BATCH)
    x = np.random.default_rng(0).integers(0, 256, (batch, SIZE, SIZE, 3), dtype=np.uint8)
    every = programs(name)
    stock = partial(call, every.pop("stock"), x)
    expected, got = stock(), call(every["float32"], x)
    found = {kind: ratio(stock, partial(call, program, x), rounds)
             for kind, program in every.items()}
    kind = next((k for k in found if k != "float32"), "float32")
    best, exact = found[kind], found["float32"]
    return {"backbone": name, "number type": kind, "stock": batch / best["plain"],
            "ours": batch / best["ours"],
            **{k: best[k] for k in ("ratio", "low", "high", "processor")},
            "share of limit": share(name, SIZE, batch / best["ours"], kind),
            "float32 ratio": spread(exact), "float32 processor": exact["processor"],
            "float32 share of limit": share(name, SIZE, batch / exact["ours"], "float32"),
            "float32 difference": float(np.abs(got - expected).max() / np.abs(expected).max())}


def call(program: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    return np.asarray(program(x))


def measure(names: tuple[str, ...] = NAMES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """[{"backbone", "number type", "stock", "ours" (pictures/s), "ratio", "low", "high",
    "processor", "share of limit", "float32 ratio", "float32 processor", "float32 share of limit",
    "float32 difference"}], and a last row with the geometric means."""
    import keras

    rows = []
    for name in names:
        rows.append(one(name, rounds))
        keras.backend.clear_session()
        print(rows[-1], file=sys.stderr, flush=True)
    means = {k: statistics.geometric_mean([r[k] for r in rows]) for k in ("ratio", "processor")}
    return [*rows, {"backbone": "geometric mean", **means}]


if __name__ == "__main__":
    from tabulate import tabulate

    print(tabulate(measure(tuple(sys.argv[1:]) or NAMES), headers="keys", floatfmt=".3g"))
