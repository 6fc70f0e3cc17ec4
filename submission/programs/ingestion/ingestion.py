"""Ingestion: load a participant's model.py, call Model().predict once, keep its labels.

    ingestion.py INPUT OUTPUT SUBMISSION

INPUT/images.npy: uint8 (n, H, W, 3). OUTPUT/predictions.npy: int64 (n,). OUTPUT/times.json:
seconds. The working directory is SUBMISSION, as participants are told. Needs Python and numpy.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def main(given: Path, output: Path, submission: Path) -> None:
    # The platform copies the submission's own files there first; they are no predictions.
    for name in ("predictions.npy", "times.json"):
        (output / name).unlink(missing_ok=True)
    images = np.load(given / "images.npy", allow_pickle=False)
    started = time.perf_counter()
    os.chdir(submission)
    sys.path.insert(0, str(submission))
    model = importlib.import_module("model").Model()
    ready = time.perf_counter()
    labels = checked(model.predict(images), len(images))
    ended = time.perf_counter()
    np.save(output / "predictions.npy", labels)
    times = {"start": ready - started, "predict": ended - ready}
    (output / "times.json").write_text(json.dumps(times))


def checked(labels: Any, n: int) -> np.ndarray:
    """``labels`` as int64 (n,). Raises TypeError or ValueError for anything else."""
    if not isinstance(labels, np.ndarray):
        raise TypeError(f"predict returned a {type(labels).__name__}, not a numpy array")
    if labels.shape != (n,):
        raise ValueError(f"predict returned an array of shape {labels.shape}, not ({n},)")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"predict returned numbers of type {labels.dtype}, not integers")
    return labels.astype("int64")


if __name__ == "__main__":
    main(*(Path(a).resolve() for a in sys.argv[1:4]))
