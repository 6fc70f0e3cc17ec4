"""How time and peak memory grow with the data: one run on 1, 4 and 16 times as many pictures.

    python -m benchmarks.growth

Each in a process of its own: MobileNetV2, random weights, cached activations, both stages. The
pictures themselves are held in memory; their bytes are taken off the peak in the last column.
"""

import json
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

SIZE, UNIT, TIMES = 96, 1024, (1, 4, 16)
SETTINGS = {"views": 1, "epochs_1": 3, "epochs_2": 2, "patience": 10}


def work(count: int, folder: str) -> dict[str, float]:
    """Train on ``count`` pictures; seconds and peak memory in MB of this process."""
    import time
    from pathlib import Path

    from harness.data.dataset import Dataset
    from harness.protocol import protocol
    from harness.training.cache import Cache
    from harness.training.run import Job, train
    from zoo.device import peak_memory
    from zoo.table import backbone

    labels = np.arange(count) % 8
    rng = np.random.default_rng(0)
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for i, label in enumerate(labels):
        images[i] = rng.integers(0, 100, (SIZE, SIZE, 3)) + 18 * label
    data = Dataset(images, labels.astype("int64"), tuple("abcdefgh"), "growth")
    fold = (np.flatnonzero(np.arange(count) % 10 > 0), np.arange(0, count, 10))
    job = Job(data, (fold,), backbone("mobilenetv2"), None, protocol("quick", SETTINGS))
    began = time.perf_counter()
    train(job, Cache(Path(folder), 10**11))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak": peak_memory(), "pictures": images.nbytes / 2**20}


def measure(times: tuple[int, ...] = TIMES) -> list[dict[str, Any]]:
    """[{"pictures", "seconds", "seconds a 1000", "peak MB", "without the pictures MB"}]."""
    rows = []
    for factor in times:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-m", "benchmarks.growth", str(UNIT * factor),
                                   folder], check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        rows.append({"pictures": UNIT * factor, "seconds": round(found["seconds"], 1),
                     "seconds a 1000": round(1000 * found["seconds"] / (UNIT * factor), 1),
                     "peak MB": round(found["peak"]),
                     "without the pictures MB": round(found["peak"] - found["pictures"])})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(work(int(sys.argv[1]), sys.argv[2])))
    else:
        from tabulate import tabulate

        print(tabulate(measure(), headers="keys"))
