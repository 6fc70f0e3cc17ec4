"""Training steps: a whole network with a new head, Keras' own against ours.

    python -m benchmarks.steps [BACKBONE ...]

The plain way is ``train_on_batch`` of the compiled Keras model, batch norms in inference mode as
ours are, cross entropy, AdamW; in the number type that is faster for it, float32 or Keras'
``mixed_bfloat16`` where the processor has bfloat16. Ours takes the same steps of as many pictures,
and a moving average of the weights besides.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.pairs import ratio, seconds
from benchmarks.trunk import lively, pictures

SIZE, BATCH, CLASSES, ROUNDS, STEPS = 96, 32, 8, 3, 2
NAMES = ("mobilenetv2", "efficientnetb2", "efficientnetb3", "resnet50", "xception", "vgg16")


def labels() -> np.ndarray:
    return np.arange(BATCH) % CLASSES


def plain(name: str, kind: str) -> Callable[[], Any]:
    """Keras' steps on the same batch."""
    import keras
    import tensorflow as tf

    from zoo.backbone import preprocessing
    from zoo.graph import Graph, run
    from zoo.table import backbone

    keras.config.set_dtype_policy("mixed_bfloat16" if kind == "bfloat16" else "float32")
    row = backbone(name)
    network = lively(row.model(SIZE))
    nodes, arrays = preprocessing(row.preprocessing)
    x = np.asarray(run(Graph(tuple(nodes), arrays), pictures(BATCH)))
    features = keras.layers.GlobalAveragePooling2D()(network.output)
    head = keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")(features)
    model = keras.Model(network.input, head)
    for layer in network.layers:
        layer.trainable = type(layer).__name__ != "BatchNormalization"
    model.compile(keras.optimizers.AdamW(1e-5, weight_decay=1e-4),
                  "sparse_categorical_crossentropy", auto_scale_loss=False)
    keras.config.set_dtype_policy("float32")
    batch = tf.constant(x), tf.constant(labels())
    return lambda: [model.train_on_batch(*batch) for _ in range(STEPS)]


def ours(name: str, kind: str) -> Callable[[], Any]:
    """The harness' steps."""
    from harness.protocol import protocol
    from harness.training.activations import POOL
    from harness.training.heads import head
    from harness.training.run import features
    from harness.training.stages import Learner, Stage, Task
    from zoo.split import join
    from zoo.table import backbone

    row, chosen = backbone(name), protocol("strong", {"batch": BATCH})
    graph = row.graph(SIZE)
    whole = join(graph, POOL, head(chosen, features(graph, (SIZE, SIZE, 3)), CLASSES, 0))
    everything = np.ones(BATCH, bool)
    task = Task(labels(), CLASSES, everything, everything, chosen, 0, kind)
    learner = Learner(whole, task, Stage.second(chosen))
    x = np.stack([pictures(BATCH)] * STEPS)
    y = task.targets(np.stack([np.arange(BATCH)] * STEPS))
    return partial(learner.learn, x, y, 1.0, 1000)


def one(name: str, rounds: int) -> dict[str, Any]:
    """The row of one backbone."""
    from zoo.device import number_type

    ways = {kind: plain(name, kind) for kind in dict.fromkeys(("float32", number_type()))}
    for way in ways.values():
        way()
    kind = min(ways, key=lambda kind: seconds(ways[kind])[0])
    found = ratio(ways[kind], ours(name, number_type()), rounds)
    return {"backbone": name, "plain": STEPS * BATCH / found["plain"], "in": kind,
            "ours": STEPS * BATCH / found["ours"], "ours in": number_type(),
            **{k: found[k] for k in ("ratio", "low", "high", "processor")}}


def measure(names: tuple[str, ...] = NAMES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """[{"backbone", "plain", "ours" (pictures/s), "in", "ours in" (number types), "ratio", "low",
    "high", "processor"}], and a last row with the geometric means."""
    import keras

    rows = []
    for name in names:
        rows.append(one(name, rounds))
        keras.backend.clear_session()
        print(rows[-1], file=sys.stderr, flush=True)
    means = {k: statistics.geometric_mean([r[k] for r in rows]) for k in ("ratio", "processor")}
    return [*rows, {"backbone": "geometric mean", **means}]


if __name__ == "__main__":
    from tabulate import tabulate

    print(tabulate(measure(tuple(sys.argv[1:]) or NAMES), headers="keys", floatfmt=".3g"))
