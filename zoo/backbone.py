"""Backbone: what a row of the table means, and how it becomes a Graph."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UserError
from zoo.graph import Graph, Node
from zoo.read import read
from zoo.rewrite import ungroup
from zoo.split import join

IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class WeightFile:
    """A file of pretrained weights: Keras' name for it, its address, its md5 or sha256."""

    name: str
    address: str
    hash: str


@dataclass(frozen=True)
class Published:
    """A hidden-test accuracy that somebody published, and who."""

    accuracy: float
    source: str


@dataclass(frozen=True)
class Backbone:
    """A row of the zoo.

    builder: a name in keras.applications, or "module:function"; preprocessing: what the builder
    expects in front of it (PREPROCESSING below), always put inside the graph, so that raw 0..255
    RGB goes in; minimum: smallest side in pixels; boundaries: the first node of the tail for
    each named boundary; pretrained: None where no weights exist and everything is trained;
    batch_norms: whether the network has any.
    """

    name: str
    title: str
    builder: str
    preprocessing: str
    parameters: int
    boundaries: dict[str, str]
    minimum: int = 32
    pretrained: WeightFile | None = None
    published: Published | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    batch_norms: bool = True

    def model(self, size: int, weights: Path | None = None) -> Any:
        """The Keras network without its top, for (n, size, size, 3), as Keras builds it."""
        if ":" in self.builder:
            module, function = self.builder.split(":")
            return getattr(importlib.import_module(module), function)(size=size, **self.arguments)
        import keras

        model = getattr(keras.applications, self.builder)(
            weights=None, include_top=False, input_shape=(size, size, 3), **self.arguments)
        if weights is not None:
            load_weights(model, weights, self)
        return model

    def graph(self, size: int, weights: Path | None = None, seed: int = 0) -> Graph:
        """Raw RGB of any size in, the last map of activations out, resized to ``size`` inside.

        weights: a file of pretrained weights, or None for random ones drawn from ``seed``.
        Raises UserError where ``size`` is below the backbone's minimum or the file is damaged.
        """
        if size < self.minimum:
            raise UserError(f"{self.title} needs pictures of at least {self.minimum} pixels, not "
                            f"{size}: set --size {self.minimum} or more.")
        model = self.model(size, weights)
        if weights is None:
            draw(model, seed)
        network = ungroup(read(model))
        nodes, arrays = preprocessing(self.preprocessing)
        resize = Node("resize", "resize", ("input",), {"size": [size, size]})
        front = join(Graph((resize,), {}), Graph(tuple(nodes), arrays))
        if weights is not None and self.preprocessing == "efficientnet":
            network = rescaled(network)
        return join(front, network)


KERNELS = {"kernel": ("kernel_initializer", "depthwise_initializer"),
           "depthwise_kernel": ("depthwise_initializer",),
           "pointwise_kernel": ("pointwise_initializer",)}


def draw(model: Any, seed: int) -> None:
    """Draw a Keras network's random weights again, from ``seed`` alone.

    Keras takes the seeds of its initializers from Python's global generator, which other threads
    (a cluster's worker has some) draw from as well: the same seed then gives other weights.
    """
    for i, layer in enumerate(model.layers):
        for j, variable in enumerate(layer.weights):
            found = [getattr(layer, name) for name in KERNELS.get(variable.name, ())
                     if getattr(layer, name, None) is not None]
            if found:
                own = int(np.random.default_rng([seed, i, j]).integers(2 ** 31))
                initializer = type(found[0]).from_config({**found[0].get_config(), "seed": own})
                variable.assign(initializer(variable.shape, variable.dtype))


def load_weights(model: Any, path: Path, row: Backbone) -> None:
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as e:
        reason = str(e).strip().splitlines()[0][:120] if str(e).strip() else type(e).__name__
        raise UserError(f"{path} does not hold the weights of {row.title} ({reason}). Delete it, "
                        f"or put a whole copy of {path.name} there.") from e


def affine(scale: Any, offset: Any) -> tuple[list[Node], dict[str, np.ndarray]]:
    arrays = {"scale": np.asarray(scale, "float32"), "offset": np.asarray(offset, "float32")}
    return ([Node("preprocess", "affine", ("input",), {}, ("scale", "offset"))],
            {f"preprocess/{k}": v for k, v in arrays.items()})


def preprocessing(kind: str) -> tuple[list[Node], dict[str, np.ndarray]]:
    """The nodes that keras.applications' ``preprocess_input`` stands for."""
    if kind == "tf":
        return affine(1 / 127.5, -1.0)
    if kind == "caffe":
        nodes, arrays = affine(1.0, (-103.939, -116.779, -123.68))
        reverse = Node("reverse", "reverse channels", ("input",))
        return [reverse, Node("preprocess", "affine", ("reverse",), {}, nodes[0].arrays)], arrays
    if kind in ("inside", "efficientnet"):
        return [], {}
    raise ValueError(f"unknown preprocessing {kind!r}")


def rescaled(network: Graph) -> Graph:
    """Divide by the roots of ImageNet's standard deviations, behind the normalization.

    Keras' EfficientNet (B0 to B7) does so for its ImageNet weights, which hold these deviations in
    the place of variances, and for no others.
    """
    after = "normalization_0"
    extra = Node("imagenet_rescaling", "affine", (after,), {}, ("scale",))
    scale = 1 / np.sqrt(np.asarray(IMAGENET_DEVIATIONS, "float32"))
    nodes = []
    for node in network.nodes:
        inputs = tuple(extra.name if i == after else i for i in node.inputs)
        nodes.append(Node(node.name, node.kind, inputs, node.args, node.arrays))
        if node.name == after:
            nodes.append(extra)
    return Graph(tuple(nodes), {**network.arrays, "imagenet_rescaling/scale": scale})
