"""A sweep without training, for tests that kill it: python -m tests.faults.sweeping RUNS

Four runs into a store as ``harness zoo`` writes them, with the leaderboard, and a ledger's line.
"""

import sys
from pathlib import Path

import numpy as np

from harness import leaderboard
from harness.runs import Store
from submission.ledger import Ledger
from tests.harness.fake_store import BACKBONES, write_run
from zoo.files import read_json, write_json

LABELS = np.arange(30) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)


def identity(i: int) -> str:
    return f"{i:02x}" * 32


def sweep(runs: Path, count: int = 4) -> None:
    store = Store(runs)
    for i in range(count):
        with store.new(BACKBONES[i], identity(i)) as folder:
            if folder is not None:
                write_run(folder, BACKBONES[i], LABELS, IMAGES, ("a", "b", "c"), 0.6 + 0.1 * i,
                          "d.npz", np.random.default_rng(i), 8, True, 1)
                config = read_json(folder / "config.json")
                write_json(folder / "config.json", {**config, "identity": identity(i)})
                forecast = read_json(folder / "forecast.json")
                write_json(folder / "forecast.json", [{**forecast[0], "run": f"run {i}"}])
        leaderboard.write(store, runs.parent / "leaderboard.md")
    ledger = Ledger(runs / "ledger.jsonl")
    if not ledger.entries():
        ledger.append("a", state="entered", run="run 0", score=0.5)


if __name__ == "__main__":
    sweep(Path(sys.argv[1]))
