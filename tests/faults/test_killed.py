"""SIGKILL at any moment of a sweep; clocks that jump; two sweeps at once; disks that are full."""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness import runs as store_of_runs
from harness.runs import Store
from submission.ledger import Ledger
from tests.faults.sweeping import sweep

ROOT = Path(__file__).parents[2]
SWEEP = [sys.executable, "-m", "tests.faults.sweeping"]


def records(folder):
    """What is believed: identity -> hashes of every file, without the times in names."""
    found = {}
    for run in Store(folder).finished():
        assert run.config["identity"] not in found, "a run is there twice"
        run.check()
        run.predictions(), run.suite(), run.sample()
        found[run.config["identity"]] = {
            p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in run.folder.iterdir()}
    return found


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The records of a sweep that nobody disturbed, and its seconds in a process of its own."""
    folder = tmp_path_factory.mktemp("unbroken")
    began = time.monotonic()
    subprocess.run([*SWEEP, str(folder / "runs")], cwd=ROOT, check=True, timeout=120)
    return records(folder / "runs"), time.monotonic() - began


def kill_and_resume(folder, unbroken, times, seed):
    """Kill ``times`` sweeps of one store at random moments; then let one end."""
    expected, seconds = unbroken
    rng = random.Random(seed)
    seen = {}
    for _ in range(times):
        process = subprocess.Popen([*SWEEP, str(folder / "runs")], cwd=ROOT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1.0) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = records(folder / "runs")
        assert all(found[k] == v for k, v in seen.items()), "a finished run was lost or changed"
        assert all(expected[k] == v for k, v in found.items())
        seen = found
    sweep(folder / "runs")
    assert records(folder / "runs") == expected
    assert len(Ledger(folder / "runs" / "ledger.jsonl").entries()) == 1
    left = [p for p in (folder / "runs").iterdir() if p.is_dir() and not (p / "done").exists()]
    assert not left
    return times


def test_a_sweep_killed_again_and_again_ends_as_one_that_was_not(unbroken, tmp_path):
    kill_and_resume(tmp_path, unbroken, 4, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_kills_lose_nothing_and_double_nothing(unbroken, tmp_path):
    kills = sum(kill_and_resume(tmp_path / str(seed), unbroken, 5, seed) for seed in range(1, 41))
    assert kills == 200


def test_two_sweeps_on_one_store_make_every_run_once(unbroken, tmp_path):
    both = [subprocess.Popen([*SWEEP, str(tmp_path / "runs")], cwd=ROOT) for _ in range(2)]
    assert [p.wait(timeout=120) for p in both] == [0, 0]
    assert records(tmp_path / "runs") == unbroken[0]


def test_a_clock_that_jumps_back_loses_and_doubles_nothing(unbroken, tmp_path, monkeypatch):
    stamps = iter(["20261125-120000", "20200101-000000", "20991231-235959", "20200101-000000"])
    monkeypatch.setattr(store_of_runs, "stamp", lambda: next(stamps))
    sweep(tmp_path / "runs")
    assert records(tmp_path / "runs") == unbroken[0]
    sweep(tmp_path / "runs")
    assert len(Store(tmp_path / "runs").finished()) == 4


def confined(script):
    """Run a shell script in namespaces of its own, where it may mount. None where that is not."""
    if not shutil.which("unshare"):
        return None
    done = subprocess.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"],
                          capture_output=True)
    if done.returncode:
        return None
    return subprocess.run(["unshare", "-rm", "sh", "-c", script], cwd=ROOT, capture_output=True,
                          text=True, timeout=300)


@pytest.mark.parametrize("mount", ["-o size=40k", "-o ro"])
def test_a_full_or_read_only_disk_is_a_sentence(mount, tmp_path):
    data = tmp_path / "cells.npz"
    rng = np.random.default_rng(0)
    np.savez(data, images=rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8),
             labels=np.arange(40) % 2)
    done = confined(f"mount -t tmpfs {mount} none /mnt && cd {tmp_path} && PYTHONPATH={ROOT} "
                    f"HARNESS_CACHE=/mnt/cache {sys.executable} -m harness.cli.main zoo --data "
                    f"{data} --backbones smallcnn2 --set epochs_1=1 --protocol quick "
                    "--runs /mnt/runs")
    if done is None:
        pytest.skip("this system lets nobody mount")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "/mnt" in done.stderr
    assert "disk is full" in done.stderr if "size" in mount else "can't be written" in done.stderr
