"""Probe: what may go wrong with a model.py beyond the one call that the platform makes.

    probe.py INPUT OUTPUT SUBMISSION SECONDS

Runs in whatever working directory it is started in, which is not SUBMISSION. Writes one line of
JSON a step to OUTPUT/probe.jsonl as it goes: {"step", "seconds", "peak", "error", ...}. SECONDS is
about how long the large batch may take.
"""

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

LARGEST = 2000  # pictures


class Probe:
    def __init__(self, output: Path) -> None:
        self.log = (output / "probe.jsonl").open("w", encoding="utf-8")

    def step(self, name: str, function: Callable[[], Any]) -> Any:
        """Run one step and write what came of it."""
        row: dict[str, Any] = {"step": name, "error": None}
        started = time.perf_counter()
        try:
            result = function()
            row.update(outcome(result))
        except Exception as e:
            result = None
            row["error"] = f"{type(e).__name__}: {e}"[:500]
            traceback.print_exc()
        row["seconds"] = time.perf_counter() - started
        row["peak"] = peak()
        self.log.write(json.dumps(row) + "\n")
        self.log.flush()
        return result


def peak() -> int | None:
    """The largest memory so far in bytes; None where the system doesn't tell."""
    try:
        # getrusage would count what the process that started this one had.
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(row.split()[1]) for row in status if row.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def outcome(result: Any) -> dict[str, Any]:
    """What predict returned, as JSON; nothing for a step that returns no labels."""
    if not isinstance(result, np.ndarray):
        return {"kind": type(result).__name__}
    row = {"kind": "ndarray", "shape": list(result.shape), "type": str(result.dtype)}
    if result.ndim == 1 and result.dtype.kind in "iu":
        row["labels"] = result.tolist()
    return row


def load(submission: Path) -> Any:
    sys.path.insert(0, str(submission))
    model = importlib.import_module("model")

    return model.Model()


def unchanged(model: Any, images: np.ndarray) -> np.ndarray:
    """Labels of a copy. Raises ValueError where predict writes into what it was given."""
    given = images.copy()
    labels = model.predict(given)
    if not np.array_equal(given, images):
        raise ValueError("predict changed the pictures that it was given")
    return labels


def main(given: Path, output: Path, submission: Path, seconds: float) -> None:
    images = np.load(given / "images.npy", allow_pickle=False)
    probe = Probe(output)
    model = probe.step("start", lambda: load(submission))
    if model is None:
        return
    read_only = images.copy()
    read_only.setflags(write=False)
    probe.step("whole", lambda: unchanged(model, images))
    started = time.perf_counter()
    probe.step("again", lambda: model.predict(images.copy()))
    rate = len(images) / (time.perf_counter() - started)
    probe.step("empty", lambda: model.predict(images[:0].copy()))
    for i in range(min(3, len(images))):
        one = images[i:i + 1].copy()
        probe.step(f"single {i}", partial(model.predict, one))
    probe.step("odd", lambda: model.predict(images[:7].copy()))
    probe.step("reversed", lambda: model.predict(images[::-1]))
    probe.step("read-only", lambda: model.predict(read_only))
    probe.step("float32", lambda: model.predict(images.astype("float32")))
    probe.step("float64", lambda: model.predict(images.astype("float64")))
    n = int(min(LARGEST, max(2 * len(images), rate * seconds)))
    many = np.resize(images, (n, *images.shape[1:]))
    probe.step("large", lambda: model.predict(many))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
