"""Many jobs at once: in processes of this machine, or on the workers of a Dask cluster.

A job is a line of the sweep's list, and its run is found again by its configuration; so whatever
dies in the middle, running the list once more does only what is missing.
"""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import terminal
from harness.prepare import Prepared
from harness.runs import Store
from harness.seats import Seats, take
from harness.sweep import Spec, configuration, run_job, words
from harness.training import cache as caches
from harness.training.cache import Cache
from zoo.device import free_memory, release
from zoo.errors import UserError

MEMORY = 3 << 30  # bytes that a job needs beside the pictures: TensorFlow, a batch, a network
ATTEMPTS = 3      # of the whole list, when a process dies

THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def at_once(specs: list[Spec], prepared: Prepared, store: Store, jobs: int | None) -> int:
    """How many jobs run at a time, no more than are left: ``jobs``, or None for one a GPU."""
    from zoo.device import several_gpus

    left = len(unfinished(specs, prepared, store))
    if left < 2:
        return 1
    return min(left, jobs or len(several_gpus()) or 1)


def unfinished(specs: list[Spec], prepared: Prepared, store: Store) -> list[Spec]:
    """The jobs whose runs the store does not hold."""
    return [s for s in specs if not store.find(configuration(s, prepared)["identity"])]


def in_processes(specs: list[Spec], prepared: Prepared, store: Store, cache: Cache,
                 jobs: int) -> None:
    """Run the list in ``jobs`` processes that share this machine's threads, each with one GPU.

    Fewer where the memory would not do. A process that dies costs its job another attempt.
    Raises UserError where one dies again and again.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    from zoo.device import cores, several_gpus

    jobs = min(affordable(jobs), len(specs))
    threads = max(1, cores() // jobs)
    with tempfile.TemporaryDirectory() as folder:
        seats = Seats(Path(folder), jobs, several_gpus())
        for _ in range(ATTEMPTS):
            try:
                Parallel(n_jobs=jobs, backend="loky")(
                    delayed(in_this_process)(spec, prepared, store, cache, threads, seats,
                                             terminal.verbosity())
                    for spec in unfinished(specs, prepared, store))
                return
            except TerminatedWorkerError:
                terminal.say("A process died (was the memory full?). Its job is run again.")
            finally:
                # Idle processes would wait for more work, and hold their GPU's memory.
                get_reusable_executor(reuse=True).shutdown(wait=True)
    raise UserError(f"A process died {ATTEMPTS} times. Lower --jobs; finished runs are kept.")


def affordable(jobs: int) -> int:
    """``jobs``, or as many as the free memory allows."""
    free = free_memory()
    if free is None or (most := max(1, free // MEMORY)) >= jobs:
        return jobs
    terminal.say(f"The free memory ({free / 1e9:.1f} GB) does for {most} jobs at a time.")
    return most


def in_this_process(spec: Spec, prepared: Prepared, store: Store, cache: Cache, threads: int,
                    seats: Seats, verbosity: int) -> None:
    """What a process does with a job; TensorFlow, loaded here, takes its threads and its GPU from
    the environment."""
    terminal.follow(verbosity)
    take(seats)
    os.environ.update({name: str(threads) for name in THREADS})
    run_job(spec, prepared, store, cache)
    release()


def on_cluster(specs: list[Spec], prepared: Prepared, store: Store, address: str) -> None:
    """Run the list on the workers of the Dask scheduler at ``address``.

    A worker that sees the run store's folder writes there; another one sends its runs home.
    What a lost worker had begun is begun again on another.
    Raises UserError where there is no scheduler or no worker, or workers run two jobs at once.
    """
    with connected(address) as client, mark(store.folder) as token:
        pictures = client.scatter(prepared, broadcast=True, hash=False)
        futures = client.map(remote, specs, prepared=pictures, folder=str(store.folder.resolve()),
                             token=token, pure=False)
        collect(futures, specs, prepared, store)


def collect(futures: list[Any], specs: list[Spec], prepared: Prepared, store: Store) -> None:
    """Wait for every job, and write the runs that were sent."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    positions = {future.key: i for i, future in enumerate(futures)}
    for n, future in enumerate(as_completed(futures)):
        spec = specs[positions[future.key]]
        try:
            files = future.result()
        except KilledWorker as e:
            raise UserError(f"{spec.backbone} killed every worker that tried it (is their memory "
                            "too small?). Finished runs are kept.") from e
        if files is not None:
            adopt(store, spec, prepared, files)
        terminal.say(f"[{n + 1}/{len(futures)}] {spec.backbone}, seed {spec.seed}: done")


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError("A cluster needs Dask: pip install 'shift-harness[distributed]', here and "
                        "on every worker.") from None
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as e:
        raise UserError(f"There is no Dask scheduler at {address} ({e}). Start one with "
                        "`dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`."
                        ) from e
    with client:
        threads = client.nthreads()
        if not threads:
            raise UserError(f"The scheduler at {address} has no workers. Start some with `dask "
                            f"worker {address} --nthreads 1`.")
        if max(threads.values()) > 1:
            raise UserError("A worker may train one network at a time: start them with `dask "
                            f"worker {address} --nthreads 1`.")
        yield client


@contextlib.contextmanager
def mark(folder: Path) -> Iterator[str]:
    """The name of a file in ``folder``, by which a worker knows that it sees the same folder."""
    from zoo.files import write_text

    path = folder / f".sweep-{uuid.uuid4().hex}"
    write_text(path, "")
    try:
        yield path.name
    finally:
        path.unlink(missing_ok=True)


def remote(spec: Spec, prepared: Prepared, folder: str, token: str) -> dict[str, bytes] | None:
    """What a worker does with a job: None where it wrote into the store itself, else the run's
    files (name: content)."""
    spec = replace(spec, weights=here(spec))
    try:
        if (Path(folder) / token).is_file():
            run_job(spec, prepared, Store(folder), caches.default())
            return None
        with tempfile.TemporaryDirectory() as temporary:
            run = run_job(spec, prepared, Store(temporary), caches.default())
            return {str(p.relative_to(run.folder)): p.read_bytes()
                    for p in sorted(run.folder.rglob("*")) if p.is_file()}
    finally:
        release()


def here(spec: Spec) -> Path | None:
    """The file of pretrained weights on this worker's machine.

    Raises UserError where it holds others than the machine that asks.
    """
    from zoo import weights
    from zoo.files import file_hash
    from zoo.table import backbone

    file = backbone(spec.backbone).pretrained
    if spec.weights is None or file is None:
        return None
    path = spec.weights if spec.weights.is_file() else weights.find(file.name, file.address,
                                                                    file.hash)
    if file_hash(path) != spec.origin["sha256"]:
        raise UserError(f"A worker's {path} is not the file that the sweep was started with. Copy "
                        f"that one to the worker's {weights.MIRROR}.")
    return path


def adopt(store: Store, spec: Spec, prepared: Prepared, files: dict[str, bytes]) -> None:
    """Write a run that a worker sent into the store."""
    from harness.runs import DONE

    config = configuration(spec, prepared)
    with store.new(words(spec), config["identity"]) as folder:
        if folder is None:
            return
        for name, content in files.items():
            if name != DONE:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
