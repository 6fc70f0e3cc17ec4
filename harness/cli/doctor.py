"""harness doctor: what is installed, where things lie, and what is missing for what."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.cli import options

NEEDED = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn", "h5py", "pillow", "click",
          "rich", "jinja2", "requests", "tabulate", "joblib", "filelock", "platformdirs",
          "threadpoolctl", "matplotlib")
# package: (extra, what for)
OPTIONAL = {"optuna": ("search", "harness search"),
            "cleanlab": ("labels", "a second opinion on suspected labels"),
            "distributed": ("distributed", "sweeps over a Dask cluster"),
            "onnxruntime": ("onnx", "frozen networks that TensorFlow runs slower on a CPU"),
            "onnx": ("onnx", "writing what ONNX Runtime reads"),
            "mlflow-skinny": ("tracking", "logging to MLflow"),
            "tensorboard": ("tracking", "curves in TensorBoard")}
FREE = 5e9      # bytes that a sweep's cache and runs want
MEMORY = 4e9    # bytes that a sweep wants


@click.command()
@options.runs
@click.option("--weights", metavar="DIR", help="A folder with Keras' files of pretrained weights.")
@options.json_path
def command(runs: str, weights: str | None, json_path: Path | None) -> None:
    """Say what is installed, which device computes, where files lie, and what is missing.

    \b
    harness doctor
    harness doctor --weights ../weights --json doctor.json
    """
    from harness import terminal
    from zoo.errors import UserError
    from zoo.files import write_json

    checks = {"packages": packages, "machine": machine, "places": lambda: places(runs),
              "weights": lambda: pretrained(weights), "platform": platform}
    rows = [row for name, check in checks.items() for row in attempt(name, check)]
    terminal.print_table(rows, {"what": "what", "found": "found", "state": "state"})
    problems = [r for r in rows if r["state"] != "ok"]
    for row in problems:
        terminal.say(f"{row['what']}: {row['hint']}")
    if json_path:
        write_json(json_path, rows)
    if any(r["state"] == "broken" for r in rows):
        raise UserError("Something is broken that must be mended first; see the lines above.")
    terminal.next_command(options.command_line("zoo", weights=weights, runs=runs))


def attempt(name: str, check: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of one check; a doctor must not fall ill of what it finds."""
    try:
        return check()
    except Exception as e:  # noqa: BLE001
        return [row(name, type(e).__name__, "broken", str(e))]


def row(what: str, found: Any, state: str = "ok", hint: str = "") -> dict[str, Any]:
    """state: "ok", "missing" (something optional) or "broken"."""
    return {"what": what, "found": str(found), "state": state, "hint": hint}


def packages() -> list[dict[str, Any]]:
    import platform as system
    from importlib.metadata import PackageNotFoundError

    from zoo.versions import version

    rows = [row("Python", system.python_version())]
    for name in ("shift-harness", *NEEDED):
        try:
            rows.append(row(name, version(name)))
        except PackageNotFoundError:
            rows.append(row(name, "", "broken", f"is not installed. Run: make install, or "
                                                f"pip install {name}"))
    for name, (extra, purpose) in OPTIONAL.items():
        try:
            rows.append(row(name, version(name)))
        except PackageNotFoundError:
            rows.append(row(name, "", "missing", f"only needed for {purpose}. "
                                                 f"pip install 'shift-harness[{extra}]'"))
    return rows


def machine() -> list[dict[str, Any]]:
    from zoo.device import describe
    from zoo.engines import available

    found = describe()
    memory = found["memory"]
    short = memory is not None and memory < MEMORY
    return [row("device", found["device"]), row("processor", found["processor"]),
            row("cores", found["cores"]), row("number type", found["number_type"]),
            row("engines", ", ".join(available())),
            row("memory", "unknown" if memory is None else gigabytes(memory),
                "missing" if short else "ok", "is short for a sweep: lower --set views and batch, "
                "or take smaller backbones." if short else "")]


def places(runs: str) -> list[dict[str, Any]]:
    from harness.runs import Store
    from harness.training import cache

    store, activations = Store(runs), cache.default()
    finished = len(store.finished())
    rows = [row("runs", f"{store.folder.resolve()}, {finished} finished"),
            row("cache", f"{activations.folder}, {gigabytes(activations.size())} of at most "
                         f"{gigabytes(activations.limit)}")]
    for name, folder in (("runs", store.folder), ("cache", activations.folder)):
        above = existing(folder)
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            rows.append(row(f"folder for {name}", above, "broken", "is no folder that you may "
                            "write to. Choose another (--runs, HARNESS_CACHE)."))
            continue
        free = shutil.disk_usage(above).free
        short = free < FREE
        rows.append(row(f"free disk for {name}", gigabytes(free), "missing" if short else "ok",
                        f"a sweep may need {gigabytes(FREE)}. Free some space, or choose another "
                        "folder (--runs, HARNESS_CACHE)." if short else ""))
    return rows


def existing(path: Path) -> Path:
    """The nearest folder above ``path`` that exists."""
    path = path.resolve()
    return next(p for p in (path, *path.parents) if p.exists())


def pretrained(folder: str | None) -> list[dict[str, Any]]:
    """Which backbones' weights are on this machine; nothing is downloaded."""
    from zoo import weights
    from zoo.table import BACKBONES

    mirror = weights.mirror_folder(folder)
    folders = [f for f in (mirror, weights.keras_folder()) if f is not None]
    files = {b.title: b.pretrained.name for b in BACKBONES.values() if b.pretrained}
    here = [title for title, name in files.items()
            if any(next(weights.variants(f, name), None) for f in folders)]
    missing = [title for title in files if title not in here]
    return [row("weights", " and ".join(map(str, folders))),
            row("pretrained", ", ".join(here) or "none", "missing" if missing else "ok",
                f"no file yet for {', '.join(missing)}; each is downloaded when it is first "
                "trained, or put it into one of the folders." if missing else "")]


def platform() -> list[dict[str, Any]]:
    """Whether a token is there; the token itself is neither read nor shown."""
    from submission.tokens import VARIABLE, token_file

    if os.environ.get(VARIABLE, "").strip():
        return [row("token", f"in the variable {VARIABLE}")]
    if token_file().is_file():
        return [row("token", token_file())]
    return [row("token", "", "missing", "only needed to submit by command: harness login")]


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
