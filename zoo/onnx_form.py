"""A graph as an ONNX model, for one shape of its input: Graph -> bytes and large constants.

The batch goes in and the output comes out as float32 with the channels last, like everywhere
here. In between ONNX's convolutions want them first; a value is turned around when a node needs
it otherwise than it is, once.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from zoo.graph import INPUT, Graph, Node
from zoo.onnx_model import FIRST, LAST, Model, NoForm, Value
from zoo.rewrite import scale_and_offset

OPSET = 20     # the first with an exact GELU
FORMAT = 9     # ONNX's version of the file that goes with it


def window(n: int, size: int, step: int, dilation: int, padding: str) -> tuple[int, int, int]:
    """(output, padding before, padding after) of a window along an axis of ``n``, as TensorFlow
    has it: with SAME the odd one comes after."""
    reach = (size - 1) * dilation + 1
    if padding == "VALID":
        return (n - reach) // step + 1, 0, 0
    out = -(-n // step)
    short = max((out - 1) * step + reach - n, 0)
    return out, short // 2, short - short // 2


def slide(model: Model, x: Value, kind: str, inputs: list[str], channels: int,
          size: Sequence[int], steps: Sequence[int], padding: str, dilation: int = 1,
          **more: Any) -> Value:
    """A node that moves a window over a map: ``inputs`` follow the map's name."""
    x = model.to(FIRST, x)
    high, wide = (window(x.shape[i + 1], size[i], steps[i], dilation, padding) for i in (0, 1))
    if dilation > 1:
        more["dilations"] = [dilation, dilation]
    name = model.add(kind, [x.name, *inputs], kernel_shape=list(size), strides=list(steps),
                     pads=[high[1], wide[1], high[2], wide[2]], **more)
    return Value(name, (x.shape[0], high[0], wide[0], channels), FIRST)


def convolution(model: Model, node: Node, x: Value) -> Value:
    """A plain, grouped or depthwise convolution; ONNX knows the last one as grouped."""
    w, args = model.weights(node), node.args
    kernel = w["kernel"]
    high, wide, inputs, outputs = kernel.shape
    groups = x.shape[-1] // inputs
    if node.kind == "depthwise":
        groups, outputs = inputs, inputs * outputs
        kernel = kernel.reshape(high, wide, 1, outputs)
    constants = [model.constant(kernel.transpose(3, 2, 0, 1))]
    constants += [model.constant(w["bias"])] if "bias" in w else []
    y = slide(model, x, "Conv", constants, outputs, (high, wide), (args["strides"],) * 2,
              args["padding"], args.get("dilation", 1), group=groups)
    return model.activate(y, args.get("activation", "linear"))


def dense(model: Model, node: Node, x: Value) -> Value:
    w, x = model.weights(node), model.to(LAST, x)
    name = model.add("MatMul", [x.name, model.constant(w["kernel"])])
    if "bias" in w:
        name = model.add("Add", [name, model.constant(w["bias"])])
    y = Value(name, (*x.shape[:-1], w["kernel"].shape[1]))
    return model.activate(y, node.args.get("activation", "linear"))


def pool(model: Model, node: Node, x: Value) -> Value:
    kind = {"max pool": "MaxPool", "average pool": "AveragePool"}[node.kind]
    size, steps = ((v, v) if isinstance(v, int) else v
                   for v in (node.args["size"], node.args["strides"]))
    return slide(model, x, kind, [], x.shape[-1], size, steps, node.args["padding"])


def affine(model: Model, node: Node, x: Value) -> Value:
    """An affine node or a batch norm that is left: scale and offset of each channel."""
    scale, offset = scale_and_offset(node, model.arrays)
    if {np.size(scale), np.size(offset)} - {1, x.shape[-1]}:
        raise NoForm(f"{node.name} has more than a value a channel")
    name = model.add("Mul", [x.name, model.along(x, scale)])
    if np.any(offset):
        name = model.add("Add", [name, model.along(x, offset)])
    return Value(name, x.shape, x.order)


def layer_norm(model: Model, node: Node, x: Value) -> Value:
    w, x = model.weights(node), model.to(LAST, x)
    inputs = [x.name, model.constant(w.get("gamma", np.ones(x.shape[-1])))]
    inputs += [model.constant(w["beta"])] if "beta" in w else []
    name = model.add("LayerNormalization", inputs, axis=-1, epsilon=node.args["epsilon"])
    return Value(name, x.shape)


def reverse_channels(model: Model, node: Node, x: Value) -> Value:
    backwards = model.constant(np.arange(x.shape[-1])[::-1], "int64")
    name = model.add("Gather", [x.name, backwards], axis=1 if x.order == FIRST else -1)
    return Value(name, x.shape, x.order)


def global_average(model: Model, node: Node, x: Value) -> Value:
    x = model.to(FIRST, x)
    n, _, _, channels = x.shape
    y = Value(model.add("GlobalAveragePool", [x.name]), (n, 1, 1, channels), FIRST)
    return y if node.args.get("keepdims", False) else shaped(model, y, (n, channels))


