"""Frozen backbones: pictures a second, Keras' own network (compiled) against ours.

    python -m benchmarks.trunk [BACKBONE ...]

Raw uint8 pictures of 96 x 96 in, the last map of activations out, for both. Weights are random,
but scales and statistics are moved off the zeros and ones they start as, which TensorFlow would
drop from the computation. Ours runs on the engine that this machine would choose; timm's network
of the same name is a column of its own where torch and timm are installed.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import pytorch
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


def networks(name: str) -> tuple[Callable[[Any], Any], Any]:
    """Keras' network, compiled, and ours as a graph: raw pictures in, last map out."""
    import tensorflow as tf

    from zoo.backbone import preprocessing
    from zoo.graph import Graph, run
    from zoo.read import read
    from zoo.rewrite import fast
    from zoo.split import join
    from zoo.table import backbone

    row = backbone(name)
    model = lively(row.model(SIZE))
    nodes, arrays = preprocessing(row.preprocessing)
    front = Graph(tuple(nodes), arrays)

    def stock(x: Any) -> Any:
        return model(run(front, x), training=False)

    return tf.function(stock, autograph=False), fast(join(front, read(model)))


def one(name: str, rounds: int) -> dict[str, Any]:
    """The row of one backbone."""
    from zoo.device import number_type
    from zoo.engines import ONNX, Fastest, choose, program

    batch = SMALLER.get(name, BATCH)
    x = pictures(batch)
    network, graph = networks(name)
    exact = Fastest(graph)
    engine = choose(graph, x.shape, number_type())
    kind = "float32" if engine == ONNX else number_type()
    ours = exact if kind == "float32" else program(graph, engine, kind)
    stock = partial(call, network, x)
    expected, got = stock(), exact(x)
    found = ratio(stock, partial(ours, x), rounds)
    precise = found if ours is exact else ratio(stock, partial(exact, x), rounds)
    return {"backbone": name, "engine": engine, "number type": kind,
            "stock": batch / found["plain"], "ours": batch / found["ours"],
            **{k: found[k] for k in ("ratio", "low", "high", "processor")},
            "share of limit": share(name, SIZE, batch / found["ours"], kind),
            "float32 ratio": spread(precise), "float32 processor": precise["processor"],
            "float32 share of limit": share(name, SIZE, batch / precise["ours"], "float32"),
            "float32 difference": float(np.abs(got - expected).max() / np.abs(expected).max()),
            **against_pytorch(name, ours)}


def against_pytorch(name: str, ours: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """{"timm": pictures/s and the number type, "timm ratio": of both ways' best of some batches};
    nothing where it isn't installed."""
    if not pytorch.importable():
        return {}
    kind, speed = pytorch.measured(name)
    own = pytorch.BATCH / pytorch.best(partial(ours, pictures(pytorch.BATCH)))
    return {"timm": f"{speed:.1f} ({kind})", "timm ratio": own / speed}


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)


def call(program: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    return np.asarray(program(x))


def measure(names: tuple[str, ...] = NAMES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """[{"backbone", "engine", "number type", "stock", "ours" (pictures/s), "ratio", "low", "high",
    "processor", "share of limit", "float32 ratio", "float32 processor", "float32 share of limit",
    "float32 difference"}], with "timm" (its pictures/s on PyTorch) and "timm ratio" where that is
    installed, and a last row with the geometric means."""
    import keras

    rows = []
    for name in names:
        rows.append(one(name, rounds))
        keras.backend.clear_session()
        print(rows[-1], file=sys.stderr, flush=True)
    means = {k: statistics.geometric_mean([r[k] for r in rows])
             for k in ("ratio", "processor", "timm ratio") if all(k in r for r in rows)}
    return [*rows, {"backbone": "geometric mean", **means}]


if __name__ == "__main__":
    from tabulate import tabulate

    print(tabulate(measure(tuple(sys.argv[1:]) or NAMES), headers="keys", floatfmt=".3g"))
