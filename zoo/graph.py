"""A network as plain data: nodes, arrays, and the function that runs them.

This is our only file format, so nothing of ours ever needs ``keras.models.load_model`` (whose
files are programs), and a network saved today runs under any TensorFlow 2. The file stands
alone on numpy and TensorFlow because its source is put into every submission.

A graph takes raw 0..255 RGB pictures, (n, H, W, 3) of any number type, and ends in class
probabilities, (n, K); a trunk ends in a map of activations, (n, h, w, c).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

INPUT = "input"


@dataclass(frozen=True)
class Node:
    """One step. ``arrays`` are the names of its weights, stored under "node name/array name"."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    args: Mapping[str, Any] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run, the last one the output, and their arrays."""

    nodes: tuple[Node, ...]
    arrays: Mapping[str, np.ndarray]

    @property
    def output(self) -> str:
        return self.nodes[-1].name if self.nodes else INPUT

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)


def activate(x: Any, name: str) -> Any:
    """Apply the activation function called ``name``."""
    import tensorflow as tf

    functions: dict[str, Callable[[Any], Any]] = {
        "linear": lambda x: x, "relu": tf.nn.relu, "relu6": tf.nn.relu6, "silu": tf.nn.silu,
        "swish": tf.nn.silu, "sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh, "elu": tf.nn.elu,
        "gelu": lambda x: tf.nn.gelu(x, approximate=False), "softmax": tf.nn.softmax,
        "hard_sigmoid": lambda x: tf.nn.relu6(x + 3.0) / 6.0,
        "hard_silu": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    }
    return functions[name](x)


def convolve(x: Any, args: Mapping[str, Any], w: Mapping[str, Any],
             product: Callable[..., Any] | None = None) -> Any:
    """A convolution. product: what to call in place of ``tf.nn.conv2d``."""
    import tensorflow as tf

    x = (product or tf.nn.conv2d)(x, w["kernel"], args["strides"], args["padding"],
                                  dilations=args.get("dilation", 1))
    x = tf.nn.bias_add(x, w["bias"]) if "bias" in w else x
    return activate(x, args.get("activation", "linear"))


def convolve_depthwise(x: Any, args: Mapping[str, Any], w: Mapping[str, Any],
                       product: Callable[..., Any] | None = None) -> Any:
    """The same of each channel alone. product: in place of ``tf.nn.depthwise_conv2d``."""
    import tensorflow as tf

    step, dilation = args["strides"], args.get("dilation", 1)
    x = (product or tf.nn.depthwise_conv2d)(x, w["kernel"], (1, step, step, 1), args["padding"],
                                            dilations=(dilation, dilation))
    x = tf.nn.bias_add(x, w["bias"]) if "bias" in w else x
    return activate(x, args.get("activation", "linear"))


def normalize_batch(x: Any, args: Mapping[str, Any], w: Mapping[str, Any]) -> Any:
    """Batch normalization in inference mode, which is the only one that training knows."""
    import tensorflow as tf

    scale = tf.math.rsqrt(w["variance"] + tf.cast(args["epsilon"], w["variance"].dtype))
    scale = scale * w["gamma"] if "gamma" in w else scale
    shift = -w["mean"] * scale
    return x * scale + (shift + w["beta"] if "beta" in w else shift)


def normalize_adaptively(x: Any, args: Mapping[str, Any], w: Mapping[str, Any]) -> Any:
    """Batch normalization with a share of the batch's own statistics, see zoo/adapt.py."""
    import tensorflow as tf

    exact = tf.cast(x, "float32")
    mean, variance = tf.nn.moments(exact, list(range(len(x.shape) - 1)))
    mixed = {k: tf.cast(v, "float32") for k, v in w.items()}
    for name, own in (("mean", mean), ("variance", variance)):
        mixed[name] = args["share"] * own + (1 - args["share"]) * mixed[name]
    return tf.cast(normalize_batch(exact, args, mixed), x.dtype)


