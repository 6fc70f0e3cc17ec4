"""Networks for tests: a Keras network with weights that do something, and the same as a Graph."""

import sys
from functools import lru_cache
from typing import Any

import numpy as np

from zoo.backbone import Backbone, preprocessing
from zoo.graph import Graph, Node, run
from zoo.read import read
from zoo.split import join
from zoo.table import backbone


def side(row: Backbone) -> int:
    return max(64, row.minimum)


def shake(model: Any, seed: int = 0) -> Any:
    """Move statistics, scales and biases away from the zeros and ones that they start as."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        values = np.asarray(variable)
        if values.ndim == 1 and values.dtype == np.float32:
            spread = rng.uniform(0, 0.3, values.shape) if "variance" in variable.path \
                else 0.1 * rng.standard_normal(values.shape)
            variable.assign(values + spread)
    return model


@lru_cache(maxsize=2)
def keras_and_graph(name: str) -> tuple[Any, Graph]:
    """The network as Keras builds it (preprocessed pictures in), and its graph (raw ones in)."""
    import keras

    row = backbone(name)
    keras.utils.set_random_seed(1)
    model = shake(row.model(side(row)))
    nodes, arrays = preprocessing(row.preprocessing)
    resize = Node("resize", "resize", ("input",), {"size": [side(row)] * 2})
    return model, join(Graph((resize,), {}), Graph(tuple(nodes), arrays), read(model))


def prepared(row: Backbone, x: np.ndarray) -> np.ndarray:
    """Raw pictures as the row's builder wants them; what is no Keras network wants raw ones."""
    import keras

    builder = getattr(keras.applications, row.builder, None)
    return sys.modules[builder.__module__].preprocess_input(x.copy()) if builder else x


def pictures(row: Backbone, n: int = 2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side(row), side(row), 3), dtype=np.uint8)


def output(graph: Graph, x: np.ndarray, **options: Any) -> np.ndarray:
    """What the compiled graph gives."""
    import tensorflow as tf

    return np.asarray(tf.function(lambda q: run(graph, q, **options), autograph=False)(x))


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    assert a.shape == b.shape
    assert np.ptp(b) > 0
    return float(np.abs(a - b).max() / np.abs(b).max())
