"""Run a program that nobody vouches for: watched, limited, and cut off as far as possible."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
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
NETWORK = ("unshare", "--map-root-user", "--net")
# What to put before a command, the best first: processes of its own, which end with the first of
# them and with us, and no network; or no network only.
WALLS = (("setpriv", "--pdeathsig", "KILL", *NETWORK, "--pid", "--kill-child", "--mount-proc",
          "sh", "-c", '"$@"; exit', "sh"), NETWORK)


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
            [*walls(), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            cwd=cwd, env=environment(command[0], folder, notes, submission),
            start_new_session=True)
        try:
            stopped, peak = watch(process, started + seconds, memory)
        finally:
            stop(process, notes)
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
        # In a network of its own, sockets reach nobody; the guard then notes who tries.
        "DRY_RUN_SOCKETS": f"{int(socket.AF_INET)} {int(socket.AF_INET6)}" if walls() else "",
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
def walls() -> tuple[str, ...]:
    """The best of WALLS that this machine allows; nothing where it allows none."""
    return next((command for command in WALLS if works(command)), ())


def works(command: tuple[str, ...]) -> bool:
    """Whether this machine allows one of WALLS."""
    if sys.platform != "linux" or not shutil.which(command[0]):
        return False
    return subprocess.run([*command, "true"], capture_output=True).returncode == 0


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
    """Bytes of memory that a process and all below it hold now; 0 where nobody tells."""
    if sys.platform != "linux":
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(done.stdout.strip() or 0) * 1024 if done.returncode == 0 else 0
    pages = 0
    for each in tree(pid):
        with contextlib.suppress(OSError, IndexError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """A process and all below it, as far as the system tells."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{each}/task"):
                with contextlib.suppress(OSError):
                    children = Path(f"/proc/{each}/task/{thread}/children").read_text()
                    found += map(int, children.split())
    return found


def stop(process: subprocess.Popen, notes: Path) -> None:
    """End the program and all that it started, in whatever session it is."""
    if walls() == WALLS[0]:
        # With the first process of a namespace all others go, and unshare after them.
        while process.poll() is None:
            kill(tree(process.pid)[1:] or [process.pid])
            time.sleep(POLL)
        return
    if process.poll() is None:
        kill(tree(process.pid))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while left := strays(notes):
        kill(left)
        time.sleep(POLL)


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def strays(notes: Path) -> list[int]:
    """What a program left behind that still has the environment it was started with."""
    mark = os.fsencode(f"DRY_RUN_STATE={notes / 'state'}")
    found = []
    with contextlib.suppress(OSError):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    found.append(int(pid))
    return found


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
