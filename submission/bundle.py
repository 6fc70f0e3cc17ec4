"""A Codabench competition bundle (version 2) from labelled pictures, to host the same task.

Its ingestion and scoring programs are the very files that the dry run executes. The fields are
those of the platform's reader; :func:`problems` checks a description against them.
"""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from submission.pack import entry
from zoo.errors import UserError
from zoo.files import atomic

PROGRAMS = Path(__file__).parent / "programs"
IMAGE = "tensorflow/tensorflow:2.17.0"  # brings Keras 3.4.1
LIMIT = 600             # seconds a submission may take, the platform's own default

# What the platform's reader knows: {field: (type, whether it must be there)}.
TOP: dict[str, tuple[type, bool]] = {
    "version": (int, True), "title": (str, True), "image": (str, True), "terms": (str, True),
    "pages": (list, True), "tasks": (list, True), "phases": (list, True),
    "leaderboards": (list, True), "solutions": (list, False), "description": (str, False),
    "registration_auto_approve": (bool, False), "docker_image": (str, False),
    "queue": (str, False), "enable_detailed_results": (bool, False),
    "show_detailed_results_in_submission_panel": (bool, False),
    "show_detailed_results_in_leaderboard": (bool, False), "auto_run_submissions": (bool, False),
    "can_participants_make_submissions_public": (bool, False),
    "make_programs_available": (bool, False), "make_input_data_available": (bool, False),
    "competition_type": (str, False), "fact_sheet": (dict, False), "reward": (str, False),
    "contact_email": (str, False), "forum_enabled": (bool, False)}
TASK: dict[str, tuple[type, bool]] = {
    "index": (int, True), "key": (str, False), "name": (str, True), "description": (str, False),
    "scoring_program": (str, True), "ingestion_program": (str, False), "input_data": (str, False),
    "reference_data": (str, False), "ingestion_only_during_scoring": (bool, False)}
PHASE: dict[str, tuple[type, bool]] = {
    "name": (str, True), "description": (str, False), "start": (str, True), "end": (str, False),
    "tasks": (list, True), "index": (int, False), "max_submissions_per_day": (int, False),
    "max_submissions": (int, False), "execution_time_limit": (int, False),
    "auto_migrate_to_this_phase": (bool, False), "hide_output": (bool, False),
    "hide_prediction_output": (bool, False), "hide_score_output": (bool, False),
    "public_data": (str, False), "starting_kit": (str, False)}
PAGE: dict[str, tuple[type, bool]] = {"title": (str, True), "file": (str, True)}
BOARD: dict[str, tuple[type, bool]] = {
    "title": (str, True), "key": (str, True), "hidden": (bool, False),
    "submission_rule": (str, False), "primary_index": (int, False), "columns": (list, True)}
COLUMN: dict[str, tuple[type, bool]] = {
    "title": (str, True), "key": (str, True), "index": (int, True), "sorting": (str, False),
    "computation": (str, False), "computation_indexes": (list, False), "precision": (int, False),
    "hidden": (bool, False)}
RULES = ("Add", "Add_And_Delete", "Add_And_Delete_Multiple", "Force_Last", "Force_Latest_Multiple",
         "Force_Best")
LONGEST = {"title": 256, "docker_image": 128}


@dataclass(frozen=True)
class Task:
    """One hidden set. images: uint8 (n, H, W, 3); labels: integers (n,)."""

    name: str
    images: np.ndarray
    labels: np.ndarray


