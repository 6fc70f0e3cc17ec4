"""What was sent and what came back: an append-only file of JSON lines.

    Ledger(path)             .append(attempt, **facts), .record(entry, **facts), .entries(),
                             .scores(), .sending()
    Entry                    one attempt to submit, folded from its lines
    read_history(path)       run,score pairs from a CSV file

A line is on the disk before the step that it announces is taken. A crash can leave half a line
at the end; readers pass over it, and the next line begins on a line of its own.
"""

import contextlib
import csv
import datetime
import json
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import filelock

from zoo import files
from zoo.errors import UserError

# What an attempt can be in, in the order of a good one.
STATES = {
    "begun": "nothing was sent",
    "uploaded": "the file lies on the platform, but it is not submitted",
    "sending": "the submission was asked for; whether it exists is not known yet",
    "sent": "one submission exists, and has not ended",
    "scored": "one submission exists, with its score",
    "failed": "one submission exists, and failed",
    "cancelled": "one submission exists, cancelled",
    "unscored": "one submission exists, finished without a score",
    "refused": "no submission exists: the platform refused",
    "gone": "a submission existed and is no longer on the platform",
    "entered": "a score entered by hand",
}
LARGEST = 1e300                     # of a score
UNSENT = ("begun", "uploaded", "sending", "refused")    # to be taken up again
ENDED = ("scored", "failed", "cancelled", "unscored")


@dataclass
class Entry:
    """One attempt. Times are UTC, ISO 8601; ``score`` is the platform's ranking column, None where
    the smallest value ranks first."""

    attempt: str
    state: str = "begun"
    time: str = ""                  # of the first line
    changed: str = ""               # of the last line
    sha256: str | None = None
    size: int | None = None
    run: str | None = None
    forecast: float | None = None   # as it was when the zip was packed
    low: float | None = None        # the ends of its 90 % interval
    high: float | None = None
    host: str | None = None
    competition: int | None = None
    phase: str | None = None
    phase_id: int | None = None
    user: str | None = None
    name: str | None = None         # the file's name on the platform: the mark we look for
    key: str | None = None          # of the upload
    submission: int | None = None
    score: float | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    note: str | None = None

    @property
    def unsent(self) -> bool:
        """Whether no submission of it is known: to be looked for, and taken up again."""
        return self.state in UNSENT or (self.state == "sent" and self.submission is None)


NAMES = {f.name for f in fields(Entry)} - {"attempt", "time", "changed"}


class Ledger:
    """The file at ``path``; it need not exist."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def append(self, attempt: str, **facts: Any) -> None:
        """Add one line about ``attempt`` and wait until it is on the disk.

        ``facts`` are fields of Entry. Raises UserError where the file can't be written.
        """
        unknown = set(facts) - NAMES
        if unknown:
            raise TypeError(f"no fields of a ledger's entry: {sorted(unknown)}")
        line = json.dumps({"time": now(), "attempt": attempt, **facts}, default=files.plain,
                          allow_nan=False)
        with files.user_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock(".lock"):
                new = not self.path.exists()
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
                try:
                    data = (_newline(handle) + line + "\n").encode()
                    while data:     # a disk that fills up takes a part of it first
                        data = data[os.write(handle, data):]
                    os.fsync(handle)
                finally:
                    os.close(handle)
                if new:
                    files.fsync(self.path.parent)

    def record(self, entry: Entry, **facts: Any) -> None:
        """Append a line about the attempt, and then change ``entry``, which stands for it."""
        self.append(entry.attempt, **facts)
        for name, value in facts.items():
            setattr(entry, name, value)

    def entries(self) -> list[Entry]:
        """All attempts, the oldest first."""
        found: dict[str, Entry] = {}
        for line in self._lines():
            entry = found.setdefault(line["attempt"], Entry(line["attempt"], time=line["time"]))
            entry.changed = line["time"]
            for name in NAMES & line.keys():
                setattr(entry, name, line[name])
        return list(found.values())

    def scores(self) -> dict[str, float]:
        """Run -> its newest returned score.

        Only shares, 0 to 1: what a platform counts otherwise can't be set against a forecast.
        """
        scores: dict[str, float] = {}
        newest: dict[tuple[str | None, str], int] = {}
        for e in self.entries():
            if not e.run or not isinstance(e.score, int | float) or not 0 <= e.score <= 1:
                continue
            if e.submission:
                # A platform counts its submissions up, but sync may add an older one later.
                if e.submission < newest.get((e.host, e.run), 0):
                    continue
                newest[e.host, e.run] = e.submission
            scores[e.run] = float(e.score)
        return scores

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Hold this while a submission is being sent, or what was sent is being settled.

        So two processes don't send one each, and none takes what the other is at for unsent.
        """
        with files.user_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(".sending.lock", seconds=0):
            yield

    @contextlib.contextmanager
    def _lock(self, suffix: str, seconds: float = 60) -> Iterator[None]:
        lock = filelock.FileLock(self.path.with_name(self.path.name + suffix))
        try:
            with files.user_errors(self.path):
                lock.acquire(timeout=seconds)
        except filelock.Timeout:
            raise UserError("Another `harness submit` or `harness sync` with the ledger "
                            f"{self.path} is under way. Wait until it has ended, then run this "
                            "one again.") from None
        try:
            yield
        finally:
            lock.release()

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as e:
            raise UserError(f"The ledger {self.path} can't be read ({e.strerror}).") from e
        for raw in data.split(b"\n"):
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                continue            # empty, or torn by a crash
            if isinstance(line, dict) and all(isinstance(line.get(name), str)
                                              and sound(name, line[name])
                                              for name in ("attempt", "time")):
                yield {name: value for name, value in line.items() if sound(name, value)}


