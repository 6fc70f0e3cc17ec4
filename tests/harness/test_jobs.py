"""Many jobs at once: in processes, on a cluster, and when something dies."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from harness import jobs, sweep, terminal
from harness.data.dataset import Dataset
from harness.prepare import Prepared
from harness.protocol import protocol
from harness.runs import Run, Store
from harness.training.cache import Cache
from zoo.errors import UserError

N = 60

DASK = "pip install 'shift-harness[distributed]'"


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    images = rng.integers(0, 90, (N, 16, 16, 3), dtype=np.uint8)
    for k in range(3):
        images[labels == k, :, :, k] += 120
    data = Dataset(images, labels.astype("int64"), ("a", "b", "c"), "tiny")
    return Prepared(data, np.arange(N), {}, {})


def plan(seeds: int) -> list[sweep.Spec]:
    chosen = protocol("quick", {"epochs_1": 2, "batch": 16, "views": 1})
    return sweep.plan(["smallcnn2"], chosen, "none", 1, seeds, demo=False)


def predictions(runs: list[Run]) -> list[np.ndarray]:
    return [r.predictions()["validation"] for r in runs]


def run(prepared: Prepared, folder: Path, seeds: int, **options: object) -> list[Run]:
    return sweep.sweep(plan(seeds), prepared, Store(folder / "runs"),
                       Cache(folder / "cache", 10**9), **options)  # type: ignore[arg-type]


def test_no_more_jobs_than_the_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "free_memory", lambda: 2 * jobs.MEMORY + 1)
    assert [jobs.affordable(n) for n in (1, 2, 3, 9)] == [1, 2, 2, 2]
    monkeypatch.setattr(jobs, "free_memory", lambda: jobs.MEMORY // 2)
    assert jobs.affordable(4) == 1
    monkeypatch.setattr(jobs, "free_memory", lambda: None)
    assert jobs.affordable(4) == 4


def test_as_many_jobs_as_gpus_unless_told_and_never_more_than_are_left(
        prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import device

    store = Store(tmp_path)
    for gpus, told, expected in (((), None, [1, 1, 1]), (("0", "1"), None, [1, 2, 2]),
                                 ((), 2, [1, 2, 2]), (("0", "1"), 3, [1, 2, 3]),
                                 (("0", "1"), 1, [1, 1, 1])):
        monkeypatch.setattr(device, "several_gpus", lambda gpus=gpus: gpus)
        found = [jobs.at_once(plan(n), prepared, store, told) for n in (1, 2, 4)]
        assert found == expected


def test_a_run_that_was_sent_home_is_a_run_of_the_store(prepared: Prepared, tmp_path: Path
                                                        ) -> None:
    spec, = plan(1)
    files = jobs.remote(spec, prepared, str(tmp_path / "elsewhere"), "token")
    assert files is not None
    store = Store(tmp_path / "runs")
    jobs.adopt(store, spec, prepared, files)
    jobs.adopt(store, spec, prepared, files)
    done, = store.finished()
    assert done.config["seed"] == 0
    assert {str(p.relative_to(done.folder)) for p in done.folder.rglob("*") if p.is_file()} == \
        set(files)


def test_a_scheduler_that_is_not_there_is_a_sentence(prepared: Prepared, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason=DASK)
    with pytest.raises(UserError, match="no Dask scheduler at tcp://127.0.0.1:9"):
        jobs.on_cluster(plan(1), prepared, Store(tmp_path), "tcp://127.0.0.1:9")


@pytest.mark.parametrize("quiet, verbose", [(True, False), (False, False), (False, True)])
def test_processes_are_as_quiet_as_the_one_that_starts_them(
        prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: bool,
        verbose: bool) -> None:
    told = []
    for name in ("take", "run_job", "release"):
        monkeypatch.setattr(jobs, name, lambda *args: None)
    monkeypatch.setattr(jobs, "THREADS", ())
    monkeypatch.setattr(jobs, "free_memory", lambda: None)
    monkeypatch.setattr(terminal, "follow", told.append)
    monkeypatch.setattr("joblib.Parallel", lambda **options: lambda tasks: [
        function(*args, **more) for function, args, more in tasks])
    terminal.set_verbosity(quiet, verbose)
    try:
        jobs.in_processes(plan(2), prepared, Store(tmp_path), Cache(tmp_path, 10**9), 2)
    finally:
        terminal.set_verbosity()
    assert told == [verbose - quiet] * 2


@pytest.mark.slow
def test_processes_give_what_one_process_gives(prepared: Prepared, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import device

    monkeypatch.setattr(jobs, "free_memory", lambda: None)
    monkeypatch.setattr(device, "several_gpus", lambda: ("0", "1"))
    alone = run(prepared, tmp_path / "alone", 3, jobs=1)
    together = run(prepared, tmp_path / "together", 3, jobs=2)
    assert [r.config["seed"] for r in together] == [0, 1, 2]
    for a, b in zip(predictions(alone), predictions(together), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_finishes_with_the_same_results(prepared: Prepared,
                                                                      tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason=DASK)
    alone = run(prepared, tmp_path / "alone", 9)
    store = Store(tmp_path / "cluster" / "runs")
    with distributed.LocalCluster(n_workers=3, threads_per_worker=1, processes=True,
                                  dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Thread(target=kill_after_first, args=(store, victim))
        killer.start()
        finished = run(prepared, tmp_path / "cluster", 9, cluster=cluster.scheduler_address)
        killer.join()
    assert len({r.id for r in finished}) == 9
    assert [r.config["identity"] for r in finished] == [r.config["identity"] for r in alone]
    for a, b in zip(predictions(alone), predictions(finished), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def kill_after_first(store: Store, process: int) -> None:
    """Kill one worker as soon as the first run is there."""
    until = time.monotonic() + 300
    while not store.finished() and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
