"""What cleaning finds, and how its time and memory grow.

    python -m benchmarks.cleaning [FILE.npz] [--sizes 3500 7000 14000 56000]

Without a file it takes the demo. First, one picture in ten is copied with one change each, and the
share of copies that are found is printed beside the false pairs. Then files of several sizes are
cleaned, each in a process of its own: pictures beyond those in the file are blends of two of them.
CPU seconds are of all threads together; seconds are the clock's and depend on what else runs.
"""

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness import terminal
from harness.data.clean import clean
from harness.data.dataset import Dataset
from harness.data.duplicates import near_duplicates
from harness.data.sources import load
from tests.harness.changed_pictures import CHANGES, changed
from zoo.device import peak_memory

SIZES = (3_500, 7_000, 14_000, 56_000)


def recall(pictures: np.ndarray) -> list[dict[str, Any]]:
    """Found copies and false pairs for each change of a tenth of the pictures."""
    already = pairs_of(near_duplicates(pictures))
    part = np.setdiff1d(np.arange(0, len(pictures), 10), [i for pair in already for i in pair])
    rows = []
    for change in CHANGES:
        found = pairs_of(near_duplicates(np.concatenate([pictures, changed(pictures[part],
                                                                           change)])))
        truth = {(int(i), len(pictures) + j) for j, i in enumerate(part)}
        rows.append({"change": change, "copies": len(truth),
                     "recall": f"{len(found & truth) / len(truth):.3f}",
                     "false": f"{1000 * len(found - truth - already) / len(pictures):.2f}"})
    return rows


def pairs_of(found: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in found}


def sized(dataset: Dataset, n: int) -> Dataset:
    """``n`` pictures: the first of the set, then blends of two."""
    images = np.empty((n, *dataset.images.shape[1:]), np.uint8)
    labels = np.empty(n, np.int64)
    rng = np.random.default_rng(0)
    for i in range(n):
        if i < len(dataset):
            images[i], labels[i] = dataset.images[i], dataset.labels[i]
        else:
            a, b = rng.choice(len(dataset), 2, replace=False)
            images[i] = (dataset.images[a] // 2) + (dataset.images[b] // 2)
            labels[i] = dataset.labels[a]
    return Dataset(images, labels, dataset.class_names, "benchmark")


def timed(source: str, n: int, answers: Any) -> None:
    """Clean ``n`` pictures in this process and report what it took."""
    dataset = sized(load(source, tolerant=True), n)
    before, began = cpu(), time.monotonic()
    report = clean(dataset)
    answers.put({"n": n, "seconds": round(time.monotonic() - began, 1),
                 "cpu": round(cpu() - before, 1),
                 "peak": round(peak_memory() / 1024, 2),
                 "pictures": round(dataset.images.nbytes / 2 ** 30, 2),
                 "kept": int(report.mask.sum())})


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def growth(source: str, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """What :func:`timed` reports of each size, each in a process of its own."""
    rows = []
    context = multiprocessing.get_context("spawn")
    for n in sizes:
        answers = context.Queue()
        child = context.Process(target=timed, args=(source, n, answers))
        child.start()
        rows.append(answers.get())
        child.join()
    return rows


def measure(source: str | None = None) -> list[dict[str, Any]]:
    """[{"pictures", "seconds", "CPU seconds", "seconds a 1000", "peak GiB", "pictures' GiB"}].

    source: what is cleaned; without it, what HARNESS_DATA names, or the demo.
    """
    found = growth(source or os.environ.get("HARNESS_DATA") or "demo", SIZES)
    return [{"pictures": r["n"], "seconds": r["seconds"], "CPU seconds": r["cpu"],
             "seconds a 1000": round(1000 * r["seconds"] / r["n"], 2), "peak GiB": r["peak"],
             "pictures' GiB": r["pictures"]} for r in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default="demo")
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    dataset = load(arguments.source, tolerant=True)
    rows = recall(dataset.images[clean(dataset).mask])
    terminal.print_table(rows, {"change": "change", "copies": "copies", "recall": "recall",
                                "false": "false pairs per 1,000 pictures"}, title="Near-duplicates")
    times = growth(arguments.source, arguments.sizes)
    terminal.print_table(times, {"n": "pictures", "cpu": "CPU s", "seconds": "s",
                                 "peak": "peak GiB", "pictures": "pictures' GiB", "kept": "kept"},
                         title="Time and memory")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as f:
            json.dump({"near_duplicates": rows, "times": times}, f, indent=1)


if __name__ == "__main__":
    main()
