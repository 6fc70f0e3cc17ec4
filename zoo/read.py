"""Read a functional Keras network into a Graph. Adding a kind of layer is one row of READERS."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.graph import INPUT, Graph, Node

# What one layer becomes: [(suffix of the name, kind, args, arrays)], in order.
Steps = list[tuple[str, str, dict[str, Any], dict[str, np.ndarray]]]


def activation(layer: Any) -> str:
    return getattr(layer.activation, "__name__", str(layer.activation))


def weights(layer: Any, **names: str) -> dict[str, np.ndarray]:
    """{our name: values} for each of the layer's variables that exists."""
    found = {ours: getattr(layer, theirs, None) for ours, theirs in names.items()}
    return {ours: np.asarray(v) for ours, v in found.items() if v is not None}


def convolution(layer: Any) -> dict[str, Any]:
    return {"strides": layer.strides[0], "padding": layer.padding.upper(),
            "dilation": layer.dilation_rate[0], "activation": activation(layer),
            **({"groups": layer.groups} if getattr(layer, "groups", 1) > 1 else {})}


def conv(layer: Any) -> Steps:
    return [("", "conv", convolution(layer), weights(layer, kernel="kernel", bias="bias"))]


def depthwise(layer: Any) -> Steps:
    return [("", "depthwise", convolution(layer), weights(layer, kernel="kernel", bias="bias"))]


def separable(layer: Any) -> Steps:
    first = {**convolution(layer), "activation": "linear"}
    second = {"strides": 1, "padding": "VALID", "activation": activation(layer)}
    return [("/depthwise", "depthwise", first, weights(layer, kernel="depthwise_kernel")),
            ("", "conv", second, weights(layer, kernel="pointwise_kernel", bias="bias"))]


def pooling(kind: str) -> Callable[[Any], Steps]:
    return lambda layer: [("", kind, {"size": list(layer.pool_size), "padding":
                           layer.padding.upper(), "strides": list(layer.strides)}, {})]


def rescaling(layer: Any) -> Steps:
    scale, offset = (np.asarray(v, "float32") for v in (layer.scale, layer.offset))
    return [("", "affine", {}, {"scale": scale, "offset": offset})]


def normalization(layer: Any) -> Steps:
    mean, variance = np.ravel(layer.mean), np.ravel(layer.variance)
    scale = 1 / np.maximum(np.sqrt(variance), 1e-7)
    return [("", "affine", {}, {"scale": scale.astype("float32"),
                                "offset": (-mean * scale).astype("float32")})]


def relu(layer: Any) -> Steps:
    name = {None: "relu", 6.0: "relu6"}[layer.max_value]
    return [("", "activation", {"activation": name}, {})]


def dropout(layer: Any) -> Steps:
    whole = bool(layer.noise_shape) and all(n == 1 for n in layer.noise_shape[1:])
    return [("", "dropout", {"rate": float(layer.rate), "whole": whole}, {})]


def stochastic_depth(layer: Any) -> Steps:
    return [("", "dropout", {"rate": float(layer.drop_path_rate), "whole": True}, {})]


READERS: dict[str, Callable[[Any], Steps]] = {
    "Conv2D": conv,
    "DepthwiseConv2D": depthwise,
    "SeparableConv2D": separable,
    "Dense": lambda la: [("", "dense", {"activation": activation(la)},
                          weights(la, kernel="kernel", bias="bias"))],
    "BatchNormalization": lambda la: [("", "batch norm", {"epsilon": la.epsilon}, weights(
        la, gamma="gamma", beta="beta", mean="moving_mean", variance="moving_variance"))],
    "LayerNormalization": lambda la: [("", "layer norm", {"epsilon": la.epsilon},
                                       weights(la, gamma="gamma", beta="beta"))],
    "LayerScale": lambda la: [("", "affine", {}, weights(la, scale="gamma"))],
    "Rescaling": rescaling,
    "Normalization": normalization,
    "Activation": lambda la: [("", "activation", {"activation": activation(la)}, {})],
    "ReLU": relu,
    "MaxPooling2D": pooling("max pool"),
    "AveragePooling2D": pooling("average pool"),
    "GlobalAveragePooling2D": lambda la: [("", "global average", {"keepdims": la.keepdims}, {})],
    "ZeroPadding2D": lambda la: [("", "pad", {"padding": [list(p) for p in la.padding]}, {})],
    "Reshape": lambda la: [("", "reshape", {"shape": list(la.target_shape)}, {})],
    "Flatten": lambda la: [("", "flatten", {}, {})],
    "Add": lambda la: [("", "add", {}, {})],
    "Multiply": lambda la: [("", "multiply", {}, {})],
    "Concatenate": lambda la: [("", "concatenate", {}, {})],
    "Dropout": dropout,
    "StochasticDepth": stochastic_depth,
}


def read(model: Any) -> Graph:
    """A functional Keras network, nested ones unfolded, as a Graph.

    Raises ValueError for a kind of layer that READERS has no row for.
    """
    nodes: list[Node] = []
    arrays: dict[str, np.ndarray] = {}
    unfold(model, INPUT, nodes, arrays, {})
    return Graph(tuple(nodes), arrays)


def unfold(model: Any, source: str, nodes: list[Node], arrays: dict[str, np.ndarray],
           counts: dict[str, int]) -> str:
    """Append the nodes of ``model``, fed by the node ``source``; return the last one's name."""
    names: dict[int, str] = {id(model.inputs[0]): source}
    for layer, call in calls(model):
        inputs = [names[id(t)] for t in call.input_tensors]
        if hasattr(layer, "layers"):
            last = unfold(layer, inputs[0], nodes, arrays, counts)
        else:
            last = append(layer, inputs, nodes, arrays, counts)
        names[id(call.outputs[0])] = last
    return names[id(model.outputs[0])]


def calls(model: Any) -> list[tuple[Any, Any]]:
    """(layer, call) for every call in the network, in an order in which they can run."""
    # The first entry of a network's own bookkeeping that is the same in Keras 3.4 and 3.15.
    model = getattr(model, "_functional", model) or model
    order = [node for depth in sorted(model._nodes_by_depth, reverse=True)
             for node in model._nodes_by_depth[depth]]
    return [(node.operation, node) for node in order if not node.is_input]


def append(layer: Any, inputs: list[str], nodes: list[Node], arrays: dict[str, np.ndarray],
           counts: dict[str, int]) -> str:
    kind = type(layer).__name__
    if kind not in READERS:
        raise ValueError(f"layer {layer.name!r} is a {kind}; zoo/read.py has no row for that kind")
    name = steady_name(layer.name, kind, counts)
    for suffix, step, args, values in READERS[kind](layer):
        nodes.append(Node(name + suffix, step, tuple(inputs), args, tuple(values)))
        arrays.update({f"{name}{suffix}/{k}": v.astype("float32") for k, v in values.items()})
        inputs = [name + suffix]
    return inputs[0]


def steady_name(name: str, kind: str, counts: dict[str, int]) -> str:
    """The name, with Keras' process-wide counter replaced by the network's own.

    A second Xception in one process has ``add_12`` where the first had ``add``; content hashes
    must not see that. Names that the architecture gave its layers stay.
    """
    default = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()
    if not re.fullmatch(default + r"(_\d+)?", name):
        return name
    counts[default] = counts.get(default, -1) + 1
    return f"{default}_{counts[default]}"
