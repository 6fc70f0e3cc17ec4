"""The head that every backbone gets, as nodes of a graph."""

import numpy as np

from harness.protocol import Protocol
from zoo.graph import Graph, Node

LOGITS = "logits"
HEAD = ("hidden", LOGITS)  # the nodes with weights
LEAST = 1e-3  # of the largest deviation of a feature: up to it one is taken for constant
ADDED = 1e-3  # to a deviation before it divides


def head(protocol: Protocol, features: int, classes: int, seed: int,
         pooled: np.ndarray | None = None) -> Graph:
    """Pooled features (n, features) in, class probabilities (n, classes) out.

    pooled: features of the training pictures, (m, features), to standardize by where the
    protocol says so. Weights are Glorot-uniform, drawn from ``seed``.
    """
    rng = np.random.default_rng([seed, features, classes])
    nodes: list[Node] = []
    arrays: dict[str, np.ndarray] = {}
    last = "input"

    def add(node: Node, **values: np.ndarray) -> None:
        nonlocal last
        nodes.append(node)
        arrays.update({f"{node.name}/{k}": v.astype("float32") for k, v in values.items()})
        last = node.name

    def dense(name: str, inputs: int, outputs: int, activation: str) -> None:
        limit = np.sqrt(6 / (inputs + outputs))
        add(Node(name, "dense", (last,), {"activation": activation}, ("kernel", "bias")),
            kernel=rng.uniform(-limit, limit, (inputs, outputs)), bias=np.zeros(outputs))

    if protocol.standardize and pooled is not None:
        mean, std = pooled.mean(0, dtype="f8"), pooled.std(0, dtype="f8")
        # What never varied in training has untrained weights: it must not be magnified, but go.
        scale = np.where(std <= LEAST * std.max(), 0.0, 1 / (std + ADDED))
        add(Node("standardize", "affine", (last,), {}, ("scale", "offset")),
            scale=scale, offset=-mean * scale)
    if protocol.dense:
        dense("hidden", features, protocol.dense, "relu")
    if protocol.dropout:
        add(Node("dropout", "dropout", (last,), {"rate": protocol.dropout}))
    dense(LOGITS, protocol.dense or features, classes, "linear")
    add(Node("probabilities", "activation", (last,), {"activation": "softmax"}))
    return Graph(tuple(nodes), arrays)


def trainable(graph: Graph) -> list[str]:
    """The arrays that training may change.

    Statistics of batch normalization stay (fine-tuning on few pictures spoils them), and so do
    preprocessing and standardizing; the scales of ConvNeXt's layers are weights.
    """
    keys = []
    for node in graph.nodes:
        fixed = node.kind == "affine" and not node.name.endswith("layer_scale")
        keys += [f"{node.name}/{a}" for a in node.arrays
                 if not fixed and a not in ("mean", "variance")]
    return keys
