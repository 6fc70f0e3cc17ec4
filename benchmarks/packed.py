"""The packed model.py against ``keras.models.load_model(...).predict``.

    python -m benchmarks.packed

Each in a process of its own, in turn: seconds from the end of ``import tensorflow`` to the first
predictions, pictures a second afterwards, and peak memory. Both get uint8 pictures and float32
weights; Keras' network holds its preprocessing too.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.pairs import spread, summary

SIZE, PICTURES, ROUNDS, CLASSES = 96, 512, 3, 8
ROOT = Path(__file__).parent.parent
NAMES = ("mobilenetv2", "efficientnetb2")

PROGRAM = """
import json, sys, time
import numpy as np
import tensorflow as tf
x = np.random.default_rng(0).integers(0, 256, ({pictures}, {size}, {size}, 3), dtype=np.uint8)
began = time.perf_counter()
{load}
predict(x[:32])
first = time.perf_counter() - began
times = []
for _ in range(3):
    began = time.perf_counter()
    out = predict(x)
    times.append(time.perf_counter() - began)
sys.path.append({root!r})
from zoo.device import peak_memory
held = peak_memory()
np.save(sys.argv[1], np.asarray(out))
print(json.dumps({{"first": first, "all": min(times), "peak": held}}))
"""
KERAS = """import keras
model = keras.models.load_model("model.keras")
predict = lambda x: model.predict(x, verbose=0).argmax(-1)"""
OURS = """from model import Model
predict = Model().predict"""


def build(name: str, folder: Path) -> None:
    """Write one classifier as a Keras file and as an unpacked submission."""
    import keras

    from benchmarks.trunk import lively
    from submission.pack import pack
    from zoo.classifier import Classifier
    from zoo.graph import Graph, Node
    from zoo.read import read
    from zoo.split import join
    from zoo.table import backbone

    row = backbone(name)
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x) if row.preprocessing == "tf" else x
    x = keras.layers.GlobalAveragePooling2D()(lively(row.model(SIZE))(x))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
    model.save(folder / "model.keras")
    resize = Graph((Node("resize", "resize", ("input",), {"size": [SIZE, SIZE]}),), {})
    classifier = Classifier((join(resize, read(model)),), tuple("abcdefgh"))
    pack(classifier, folder / "packed.zip", {"run": "benchmark"})
    with zipfile.ZipFile(folder / "packed.zip") as archive:
        archive.extractall(folder)


def run(load: str, folder: Path, out: str) -> dict[str, float]:
    text = PROGRAM.format(pictures=PICTURES, size=SIZE, load=load, root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", text, out], cwd=folder, check=True,
                          capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(names: tuple[str, ...] = NAMES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """[{"backbone", "first prediction", "throughput" (ratios, over 1 is ours faster), "seconds to
    first", "pictures/s", "peak MB" (Keras' -> ours), "same labels"}]."""
    import numpy as np

    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            build(name, folder)
            both = [(run(KERAS, folder, "keras.npy"), run(OURS, folder, "ours.npy"))
                    for _ in range(rounds)]
            same = np.mean(np.load(folder / "keras.npy") == np.load(folder / "ours.npy"))
        first = summary([(k["first"], o["first"]) for k, o in both])
        every = summary([(k["all"], o["all"]) for k, o in both])
        peak = summary([(k["peak"], o["peak"]) for k, o in both])
        rows.append({
            "backbone": name, "first prediction": spread(first), "throughput": spread(every),
            "seconds to first": f"{first['plain']:.1f} -> {first['ours']:.1f}",
            "pictures/s": f"{PICTURES / every['plain']:.0f} -> {PICTURES / every['ours']:.0f}",
            "peak MB": f"{peak['plain']:.0f} -> {peak['ours']:.0f}", "same labels": float(same)})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    from tabulate import tabulate

    print(tabulate(measure(), headers="keys"))
