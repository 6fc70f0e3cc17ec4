"""Dry run: what the platform's worker would do with a zip, here and without the platform.

The ingestion and scoring programs are the bundle's own, as separate processes, in the worker's
folder layout. A second process, the probe, then tries what the platform may do and the one
official call doesn't show. Somebody else's model.py runs only here, confined as far as this
machine allows (see ``DryRun.confinement``).
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from submission import confined, runtimes
from submission.archive import DAMAGES, Archive
from submission.bundle import PROGRAMS
from submission.confined import Ended
from submission.dryrun_rules import RULES
from submission.rule import Finding, errors, find
from zoo.errors import UserError
from zoo.files import file_hash, read_json, user_errors

PROBED = 48             # pictures that the probe uses
LARGE = 5.0            # seconds that its large batch may take, about
LONGEST = 1 << 24       # bytes of what the probe may write
STEP = re.compile(r"start|whole|again|empty|single \d|odd|reversed|read-only|float\d\d|large")
STAND_INS = 64          # pictures, where the user gave none


@dataclass(frozen=True)
class Limits:
    """What the platform allows. Its memory, and the number of hidden pictures, nobody knows."""

    seconds: float = 600.0
    memory: int = 4 << 30
    hidden: int = 3500


@dataclass
class DryRun:
    """What happened. ``ok``: nothing of what was found is an error."""

    zip: str
    sha256: str
    runtime: dict[str, str]
    limits: Limits
    images: int
    confinement: dict[str, str] = field(default_factory=dict)
    predictions: np.ndarray | None = None
    accuracy: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    images_per_second: float | None = None
    peak_memory: int = 0
    projected: dict[str, float] = field(default_factory=dict)
    probe: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    log: str = ""

    @property
    def ok(self) -> bool:
        return not errors(self.findings)

    @property
    def sentence(self) -> str:
        """The first error, or that there is none."""
        return next((f.sentence for f in errors(self.findings)), "Nothing failed.")

    def to_json(self) -> dict[str, Any]:
        """Everything but the probe's labels, as JSON-able values."""
        hidden = {"predictions", "probe"}
        facts = {k: v for k, v in asdict(self).items() if k not in hidden}
        facts["probe"] = [{k: v for k, v in row.items() if k != "labels"} for row in self.probe]
        facts["predictions"] = None if self.predictions is None else self.predictions.tolist()
        return {"ok": self.ok, **facts}


@dataclass
class Facts:
    """What the dry run's rules look at."""

    report: DryRun
    prediction: Ended
    scoring: Ended | None
    probe: Ended | None
    elsewhere: bool         # whether the probe could start outside the submission's folder
    given: bool             # whether the pictures are the user's own


def dry_run(path: str | os.PathLike[str], images: np.ndarray | None = None,
            labels: np.ndarray | None = None, runtime: str | None = None,
            limits: Limits | None = None) -> DryRun:
    """Run a zip as the platform would.

    images: uint8 (n, H, W, 3), by default noise of 96 pixels; labels: integers (n,), for a score.
    runtime: see :func:`submission.runtimes.python_of`. Raises UserError where the zip can't be
    unpacked safely or the runtime can't be built; whatever the zip itself does is in the report.
    """
    limits = limits or Limits()
    given = images is not None
    images = stand_ins() if images is None else np.asarray(images)
    if labels is not None and len(labels) != len(images):
        raise UserError(f"There are {len(images)} pictures and {len(labels)} labels: the dry run "
                        "needs one label a picture, or none at all.")
    python = runtimes.python_of(runtime)
    report = DryRun(str(path), "", runtimes.versions(python), limits, len(images))
    with Archive(path) as archive, tempfile.TemporaryDirectory(prefix="dry-run-") as temporary:
        report.sha256 = file_hash(path)
        root = Path(temporary).resolve()
        archive.unpack(root / "app" / "ingested_program")
        with user_errors(root):     # a stranger's program may write there, too
            facts = Worker(root, python, limits).work(report, images, labels, given)
    report.findings = find(RULES, facts)
    return report


def stand_ins() -> np.ndarray:
    """Pictures of coarse noise, for those who gave none: they show faults, but no score."""
    coarse = np.random.default_rng(0).integers(0, 256, (STAND_INS, 12, 12, 3), dtype="uint8")
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


