"""Exact speed-ups: Graph -> Graph. Tests prove each equal to Keras' own network.

"Exact" means the same function of the picture: what is left is float32's rounding. What is frozen,
and what predicts, is rewritten once; what is trained in every step anew, from the weights that it
has by then, so that what is folded away learns all the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from zoo.graph import Graph, Node

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
    graph = ungroup(graph)
    rewritten = folded(graph)
    return Graph(rewritten.nodes, rewritten.arrays(graph.arrays))


Step = Callable[[dict[str, Any]], None]  # changes arrays, by the names that graphs keep them under


@dataclass(frozen=True)
class Folded:
    """Nodes that compute what a graph's do, and the steps that make their arrays of the graph's.

    The steps use what numpy's arrays and TensorFlow's tensors have in common, so that gradients
    find their way back to the graph's own arrays.
    """

    nodes: tuple[Node, ...]
    steps: tuple[Step, ...]

    def arrays(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """The nodes' arrays, made of the graph's, which stay as they are."""
        made = dict(arrays)
        for step in self.steps:
            step(made)
        return {k: made[k] for k in (f"{n.name}/{a}" for n in self.nodes for a in n.arrays)}


def folded(graph: Graph) -> Folded:
    """``graph`` without the scales, offsets and activations that can be part of another node."""
    nodes, back = fold_back(graph)
    nodes, forward = fold_forward(nodes)
    return Folded(tuple(nodes), (*back, *forward))


def fold_back(graph: Graph) -> tuple[list[Node], list[Step]]:
    """Fold batch norms, scales and activations into the linear node that feeds them alone."""
    users = Counter(i for node in graph.nodes for i in node.inputs)
    done: dict[str, Node] = {}
    alias: dict[str, str] = {}
    steps: list[Step] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(alias.get(i, i) for i in node.inputs))
        before = done.get(node.inputs[0])
        if before is not None and users[graph[node.name].inputs[0]] == 1 \
                and absorbs(before, node, graph.arrays):
            del done[before.name]  # it moves to this node's place, so that the last stays the last
            done[before.name] = absorbing(before, node)
            if node.kind != "activation":
                steps.append(partial(scale_outputs, before, node))
            alias[node.name] = before.name
        else:
            done[node.name] = node
    return list(done.values()), steps


def absorbs(linear: Node, node: Node, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether ``node`` can be a part of ``linear``."""
    if linear.kind not in LINEAR or linear.args.get("activation", "linear") != "linear":
        return False
    if node.kind == "activation":
        return node.args["activation"] in FUSED
    kernel = arrays[f"{linear.name}/kernel"]
    if node.kind not in ("batch norm", "affine") or \
            linear.kind == "depthwise" and kernel.shape[3] > 1:
        return False
    return all(arrays[f"{node.name}/{a}"].shape in ((1,), (outputs(linear, kernel),))
               for a in node.arrays)


def absorbing(linear: Node, node: Node) -> Node:
    """``linear`` with ``node`` as a part of it."""
    if node.kind == "activation":
        return replace(linear, args={**linear.args, "activation": node.args["activation"]})
    return replace(linear, arrays=("kernel", "bias"))


def outputs(linear: Node, kernel: Any) -> int:
    """Channels that come out; of a depthwise node, those that go in."""
    return int(kernel.shape[2 if linear.kind == "depthwise" else -1])


def scale_outputs(linear: Node, node: Node, arrays: dict[str, Any]) -> None:
    """Make the scale and the offset of ``node`` part of the weights of ``linear``."""
    scale, offset = scale_and_offset(node, arrays)
    kernel, bias = f"{linear.name}/kernel", f"{linear.name}/bias"
    none = np.zeros(outputs(linear, arrays[kernel]), "float32")
    arrays[bias] = rounded(exact(arrays.get(bias, none)) * scale + offset)
    across = scale[:, None] if linear.kind == "depthwise" else scale
    arrays[kernel] = rounded(exact(arrays[kernel]) * across)


def scale_and_offset(node: Node, arrays: Mapping[str, Any]) -> tuple[Any, Any]:
    """What a batch norm or an affine node does to its input, in float64 (of tensors: their own)."""
    w = {a: exact(arrays[f"{node.name}/{a}"]) for a in node.arrays}
    if node.kind == "affine":
        return w["scale"], w.get("offset", np.zeros(1, "float32"))
    scale = w.get("gamma", 1.0) * (w["variance"] + node.args["epsilon"]) ** -0.5
    return scale, w.get("beta", 0.0) - w["mean"] * scale


def fold_forward(nodes: Iterable[Node]) -> tuple[list[Node], list[Step]]:
    """Fold the weights of layer norms into the dense nodes that alone use them."""
    found = {node.name: node for node in nodes}
    users = Counter(i for node in found.values() for i in node.inputs)
    steps: list[Step] = []
    for node in list(found.values()):
        before = found.get(node.inputs[0])
        if before is None or users[before.name] > 1 or node.kind != "dense" \
                or before.kind != "layer norm" or not before.arrays:
            continue
        steps.append(partial(scale_inputs, before, node))
        found[node.name] = replace(node, arrays=("kernel", "bias"))
        found[before.name] = replace(before, arrays=())
    return list(found.values()), steps


def scale_inputs(norm: Node, linear: Node, arrays: dict[str, Any]) -> None:
    """Make the weights of a layer norm part of those of the dense node behind it."""
    gamma, beta = (exact(arrays[f"{norm.name}/{a}"]) for a in ("gamma", "beta"))
    kernel, bias = f"{linear.name}/kernel", f"{linear.name}/bias"
    weights = exact(arrays[kernel])
    shift = (beta[None, :] @ weights)[0]
    arrays[bias] = rounded(shift + exact(arrays[bias]) if bias in arrays else shift)
    arrays[kernel] = rounded(gamma[:, None] * weights)


def exact(array: Any) -> Any:
    """An array in float64; a tensor as it is."""
    return array.astype("float64") if isinstance(array, np.ndarray) else array


def rounded(array: Any) -> Any:
    return array.astype("float32") if isinstance(array, np.ndarray) else array
