"""Other versions of TensorFlow, each in a virtual environment that is built once with pip."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import UserError
from zoo.files import user_errors, write_json

PLATFORM = "tensorflow==2.17.0,keras==3.4.1"  # what the competition's grader was matched with
FOLDER = "HARNESS_RUNTIMES"                   # variable that moves the environments elsewhere
OLDER = ("python3.12", "python3.11", "python3.10")
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*")
INSTALL = 3600.0        # seconds


def python_of(runtime: str | None) -> str:
    """The Python that has the packages of ``runtime``, such as PLATFORM; None is this one.

    The environment is built at the first call, which needs pip's index; later calls need nothing.
    Raises UserError where the text is no list of NAME==VERSION or pip can't install it.
    """
    if runtime is None:
        return sys.executable
    wanted = requirements(runtime)
    from filelock import FileLock

    folder = environments() / name_of(wanted)
    with user_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / "done.json").exists():
                build(folder, wanted)
    return str(program(folder))


def requirements(runtime: str) -> list[str]:
    wanted = sorted(part.strip() for part in runtime.split(",") if part.strip())
    wrong = [part for part in wanted if not REQUIREMENT.fullmatch(part)]
    if wrong or not wanted:
        raise UserError(f"A runtime is a list of NAME==VERSION with commas, not "
                        f"{(wrong or [runtime])[0]!r}. Example: {PLATFORM}")
    return wanted


def environments() -> Path:
    import platformdirs

    return Path(os.environ.get(FOLDER) or platformdirs.user_cache_path("shift-harness")
                / "runtimes")


def name_of(wanted: list[str]) -> str:
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:8]
    return "-".join(w.replace("==", "-") for w in wanted)[:80] + "-" + digest


def program(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def build(folder: Path, wanted: list[str]) -> None:
    """Make the environment with the first Python that has wheels of all that is wanted."""
    reasons = []
    for python in pythons():
        shutil.rmtree(folder, ignore_errors=True)
        reason = install(python, folder, wanted)
        if reason is None:
            write_json(folder / "done.json", {"python": python, "packages": wanted})
            return
        reasons.append(f"{Path(python).name}: {reason}")
    shutil.rmtree(folder, ignore_errors=True)
    raise UserError(f"The runtime {', '.join(wanted)} can't be built ({'; '.join(reasons)}). Check "
                    "the versions and the connection to pip's index; a Python that the version "
                    "knows (3.10 to 3.12 for TensorFlow 2.17) has to be on the PATH.")


def pythons() -> Iterator[str]:
    yield sys.executable
    for name in OLDER:
        found = shutil.which(name)
        if found and version(found) != version(sys.executable):
            yield found


@functools.cache
def version(python: str) -> str:
    code = "import sys; print(sys.version_info[:2])"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True).stdout


def install(python: str, folder: Path, wanted: list[str]) -> str | None:
    """None where it went well, else why it didn't."""
    # Our own pip fills the environment: it needs none of its own, which takes time to install and
    # which some systems' Pythons don't have.
    steps = ([python, "-m", "venv", "--without-pip", str(folder)],
             [sys.executable, "-m", "pip", "--python", str(program(folder)), "install", "--quiet",
              "--no-input", "--disable-pip-version-check", *wanted])
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL)
        except subprocess.TimeoutExpired:
            return "pip took more than an hour"
        if done.returncode:
            lines = [s for s in (done.stderr + done.stdout).splitlines() if s.strip()]
            told = [s for s in lines if s.startswith("ERROR")] or lines or ["no reason was given"]
            return told[0].removeprefix("ERROR: ").strip()[:200]
    return None


def versions(python: str) -> dict[str, str]:
    """What this Python and its packages are: {"python": "3.11.7", "tensorflow": ...}."""
    code = """
import importlib.metadata as m, json, platform
found = {"python": platform.python_version()}
for name in ("tensorflow", "keras", "numpy"):
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}
