"""Which GPU each process takes, and what a dead one leaves."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.seats import Seats

PROGRAM = """
import os, sys
from pathlib import Path
from harness.seats import Seats, take
for _ in range(2):
    take(Seats(Path(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:])))
print(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["TF_FORCE_GPU_ALLOW_GROWTH"], flush=True)
sys.stdin.read()
"""


def seated(seats: Seats) -> subprocess.Popen[str]:
    """A process that takes a seat, twice, and keeps it until its input ends."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(seats.folder), str(seats.count),
                             *seats.gpus], cwd=Path(__file__).parents[2], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    gpu, growth = process.stdout.readline().split()
    assert growth == "true"
    return gpu


def test_processes_share_the_gpus_evenly_and_a_dead_one_leaves_its_seat(tmp_path: Path) -> None:
    seats = Seats(tmp_path, 4, ("3", "GPU-5"))
    processes = [seated(seats) for _ in range(4)]
    try:
        gpus = [told(p) for p in processes]
        assert Counter(gpus) == {"3": 2, "GPU-5": 2}
        processes[1].kill()
        processes[1].wait()
        processes.append(seated(seats))
        assert told(processes[-1]) == gpus[1]
    finally:
        for p in processes:
            p.kill()
            p.communicate()


def test_without_several_gpus_nothing_is_hidden(tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    process = seated(Seats(tmp_path, 2, ()))
    assert told(process) == "None"
    process.communicate("")
    assert process.returncode == 0
