"""Classifiers with random weights whose predictions vary from picture to picture."""

import numpy as np

from zoo import graph as graphs
from zoo.classifier import Classifier
from zoo.graph import Graph, Node
from zoo.split import join
from zoo.table import backbone

SIZE = 96


def pictures(n: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Coarse blobs of colour, uint8 (n, size, size, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 6, 6, 3), dtype="uint8")
    times = -(-size // 6)
    return coarse.repeat(times, axis=1).repeat(times, axis=2)[:, :size, :size].copy()


def member(name: str, classes: int = 8, seed: int = 0, size: int = SIZE) -> Graph:
    """A backbone with a random head that is scaled to what the backbone gives."""
    trunk = settled(backbone(name).graph(size, seed=seed), pictures(16))
    features = np.asarray(graphs.run(trunk, pictures(16))).mean(axis=(1, 2))
    spread = np.maximum(features.std(0), 1e-3 * np.abs(features).max() + 1e-6)
    draws = np.random.default_rng(seed).normal(size=(features.shape[1], classes))
    kernel = draws / spread[:, None]
    kernel /= ((features - features.mean(0)) @ kernel).std()
    top = Graph(
        (Node("pooled", "global average", ("input",)),
         Node("top", "dense", ("pooled",), {"activation": "softmax"}, ("kernel", "bias"))),
        {"top/kernel": kernel.astype("float32"),
         "top/bias": (-features.mean(0) @ kernel).astype("float32")})
    return join(trunk, top)


def settled(graph: Graph, images: np.ndarray) -> Graph:
    """``graph`` with batch norms that know the statistics of what they get, as trained ones do.

    Values may grow from block to block else, until a rounding error changes the class.
    """
    arrays, known = dict(graph.arrays), {"input": images.astype("float32")}
    for node in graph.nodes:
        inputs = [known[name] for name in node.inputs]
        if node.kind == "batch norm":
            x = np.asarray(inputs[0])
            arrays[f"{node.name}/mean"] = x.mean((0, 1, 2))
            arrays[f"{node.name}/variance"] = x.var((0, 1, 2))
        weights = {a: arrays[f"{node.name}/{a}"] for a in node.arrays}
        known[node.name] = graphs.KINDS[node.kind](inputs, node.args, weights, None)
    return Graph(graph.nodes, arrays)


def classifier(*names: str, classes: int = 8, tta: str = "none", seed: int = 0) -> Classifier:
    members = tuple(member(name, classes, seed + i) for i, name in enumerate(names))
    return Classifier(members, tuple(f"class {i}" for i in range(classes)), tta)
