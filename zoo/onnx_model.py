"""An ONNX model while it is written: its nodes, its constants, and which way a map lies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.graph import Node

FIRST, LAST = "channels first", "channels last"
LARGE = 1024  # bytes; a larger constant stays outside of the model's text, which holds it twice


class NoForm(Exception):
    """The graph has no ONNX form, and TensorFlow runs it."""


@dataclass(frozen=True)
class Value:
    """A tensor of the model. shape: as TensorFlow has it, with the batch and channels last."""

    name: str
    shape: tuple[int, ...]
    order: str = LAST


class Model:
    """The ONNX nodes and constants written so far; the large constants' values are in ``large``."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = arrays
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.large: dict[str, np.ndarray] = {}
        self.turned: dict[tuple[str, str], Value] = {}

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node; the name of its output."""
        from onnx import helper

        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, kind: str = "float32") -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        array = np.ascontiguousarray(values, kind).reshape(np.shape(values))
        if array.nbytes > LARGE:
            self.large[name] = array
            self.constants.append(elsewhere(name, array))
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, node: Node) -> dict[str, np.ndarray]:
        return {a: self.arrays[f"{node.name}/{a}"] for a in node.arrays}

    def to(self, order: str, x: Value) -> Value:
        """``x`` in that order of axes. Only maps (four axes) have two."""
        if len(x.shape) != 4 or x.order == order:
            return x
        key = (x.name, order)
        if key not in self.turned:
            n, h, w, c = x.shape
            if h == w == 1:
                shape = (n, c, 1, 1) if order == FIRST else x.shape
                name = self.add("Reshape", [x.name, self.constant(shape, "int64")])
            else:
                name = self.add("Transpose", [x.name],
                                perm=(0, 3, 1, 2) if order == FIRST else (0, 2, 3, 1))
            self.turned[key] = Value(name, x.shape, order)
        return self.turned[key]

    def along(self, x: Value, values: np.ndarray) -> str:
        """A constant with one value a channel (or one in all) that broadcasts against ``x``."""
        flat = np.ravel(values)
        return self.constant(flat.reshape(-1, 1, 1) if x.order == FIRST else flat)

    def activate(self, x: Value, name: str) -> Value:
        if name == "linear":
            return x
        if name not in ACTIVATIONS:
            raise NoForm(f"activation {name}")
        x = self.to(LAST, x) if name == "softmax" else x
        return Value(ACTIVATIONS[name](self, x.name), x.shape, x.order)


def elsewhere(name: str, array: np.ndarray) -> Any:
    """The description of a constant whose values are handed over beside the model."""
    from onnx import StringStringEntryProto, TensorProto, helper

    return TensorProto(
        name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
        data_location=TensorProto.EXTERNAL,
        external_data=[StringStringEntryProto(key=k, value=v) for k, v in (
            ("location", name), ("offset", "0"), ("length", str(array.nbytes)))])


ACTIVATIONS: dict[str, Callable[[Model, str], str]] = {
    "relu": lambda m, x: m.add("Relu", [x]),
    "relu6": lambda m, x: m.add("Clip", [x, m.constant(0.0), m.constant(6.0)]),
    "silu": lambda m, x: m.add("Mul", [x, m.add("Sigmoid", [x])]),
    "swish": lambda m, x: m.add("Mul", [x, m.add("Sigmoid", [x])]),
    "sigmoid": lambda m, x: m.add("Sigmoid", [x]),
    "tanh": lambda m, x: m.add("Tanh", [x]),
    "elu": lambda m, x: m.add("Elu", [x]),
    "gelu": lambda m, x: m.add("Gelu", [x]),
    "softmax": lambda m, x: m.add("Softmax", [x], axis=-1),
    "hard_sigmoid": lambda m, x: m.add("HardSigmoid", [x], alpha=1 / 6, beta=0.5),
    "hard_silu": lambda m, x: m.add("HardSwish", [x]),
}
