"""Seats: which GPU each of several processes takes.

A worker process takes a free seat by locking its file, and keeps it while it lives; the lock of
one that dies falls open, so that the process in its place finds a seat.
"""

import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo.device import VISIBLE


@dataclass(frozen=True)
class Seats:
    """``count`` processes share ``gpus`` (as CUDA_VISIBLE_DEVICES calls them) in turn; none where
    it is empty. The files lie in ``folder``."""

    folder: Path
    count: int
    gpus: tuple[str, ...]


@cache  # once a process, and the lock lives as long as the process does
def take(seats: Seats) -> Any:
    """Let TensorFlow, which this process must not have used yet, see one GPU only."""
    # Else the first process on a GPU takes all its memory.
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    if not seats.gpus:
        return None
    number, lock = locked(seats)
    os.environ[VISIBLE] = seats.gpus[number % len(seats.gpus)]
    return lock


def locked(seats: Seats) -> tuple[int, Any]:
    """The number of a free seat, and its lock; waits where a process is only about to end."""
    from filelock import FileLock, Timeout

    while True:
        for number in range(seats.count):
            lock = FileLock(seats.folder / f"seat-{number}")
            try:
                return number, lock.acquire(timeout=0).lock
            except Timeout:
                continue
        time.sleep(0.1)