def sound(name: str, value: Any) -> bool:
    """Whether a field of a line, perhaps a stranger's, holds what it should."""
    if name in ("score", "forecast", "low", "high"):  # a score may be a percentage or a loss
        return value is None or (type(value) in (int, float)
                                 and -LARGEST < value < LARGEST
                                 and (name == "score" or 0 <= value <= 1))
    if name == "scores":
        return isinstance(value, dict) and _writable(value)
    if name in ("submission", "size", "competition", "phase_id"):
        return value is None or type(value) is int
    if name == "state":
        return isinstance(value, str) and value in STATES
    return value is None or (isinstance(value, str) and _writable(value))


def _writable(value: Any) -> bool:
    """Whether a file of JSON can hold it: no half surrogate pairs, no NaN, no endless depth."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _newline(handle: int) -> str:
    """A line's end where a crash left a line without one."""
    size = os.lseek(handle, 0, os.SEEK_END)
    return "\n" if size and os.pread(handle, 1, size - 1) != b"\n" else ""


def now() -> str:
    """This moment, UTC, ISO 8601, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def check_score(value: str | float) -> float:
    """A returned score, 0 to 1. Raises UserError with what is wrong about it."""
    try:
        score = float(value)
    except ValueError:
        raise UserError(f"{value!r} is no number") from None
    if math.isnan(score):
        raise UserError("the score is not a number (NaN)")
    if score > 1:
        raise UserError(f"the score {value} is above 1; write a percentage as a share, 0.94")
    if score < 0:
        raise UserError(f"the score {value} is below 0")
    return score


def read_history(path: str | os.PathLike[str],
                 known_runs: Collection[str] | None = None) -> list[tuple[str, float]]:
    """Pairs (run, returned score) from a CSV file with the header ``run,score``.

    ``known_runs``: the runs that may stand there; None: any. Raises UserError that names file and
    line for a score that is no number from 0 to 1, an unknown run, and a run that stands twice.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            reader = csv.reader(f)
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise UserError(f"{path} can't be read as CSV ({e}).") from None
    if not rows or [cell.strip().lower() for cell in rows[0][1]] != ["run", "score"]:
        raise UserError(f"{path}, line 1: the header must be `run,score`.")
    pairs: dict[str, float] = {}
    for number, row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        try:
            run, score = _pair(row, pairs, known_runs)
        except UserError as e:
            raise UserError(f"{path}, line {number}: {e}.") from None
        pairs[run] = score
    return list(pairs.items())


def _pair(row: list[str], pairs: dict[str, float],
          known_runs: Collection[str] | None) -> tuple[str, float]:
    if len(row) != 2 or not row[0].strip():
        raise UserError("a line has a run and a score, with one comma between them")
    run, score = row[0].strip(), check_score(row[1].strip())
    if run in pairs:
        raise UserError(f"the run {run} stands there twice; keep one line")
    if known_runs is not None and run not in known_runs:
        raise UserError(f"there is no run {run}; `harness models` lists the runs")
    return run, score
