"""Run a program that nobody vouches for: watched, limited, and cut off as far as possible."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GUARD = Path(__file__).parent / "programs" / "guard"
POLL = 0.05             # seconds between two looks at the memory
LOG = 20_000            # characters of a log that are kept
LARGEST_FILE = 8 << 30  # bytes that the program may write into one file
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys",
          "/dev", "/nix", "/System", "/Library")


@dataclass(frozen=True)
class Ended:
    """How a program ended. code: None where it was stopped; peak: bytes; the logs' tails."""

    code: int | None
    stopped: str | None
    seconds: float
    peak: int
    stdout: str
    stderr: str
    network: tuple[str, ...]
    state: dict[str, Any]

    @property
    def well(self) -> bool:
        return self.code == 0

    @property
    def last_line(self) -> str:
        """The line that says why: the end of the traceback."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.split(":")[0].endswith(("Error", "Exception"))
                  and " " not in line.split(":")[0]]
        return (errors or lines or [f"it ended with code {self.code} and no message"])[-1][:500]


def run(command: list[str], folder: Path, seconds: float, memory: int, *, cwd: Path,
        submission: Path) -> Ended:
    """Run ``command`` (a Python and its arguments) below ``folder``, the only place to write.

    It is stopped after ``seconds``, or when it and its children hold more than ``memory`` bytes.
    """
    notes = folder / f"notes-{time.monotonic_ns()}"
    notes.mkdir()
    started = time.monotonic()
    with (notes / "out").open("wb") as out, (notes / "err").open("wb") as err:
        process = subprocess.Popen(
            [*without_network(), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            cwd=cwd, env=environment(command[0], folder, notes, submission),
            start_new_session=True)
        try:
            stopped, peak = watch(process, started + seconds, memory)
        finally:
            stop(process)
    return Ended(
        None if stopped else process.returncode, stopped, time.monotonic() - started, peak,
        tail(notes / "out"), tail(notes / "err"),
        tuple(sorted(set(tail(notes / "network").splitlines()))), state(notes / "state"))


def environment(python: str, folder: Path, notes: Path, submission: Path) -> dict[str, str]:
    """The few variables that the program sees: none of the user's own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    readable = [*SYSTEM, *prefixes(python), str(GUARD), str(folder)]
    return {
        "PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(GUARD), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2",
        **{k: v for k, v in os.environ.items() if k in ("SYSTEMROOT", *THREADS)},
        "DRY_RUN_STATE": str(notes / "state"), "DRY_RUN_NETWORK": str(notes / "network"),
        "DRY_RUN_SUBMISSION": str(submission), "DRY_RUN_FILE": str(LARGEST_FILE),
        "DRY_RUN_READ": os.pathsep.join(readable),
        "DRY_RUN_WRITE": os.pathsep.join([str(folder), "/dev/null", "/dev/shm"]),
    }


THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@functools.cache
def prefixes(python: str) -> tuple[str, ...]:
    """The folders that this Python lives in."""
    code = "import sys; print('\\n'.join({sys.prefix, sys.base_prefix, sys.exec_prefix}))"
    done = subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True,
                          check=True)
    # Without its site module a Python doesn't know that it lives in a virtual environment.
    return (*done.stdout.split("\n"), str(Path(python).absolute().parent.parent))


@functools.cache
def without_network() -> tuple[str, ...]:
    """What to put before a command so that it has no network; nothing where that can't be had."""
    command = ("unshare", "--map-root-user", "--net")
    if sys.platform != "linux" or not shutil.which("unshare"):
        return ()
    works = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if works else ()


def watch(process: subprocess.Popen, deadline: float, memory: int) -> tuple[str | None, int]:
    """Wait for the end: (why it was stopped or None, peak of memory in bytes)."""
    peak = 0
    while True:
        peak = max(peak, resident(process.pid))
        if peak > memory:
            return "memory", peak
        if time.monotonic() > deadline:
            return "time", peak
        try:
            process.wait(POLL)
        except subprocess.TimeoutExpired:
            continue
        return None, peak


def resident(pid: int) -> int:
    """Bytes of memory that a process and its children hold now; 0 where nobody tells."""
    if sys.platform != "linux":
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(done.stdout.strip() or 0) * 1024 if done.returncode == 0 else 0
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(c)) for c in children)


def stop(process: subprocess.Popen) -> None:
    """End the program and all that it started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(path: Path) -> str:
    try:
        with path.open("rb") as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - LOG))
            return f.read().decode("utf-8", "replace")
    except OSError:
        return ""


def state(path: Path) -> dict[str, Any]:
    """What the guard said of itself; empty where it never ran."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}