def resize(model: Model, node: Node, x: Value) -> Value:
    n, *size, channels = x.shape
    if list(node.args["size"]) == size:
        return x
    x = model.to(FIRST, x)
    target = (n, channels, *node.args["size"])
    name = model.add("Resize", [x.name, "", "", model.constant(target, "int64")], mode="linear",
                     coordinate_transformation_mode="half_pixel")
    return Value(name, (n, *node.args["size"], channels), FIRST)


def pad(model: Model, node: Node, x: Value) -> Value:
    (top, bottom), (left, right) = node.args["padding"]
    before, after = ((0, 0, top, left), (0, 0, bottom, right)) if x.order == FIRST \
        else ((0, top, left, 0), (0, bottom, right, 0))
    name = model.add("Pad", [x.name, model.constant((*before, *after), "int64")])
    n, high, wide, channels = x.shape
    return Value(name, (n, high + top + bottom, wide + left + right, channels), x.order)


def shaped(model: Model, x: Value, shape: tuple[int, ...]) -> Value:
    """The values of ``x``, channels last, in another shape. One pixel has them so in any order."""
    x = model.to(LAST, x) if x.shape[1:3] != (1, 1) else x
    return Value(model.add("Reshape", [x.name, model.constant(shape, "int64")]), shape)


def add(model: Model, node: Node, xs: list[Value]) -> Value:
    return reduce(lambda a, b: binary(model, "Add", a, b), xs)


def binary(model: Model, kind: str, a: Value, b: Value) -> Value:
    """Sum or product of two values of as many axes, those of length one broadcast."""
    if len(a.shape) != len(b.shape):
        raise NoForm("values with different numbers of axes")
    a, b = (a, model.to(a.order, b)) if np.prod(a.shape) >= np.prod(b.shape) \
        else (model.to(b.order, a), b)
    shape = tuple(np.broadcast_shapes(a.shape, b.shape))
    return Value(model.add(kind, [a.name, b.name]), shape, a.order)


def concatenate(model: Model, node: Node, xs: list[Value]) -> Value:
    xs = [model.to(xs[0].order, x) for x in xs]
    name = model.add("Concat", [x.name for x in xs], axis=1 if xs[0].order == FIRST else -1)
    return Value(name, (*xs[0].shape[:-1], sum(x.shape[-1] for x in xs)), xs[0].order)


# kind -> function(model, node, inputs). A kind without a row has no ONNX form.
FORMS: dict[str, Callable[[Model, Node, list[Value]], Value]] = {
    "conv": lambda m, n, x: convolution(m, n, x[0]),
    "depthwise": lambda m, n, x: convolution(m, n, x[0]),
    "dense": lambda m, n, x: dense(m, n, x[0]),
    "batch norm": lambda m, n, x: affine(m, n, x[0]),
    "layer norm": lambda m, n, x: layer_norm(m, n, x[0]),
    "affine": lambda m, n, x: affine(m, n, x[0]),
    "reverse channels": lambda m, n, x: reverse_channels(m, n, x[0]),
    "activation": lambda m, n, x: m.activate(x[0], n.args["activation"]),
    "max pool": lambda m, n, x: pool(m, n, x[0]),
    "average pool": lambda m, n, x: pool(m, n, x[0]),
    "global average": lambda m, n, x: global_average(m, n, x[0]),
    "resize": lambda m, n, x: resize(m, n, x[0]),
    "pad": lambda m, n, x: pad(m, n, x[0]),
    "reshape": lambda m, n, x: shaped(m, x[0], (x[0].shape[0], *n.args["shape"])),
    "flatten": lambda m, n, x: shaped(m, x[0], (x[0].shape[0], int(np.prod(x[0].shape[1:])))),
    "add": add,
    "multiply": lambda m, n, x: binary(m, "Mul", x[0], x[1]),
    "concatenate": concatenate,
    "dropout": lambda m, n, x: x[0],
}


def onnx_form(graph: Graph, shape: tuple[int, ...]) -> tuple[bytes, dict[str, np.ndarray]]:
    """``graph`` as an ONNX model of a float32 batch of this shape, whose output is float32; and
    the values of its large constants, which the model only names.

    Raises NoForm where it has none.
    """
    from onnx import TensorProto, helper

    model = Model(graph.arrays)
    known = {INPUT: Value(INPUT, tuple(shape))}
    for node in graph.nodes:
        if node.kind not in FORMS:
            raise NoForm(node.kind)
        known[node.name] = FORMS[node.kind](model, node, [known[i] for i in node.inputs])
    last = model.to(LAST, known[graph.output])
    output = model.add("Identity", [last.name])
    written = helper.make_graph(
        model.nodes, "network",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, last.shape)],
        model.constants)
    found: bytes = helper.make_model(written, ir_version=FORMAT, opset_imports=[
        helper.make_opsetid("", OPSET)]).SerializeToString()
    return found, model.large
