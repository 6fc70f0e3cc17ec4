"""The model.py of a submission: class Model, predict(X) -> labels. Needs numpy and TensorFlow 2.

The networks lie beside this file: graph0.json and weights0.npz, graph1.json and so on; how they
are averaged stands in manifest.json. Packing puts the source of what is imported from ``zoo``
in the place of the import, so that the file stands alone.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from zoo.classifier import symmetries
from zoo.graph import Graph, load, run

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()
BATCH = 32  # pictures; a batch with fewer repeats its own, so that nothing is compiled twice


class Model:
    """The mean of the networks' probabilities over the views, and its largest class."""

    def __init__(self) -> None:
        import tensorflow as tf

        about = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))["model"]
        self.classes = about["classes"]
        # Tensors, not numpy arrays: a network's constants may not exceed 2 GiB, its tensors may.
        members = []
        for i in range(about["members"]):
            graph = load(HERE, str(i))
            weights = {k: tf.constant(v) for k, v in graph.arrays.items()}
            members.append((Graph(graph.nodes, {}), weights))

        @tf.function(autograph=False)
        def step(x: Any) -> Any:
            views = symmetries(x, about["views"])
            outputs = [run(graph, v, weights) * (share / len(views))
                       for (graph, weights), share in zip(members, about["shares"], strict=True)
                       for v in views]
            return tf.add_n(outputs)

        self.step = step

    def predict(self, X: Any) -> np.ndarray:
        """Labels, int64 (n,), of pictures (n, H, W, 3) with values 0..255, of any number type."""
        return np.argmax(self.probabilities(X), axis=-1).astype("int64")

    def probabilities(self, X: Any) -> np.ndarray:
        """Probabilities, float32 (n, classes). Memory is bounded: one batch at a time."""
        out = np.empty((len(X), self.classes), "float32")
        for start in range(0, len(X), BATCH):
            part = np.asarray(X[start:start + BATCH], "float32")
            filled = np.resize(part, (BATCH, *part.shape[1:]))
            out[start:start + len(part)] = np.asarray(self.step(filled))[:len(part)]
        return out
