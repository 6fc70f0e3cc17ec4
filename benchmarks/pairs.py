"""Two ways of one piece of work, timed in turn, and what the ratio between them is."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def ratio(plain: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> dict[str, float]:
    """{"plain", "ours": median seconds; "ratio", "low", "high": plain / ours, over the rounds;
    "processor": the same ratio of processor time, all threads, the least over the rounds}.

    Both run once unmeasured. Then each round runs one after the other, so that whatever else
    the machine does slows both; the ratio is the median of the rounds' ratios. Processor time is
    nearly free of what else runs, but blind to cores that wait.
    """
    plain()
    ours()
    rows = [(seconds(plain), seconds(ours)) for _ in range(rounds)]
    busy = [min(row[way][1] for row in rows) for way in (0, 1)]
    return {**summary([(p[0], o[0]) for p, o in rows]), "processor": busy[0] / busy[1]}


def summary(times: list[tuple[float, float]]) -> dict[str, float]:
    """The same of times that were taken elsewhere: (plain, ours) of each round."""
    ratios = [plain / ours for plain, ours in times]
    return {"plain": statistics.median(t[0] for t in times),
            "ours": statistics.median(t[1] for t in times),
            "ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Of the clock, and of the processor."""
    began, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - busy


def spread(found: dict[str, float]) -> str:
    """The ratio as text, with its spread."""
    return f"{found['ratio']:.2f} ({found['low']:.2f}-{found['high']:.2f})"
