"""Exact speed-ups: Graph -> Graph. Tests prove each equal to Keras' own network.

"Exact" means the same function of the picture: what is left is float32's rounding. Training
doesn't use them on what it trains (a batch norm folded away has no weights), but on what is
frozen, and prediction does.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from zoo.graph import Graph, Node
from zoo.split import part

LINEAR = ("conv", "depthwise", "dense")  # what a scale and an offset can be folded into
FUSED = ("relu", "relu6", "silu", "swish", "gelu")


def ungroup(graph: Graph) -> Graph:
    """Turn convolutions with one channel a group into depthwise ones.

    Keras' ConvNeXt uses a grouped Conv2D, which TensorFlow runs an order of magnitude slower.
    """
    nodes, arrays = [], dict(graph.arrays)
    for node in graph.nodes:
        key = f"{node.name}/kernel"
        kernel = graph.arrays.get(key)
        if node.kind == "conv" and node.args.get("groups", 1) > 1 and kernel is not None \
                and kernel.shape[2] == 1:
            arrays[key] = np.ascontiguousarray(kernel.transpose(0, 1, 3, 2))
            args = {k: v for k, v in node.args.items() if k != "groups"}
            node = Node(node.name, "depthwise", node.inputs, args, node.arrays)
        nodes.append(node)
    return Graph(tuple(nodes), arrays)


def fast(graph: Graph) -> Graph:
    """All rewrites that keep the output: for frozen trunks and for prediction."""
    return fold_forward(fold_back(ungroup(graph)))


def fold_back(graph: Graph) -> Graph:
    """Fold batch norms, scales and activations into the linear node that feeds them alone."""
    users = Counter(i for node in graph.nodes for i in node.inputs)
    done: dict[str, Node] = {}
    alias: dict[str, str] = {}
    arrays = dict(graph.arrays)
    for node in graph.nodes:
        node = replace(node, inputs=tuple(alias.get(i, i) for i in node.inputs))
        before = done.get(node.inputs[0])
        if before is not None and users[graph[node.name].inputs[0]] == 1 \
                and (folded := absorbed(before, node, arrays)) is not None:
            del done[before.name]  # it moves to this node's place, so that the last stays the last
            done[before.name] = folded
            alias[node.name] = before.name
        else:
            done[node.name] = node
    return part(arrays, done.values())


def absorbed(linear: Node, node: Node, arrays: dict[str, np.ndarray]) -> Node | None:
    """``linear`` with ``node`` folded into it (its arrays are changed), or None if it can't be."""
    if linear.kind not in LINEAR or linear.args.get("activation", "linear") != "linear":
        return None
    if node.kind == "activation" and node.args["activation"] in FUSED:
        return replace(linear, args={**linear.args, "activation": node.args["activation"]})
    if node.kind not in ("batch norm", "affine"):
        return None
    scale, offset = scale_and_offset(node, arrays)
    kernel = arrays[f"{linear.name}/kernel"]
    outputs = kernel.shape[2] * kernel.shape[3] if linear.kind == "depthwise" else kernel.shape[-1]
    if scale.size not in (1, outputs):
        return None
    scale = np.broadcast_to(scale.reshape(-1), outputs)
    shape = kernel.shape[2:] if linear.kind == "depthwise" else (outputs,)
    arrays[f"{linear.name}/kernel"] = (kernel * scale.reshape(shape)).astype("float32")
    bias = arrays.get(f"{linear.name}/bias", np.zeros(outputs)) * scale + offset
    arrays[f"{linear.name}/bias"] = bias.astype("float32")
    return replace(linear, arrays=("kernel", "bias"))


def scale_and_offset(node: Node, arrays: Mapping[str, np.ndarray]
                     ) -> tuple[np.ndarray, np.ndarray]:
    """What a batch norm or an affine node does to its input, in float64."""
    w = {a: arrays[f"{node.name}/{a}"].astype("float64") for a in node.arrays}
    if node.kind == "affine":
        return w["scale"], w.get("offset", np.zeros(1))
    scale = w.get("gamma", 1.0) / np.sqrt(w["variance"] + node.args["epsilon"])
    return scale, w.get("beta", 0.0) - w["mean"] * scale


def fold_forward(graph: Graph) -> Graph:
    """Fold the weights of layer norms into the dense nodes that alone use them."""
    users = Counter(i for node in graph.nodes for i in node.inputs)
    nodes = {node.name: node for node in graph.nodes}
    arrays = dict(graph.arrays)
    for node in graph.nodes:
        before = nodes.get(node.inputs[0])
        if before is None or users[before.name] > 1:
            continue
        if before.kind == "layer norm" and before.arrays and node.kind == "dense":
            kernel = arrays[f"{node.name}/kernel"].astype("float64")
            gamma, beta = (arrays[f"{before.name}/{a}"] for a in ("gamma", "beta"))
            bias = arrays.get(f"{node.name}/bias", 0.0) + beta @ kernel
            arrays[f"{node.name}/kernel"] = (gamma[:, None] * kernel).astype("float32")
            arrays[f"{node.name}/bias"] = bias.astype("float32")
            nodes[node.name] = replace(node, arrays=("kernel", "bias"))
            nodes[before.name] = replace(before, arrays=())
    return part(arrays, nodes.values())