def normalize_layer(x: Any, args: Mapping[str, Any], w: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    exact = tf.cast(x, "float32")  # a variance needs more digits than bfloat16 has
    mean, variance = tf.nn.moments(exact, -1, keepdims=True)
    scale = tf.math.rsqrt(variance + args["epsilon"])
    y = tf.cast((exact - mean) * scale, x.dtype)
    y = y * w["gamma"] if "gamma" in w else y
    return y + w["beta"] if "beta" in w else y


def dense(x: Any, args: Mapping[str, Any], w: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    inputs, units = w["kernel"].shape
    # Two axes, because only then TensorFlow does product, bias and GELU in one step.
    y = tf.matmul(tf.reshape(x, (-1, inputs)), w["kernel"])
    y = tf.nn.bias_add(y, w["bias"]) if "bias" in w else y
    y = activate(y, args.get("activation", "linear"))
    return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [units]], 0))


def pool(x: Any, args: Mapping[str, Any], kind: str) -> Any:
    import tensorflow as tf

    function = tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d
    return function(x, args["size"], args["strides"], args["padding"])


def resize(x: Any, args: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    return tf.cast(tf.image.resize(x, args["size"], method="bilinear"), x.dtype)


def mean_of_map(x: Any, args: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(x, (1, 2), keepdims=args.get("keepdims", False))


def pad(x: Any, args: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    return tf.pad(x, [[0, 0], *args["padding"], [0, 0]])


def reshape(x: Any, args: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    return tf.reshape(x, (-1, *args["shape"]))


def flatten(x: Any) -> Any:
    import tensorflow as tf

    return tf.reshape(x, (-1, int(np.prod(x.shape[1:]))))


def concatenate(x: Any) -> Any:
    import tensorflow as tf

    return tf.concat(x, -1)


def drop(x: Any, args: Mapping[str, Any], seed: Any) -> Any:
    """Dropout; only training asks for it, with a seed of two integers."""
    import tensorflow as tf

    if seed is None or not args["rate"]:
        return x
    shape = tf.shape(x)
    noise = tf.concat([shape[:1], tf.ones_like(shape[1:])], 0) if args.get("whole") else shape
    uniform = tf.random.stateless_uniform(noise, seed)
    keep = tf.cast(uniform >= args["rate"], x.dtype)
    return x * keep / tf.cast(1.0 - args["rate"], x.dtype)


Kind = Callable[[list[Any], Mapping[str, Any], Mapping[str, Any], Any], Any]
# kind -> function(inputs, args, weights, seed). Adding a kind of layer is one row.
KINDS: dict[str, Kind] = {
    "conv": lambda x, a, w, s: convolve(x[0], a, w),
    "depthwise": lambda x, a, w, s: convolve_depthwise(x[0], a, w),
    "dense": lambda x, a, w, s: dense(x[0], a, w),
    "batch norm": lambda x, a, w, s: normalize_batch(x[0], a, w),
    "adaptive batch norm": lambda x, a, w, s: normalize_adaptively(x[0], a, w),
    "layer norm": lambda x, a, w, s: normalize_layer(x[0], a, w),
    "affine": lambda x, a, w, s: x[0] * w["scale"] + w.get("offset", 0),
    "reverse channels": lambda x, a, w, s: x[0][..., ::-1],
    "activation": lambda x, a, w, s: activate(x[0], a["activation"]),
    "max pool": lambda x, a, w, s: pool(x[0], a, "max"),
    "average pool": lambda x, a, w, s: pool(x[0], a, "average"),
    "global average": lambda x, a, w, s: mean_of_map(x[0], a),
    "resize": lambda x, a, w, s: resize(x[0], a),
    "pad": lambda x, a, w, s: pad(x[0], a),
    "reshape": lambda x, a, w, s: reshape(x[0], a),
    "flatten": lambda x, a, w, s: flatten(x[0]),
    "add": lambda x, a, w, s: sum(x[1:], x[0]),
    "multiply": lambda x, a, w, s: x[0] * x[1],
    "concatenate": lambda x, a, w, s: concatenate(x),
    "dropout": lambda x, a, w, s: drop(x[0], a, s),
}


def run(graph: Graph, x: Any, weights: Mapping[str, Any] | None = None, *, seed: Any = None,
        until: str | None = None, number_type: str = "float32",
        kinds: Mapping[str, Kind] = KINDS) -> Any:
    """The output of ``graph`` for a batch ``x``, as a float32 tensor.

    weights: what to use in place of ``graph.arrays`` (variables, in training). seed: two
    integers where dropout is to act. until: stop after the node of this name. number_type:
    what is computed in; "bfloat16" halves the time on processors that have it. kinds: what
    computes each kind of node.
    """
    import tensorflow as tf

    weights = graph.arrays if weights is None else weights
    known = {INPUT: tf.cast(x, number_type)}
    uses = last_uses(graph)
    for i, node in enumerate(graph.nodes):
        w = {a: tf.cast(weights[f"{node.name}/{a}"], number_type) for a in node.arrays}
        own = None if seed is None else tf.stack([seed[0], seed[1] + i])
        known[node.name] = kinds[node.kind]([known[n] for n in node.inputs], node.args, w, own)
        if node.name == until:
            break
        for name in uses[i]:
            del known[name]
    return tf.cast(known[until or graph.output], "float32")


def compiled(graph: Graph, number_type: str = "float32") -> Any:
    """:func:`run` as a tf.function of a batch.

    The weights are tensors that it captures. As constants they would be copied several times
    while it is built (5 GB for ConvNeXtBase), for no gain in speed.
    """
    import tensorflow as tf

    weights = {k: tf.cast(tf.constant(v), number_type) for k, v in graph.arrays.items()}
    nodes = Graph(graph.nodes, {})
    return tf.function(lambda x: run(nodes, x, weights, number_type=number_type),
                       autograph=False, reduce_retracing=True)


def last_uses(graph: Graph) -> list[list[str]]:
    """For each node the values that nobody needs after it, so that they can be forgotten."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    last.pop(graph.output, None)
    return [[name for name in set(node.inputs) if last.get(name) == i]
            for i, node in enumerate(graph.nodes)]


def to_json(graph: Graph) -> str:
    """The nodes as JSON. The arrays are kept apart, in an npz."""
    return json.dumps([{"name": n.name, "kind": n.kind, "inputs": n.inputs, "args": dict(n.args),
                        "arrays": n.arrays} for n in graph.nodes])


def from_json(text: str, arrays: Mapping[str, np.ndarray]) -> Graph:
    """The reverse of :func:`to_json`. Raises ValueError for what is no graph of ours."""
    nodes = []
    seen = {INPUT}
    for row in json.loads(text):
        node = Node(str(row["name"]), str(row["kind"]), tuple(row["inputs"]), dict(row["args"]),
                    tuple(row["arrays"]))
        if node.kind not in KINDS:
            raise ValueError(f"node {node.name!r} is of an unknown kind, {node.kind!r}")
        missing = [n for n in node.inputs if n not in seen]
        missing += [a for a in node.arrays if f"{node.name}/{a}" not in arrays]
        if missing:
            raise ValueError(f"node {node.name!r} needs {missing[0]!r}, which is not there")
        seen.add(node.name)
        nodes.append(node)
    return Graph(tuple(nodes), arrays)


def load(folder: Path, name: str = "") -> Graph:
    """Read ``graph{name}.json`` and ``weights{name}.npz``; halved weights become float32 again."""
    with np.load(folder / f"weights{name}.npz", allow_pickle=False) as z:
        arrays = {k: z[k].astype("float32", copy=False) for k in z.files}
    return from_json((folder / f"graph{name}.json").read_text(encoding="utf-8"), arrays)