def bundle(tasks: Iterable[Task], out: str | os.PathLike[str], title: str,
           class_names: Iterable[str], start: datetime, days: int = 14, a_day: int = 5) -> Path:
    """Write a bundle with a phase a task, one after another, the last one open.

    start: when the first phase begins, in UTC; days: how long each lasts. Raises UserError where
    there is nothing to score, or ``out`` can't be written.
    """
    tasks, out = list(tasks), Path(out)
    if not tasks or any(len(t.images) == 0 or len(t.images) != len(t.labels) for t in tasks):
        raise UserError("A bundle needs at least one picture a task, each with its label.")
    try:
        about = description(tasks, title, start, days, a_day)
    except OverflowError as e:
        raise UserError("The phases would last beyond the year 9999. Let them begin earlier, or "
                        "last fewer days.") from e
    found = list(problems(about))
    if found:
        raise UserError(f"The bundle would be refused: {found[0]}")
    with atomic(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as z:
        add(z, "competition.yaml", yaml(about).encode())
        add(z, "logo.png", logo())
        names = ", ".join(f"{i} {name}" for i, name in enumerate(class_names))
        for name, text in pages(title, names, tasks).items():
            add(z, name, text.encode())
        for name in ("ingestion", "scoring"):
            for path in sorted((PROGRAMS / name).iterdir()):
                if path.is_file():
                    add(z, f"{name}_program/{path.name}", path.read_bytes())
        for i, task in enumerate(tasks):
            add(z, f"input_data_{i}/images.npy", npy(task.images))
            add(z, f"reference_data_{i}/labels.npy", npy(np.asarray(task.labels, "int64")))
    return out


def description(tasks: list[Task], title: str, start: datetime, days: int, a_day: int
                ) -> dict[str, Any]:
    """competition.yaml as plain values. Times are text: the platform cuts dates to midnight."""
    phases = []
    for i, task in enumerate(tasks):
        begins = start + timedelta(days=i * days)
        phases.append({"index": i, "name": task.name, "description": f"{task.name} phase",
                       "start": f"{begins:%Y-%m-%d %H:%M:%S}", "tasks": [i],
                       "max_submissions_per_day": a_day, "max_submissions": a_day * days,
                       "execution_time_limit": LIMIT})
        if i + 1 < len(tasks):  # phases may not touch
            phases[i]["end"] = f"{begins + timedelta(days=days, minutes=-1):%Y-%m-%d %H:%M:%S}"
    return {
        "version": 2, "title": title, "description": "Image classification by submitted code",
        "image": "logo.png", "terms": "terms.md", "docker_image": IMAGE,
        "registration_auto_approve": True, "competition_type": "competition",
        "pages": [{"title": "Overview", "file": "overview.md"},
                  {"title": "Submission", "file": "submission.md"}],
        "tasks": [{"index": i, "name": task.name, "description": f"{len(task.images)} pictures",
                   "ingestion_program": "ingestion_program", "scoring_program": "scoring_program",
                   "input_data": f"input_data_{i}", "reference_data": f"reference_data_{i}"}
                  for i, task in enumerate(tasks)],
        "phases": phases,
        "leaderboards": [{
            "title": "Results", "key": "results", "submission_rule": "Force_Best",
            "primary_index": 0,
            "columns": [{"title": "Accuracy", "key": "accuracy", "index": 0, "sorting": "desc",
                         "precision": 4}]}]}


def problems(about: Mapping[str, Any]) -> Iterator[str]:
    """What the platform's reader would refuse or not understand in a description."""
    yield from fields(about, TOP, "competition.yaml")
    for name, table in (("tasks", TASK), ("phases", PHASE), ("pages", PAGE),
                        ("leaderboards", BOARD)):
        rows = about.get(name)
        for i, row in enumerate(rows if isinstance(rows, list) else []):
            yield from fields(row, table, f"{name}[{i}]")
    if about.get("version") != 2:
        yield "version must be 2."
    indexes = [t.get("index") for t in about.get("tasks", [])]
    if len(set(indexes)) < len(indexes):
        yield "two tasks have the same index."
    for name, most in LONGEST.items():
        if len(str(about.get(name, ""))) > most:
            yield f"{name} is longer than {most} characters."
    yield from phase_problems(about.get("phases", []), indexes)
    for board in about.get("leaderboards", [])[:1]:
        yield from board_problems(board)


def fields(row: Any, table: Mapping[str, tuple[type, bool]], where: str) -> Iterator[str]:
    if not isinstance(row, Mapping):
        yield f"{where} is no set of fields."
        return
    for name, value in row.items():
        if name not in table:
            yield f"{where} has an unknown field {name!r}."
        elif type(value) is not table[name][0]:
            yield f"{where}.{name} must be {table[name][0].__name__}, not {value!r}."
    for name, (_, needed) in table.items():
        if needed and row.get(name) in (None, "", []):
            yield f"{where} lacks {name!r}."


def phase_problems(phases: list[Any], indexes: list[Any]) -> Iterator[str]:
    """Phases must follow each other without touching, and name tasks that exist."""
    before = ""
    for i, phase in enumerate(phases):
        for index in phase.get("tasks", []):
            if index not in indexes:
                yield f"phases[{i}] names task {index!r}, which isn't there."
        if before and not str(phase.get("start")) > before:
            yield f"phases[{i}] starts before the one before it has ended."
        before = str(phase.get("end") or "")
        if not before and i + 1 < len(phases):
            yield f"phases[{i}] has no end and isn't the last."
        if before and not before > str(phase.get("start")):
            yield f"phases[{i}] ends before it starts."


def board_problems(board: Any) -> Iterator[str]:
    if board.get("submission_rule", "Add") not in RULES:
        yield f"the leaderboard's rule {board['submission_rule']!r} is unknown."
    columns = board.get("columns", [])
    for i, column in enumerate(columns):
        yield from fields(column, COLUMN, f"columns[{i}]")
    if len({c.get("key") for c in columns}) < len(columns):
        yield "two columns have the same key."


def yaml(value: Mapping[str, Any]) -> str:
    """Plain values as YAML. Text is quoted as JSON, which YAML reads alike."""
    return "\n".join(lines(value)) + "\n"


def lines(value: Any) -> list[str]:
    """The lines of a non-empty mapping or list, not indented."""
    if isinstance(value, Mapping):
        return [line for k, v in value.items() for line in hung(f"{k}:", v)]
    return [line for v in value for line in hung("-", v)]


def hung(head: str, value: Any) -> list[str]:
    """``value`` behind or below ``head``."""
    if not isinstance(value, Mapping | list) or not value:
        return [f"{head} {json.dumps(value, ensure_ascii=False)}"]
    below = lines(value)
    if head == "-":
        return [f"- {below[0]}", *(f"  {line}" for line in below[1:])]
    return [head, *(f"  {line}" for line in below)]


def pages(title: str, names: str, tasks: list[Task]) -> dict[str, str]:
    """The texts that participants read."""
    shape = " x ".join(map(str, tasks[0].images.shape[1:]))
    return {
        "overview.md": f"# {title}\n\nTell which of these classes a picture ({shape}, 0 to 255) "
                       f"belongs to: {names}.\n\nThe score is the share of pictures that are "
                       "right.\n",
        "submission.md": "# What to submit\n\nA zip with `model.py` at its root, and beside it "
                         "every file that it opens. `model.py` defines a class `Model`; "
                         "`Model()` loads the network, `predict(X)` takes a numpy array (n, "
                         f"{shape.replace(' x ', ', ')}) of values 0 to 255 and returns a numpy "
                         "array of n integers, the classes.\n\nIt runs in the image "
                         f"`{IMAGE}`, at most {LIMIT} s.\n",
        "terms.md": "# Terms\n\nUse the data for this competition only. Submit your own work.\n"}


def logo() -> bytes:
    """A plain square as PNG: the platform demands a picture."""
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (struct.pack(">I", len(content)) + kind + content
                + struct.pack(">I", zlib.crc32(kind + content)))

    size = 64
    row = b"\0" + bytes((120, 40, 90)) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(row * size)) + chunk(b"IEND", b""))


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = entry(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)