class Worker:
    """The platform's worker: two jobs on one submission."""

    def __init__(self, root: Path, python: str, limits: Limits) -> None:
        self.root, self.python, self.limits = root, python, limits
        self.app = root / "app"

    def work(self, report: DryRun, images: np.ndarray, labels: np.ndarray | None,
             given: bool) -> Facts:
        prediction = self.predict(images)
        report.log = prediction.stderr
        self.describe(report, prediction)
        probe, elsewhere, scoring = None, True, None
        if report.predictions is not None:
            scoring = self.score(labels, report.predictions)
            if scoring.well and labels is not None:
                scores = read_json(self.folder("scoring") / "output" / "scores.json")
                report.accuracy = float(scores["accuracy"])
            probe, elsewhere = self.probe(images[:PROBED])
            report.probe = rows(self.app / "probe" / "probe.jsonl")
            project(report)
        return Facts(report, prediction, scoring, probe, elsewhere, given)

    def folder(self, job: str) -> Path:
        """/app as one job sees it. The submission is unpacked once and lies in ``self.app``."""
        return self.root / job / "app"

    def predict(self, images: np.ndarray) -> Ended:
        app = self.folder("prediction")
        shutil.copytree(PROGRAMS / "ingestion", app / "program")
        for name in ("input_data", "output", "shared"):
            (app / name).mkdir()
        submission = self.app / "ingested_program"
        if not any((submission / name).exists() for name in ("metadata.yaml", "metadata")):
            # It might be predictions without a program, so the worker hands all of it on.
            shutil.copytree(submission, app / "output", dirs_exist_ok=True)
        np.save(app / "input_data" / "images.npy", images)
        return self.job(app, {"$input": app / "input_data", "$output": app / "output"})

    def score(self, labels: np.ndarray | None, predictions: np.ndarray) -> Ended:
        app = self.folder("scoring")
        shutil.copytree(PROGRAMS / "scoring", app / "program")
        for name in ("input/ref", "input/res", "output", "shared"):
            (app / name).mkdir(parents=True)
        # Not the whole output: whatever a stranger's program left there, links too, isn't followed.
        np.save(app / "input" / "res" / "predictions.npy", predictions)
        truth = np.zeros(len(predictions), "int64") if labels is None else np.asarray(labels)
        np.save(app / "input" / "ref" / "labels.npy", truth)
        return self.job(app, {"$input": app / "input", "$output": app / "output"})

    def job(self, app: Path, words: Mapping[str, Path]) -> Ended:
        """Run the command in the program's metadata as the worker does, words replaced."""
        text = (app / "program" / "metadata.yaml").read_text().strip().removeprefix("command:")
        submission = self.app / "ingested_program"
        words = {**words, "$program": app / "program", "$ingestion_program": app / "program",
                 "$submission_program": submission}
        command = [re.sub(r"\$\w+", lambda m: str(words[m[0]]), part) for part in text.split()]
        return confined.run([self.python, *command[1:]], self.root, self.limits.seconds,
                            self.limits.memory, cwd=app / "program", submission=submission)

    def probe(self, images: np.ndarray) -> tuple[Ended, bool]:
        """Run the probe elsewhere than in the submission's folder; if that fails, in it."""
        folder = self.app / "probe"
        shutil.copytree(PROGRAMS / "probe", folder)
        np.save(folder / "images.npy", images)
        submission = self.app / "ingested_program"
        ended = self._probe(folder, folder, submission)
        if started(folder):
            return ended, True
        return self._probe(folder, submission, submission), False

    def _probe(self, folder: Path, cwd: Path, submission: Path) -> Ended:
        command = [self.python, str(folder / "probe.py"), str(folder), str(folder),
                   str(submission), str(LARGE)]
        return confined.run(command, self.root, self.limits.seconds, 2 * self.limits.memory,
                            cwd=cwd, submission=submission)

    def describe(self, report: DryRun, ended: Ended) -> None:
        written = told(self.folder("prediction") / "output", report.images)
        report.peak_memory = ended.peak
        report.seconds = {"total": ended.seconds}
        report.confinement = {
            "network": network(ended),
            "files": "only its own folder" if ended.state.get("files") else "not confined"}
        if ended.well and written:
            report.predictions, times = written
            report.seconds.update(times)
            report.images_per_second = report.images / max(report.seconds["predict"], 1e-9)


def told(output: Path, n: int) -> tuple[np.ndarray, dict[str, float]] | None:
    """The labels and times that the ingestion wrote, None where these can't be its own."""
    paths = [output / name for name in ("predictions.npy", "times.json")]
    if not all(p.is_file() and not p.is_symlink() for p in paths):
        return None
    try:
        labels = np.load(paths[0], allow_pickle=False)
        times = {k: float(read_json(paths[1])[k]) for k in ("start", "predict")}
        return (labels, times) if labels.shape == (n,) and labels.dtype.kind == "i" else None
    except (*DAMAGES, TypeError, AttributeError, UserError):
        return None


def network(ended: Ended) -> str:
    """How the program was kept from it."""
    if ended.state.get("sockets"):
        return "none"
    return "none beyond this machine" if confined.walls() else "refused by the guard"


def rows(path: Path) -> list[dict[str, Any]]:
    """The probe's steps, as far as it came."""
    import json

    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST:
            return []
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    except (OSError, ValueError, RecursionError):
        return []
    names = ("step", "error", "seconds", "peak", "kind", "shape", "type", "labels")
    return [{k: r[k] for k in names if k in r} for r in lines if likely(r)]


def likely(row: Any) -> bool:
    """Whether the probe itself may have written a row: model.py can write into its file, too."""
    if not isinstance(row, dict) or not {"step", "error", "seconds"} <= set(row):
        return False
    shape, labels = row.get("shape", []), row.get("labels", [])
    return (isinstance(row["step"], str) and bool(STEP.fullmatch(row["step"]))
            and isinstance(row["error"], str | None)
            and (bool(row["error"]) or isinstance(row.get("kind"), str))
            and isinstance(row.get("type", ""), str)
            and isinstance(shape, list) and isinstance(labels, list)
            and all(isinstance(n, int) for n in [*shape, *labels])
            and all(isinstance(n, int | float) and 0 <= n < 1 << 60
                    for n in [row["seconds"], row.get("peak") or 0, *shape]))


def started(folder: Path) -> bool:
    return any(r["step"] == "start" and not r["error"] for r in rows(folder / "probe.jsonl"))


def project(report: DryRun) -> None:
    """Time and memory for as many pictures as the hidden set may hold."""
    steps = {r["step"]: r for r in report.probe}
    hidden, large = report.limits.hidden, steps.get("large", {})
    n = (large.get("shape") or [0])[0]
    if large.get("error") or not n:
        return
    start = report.seconds["total"] - report.seconds["predict"]
    report.images_per_second = n / max(large["seconds"], 1e-9)
    report.projected = {"images": hidden, "seconds": start + hidden / report.images_per_second}
    if large.get("peak") and steps.get("odd", {}).get("peak"):
        slope = (large["peak"] - steps["odd"]["peak"]) / n
        report.projected["memory"] = large["peak"] + max(0, hidden - n) * slope
