"""What the platform knows: users, competitions, uploads, submissions. No HTTP here."""

import datetime
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from server.lives import Frame, life

FORCED = ("Force_Last", "Force_Latest_Multiple", "Force_Best")
ENDED = ("Finished", "Failed", "Cancelled")


@dataclass
class Task:
    id: int
    name: str
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Phase:
    id: int
    index: int
    name: str
    description: str
    status: str
    start: str
    end: str | None
    tasks: list[Task]
    seconds: int = 20
    per_day: int = 100
    per_person: int = 1000
    hide_output: bool = False


@dataclass
class Column:
    id: int
    title: str
    key: str
    index: int
    precision: int


@dataclass
class Competition:
    id: int
    title: str
    phases: list[Phase]
    columns: list[Column]
    rule: str = "Add_And_Delete"
    auto_approve: bool = True
    auto_run: bool = True
    hidden_board: bool = False
    detailed: bool = False
    participants: dict[str, str] = field(default_factory=dict)      # user -> status
    created: str = field(default_factory=lambda: iso(now()))


@dataclass
class Upload:
    id: int
    key: str
    owner: str
    competition: int | None
    name: str
    file_name: str
    path: str                       # in storage
    created: str


@dataclass
class Submission:
    id: int
    owner: str
    upload: Upload
    phase: Phase
    task: Task | None
    frames: list[Frame]
    created: datetime.datetime
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    shown: int = 0                  # children that can be seen already
    started: bool = True            # before that it shows no task
    on_board: bool = False
    cancelled: bool = False
    deleted: bool = False
    score_ids: list[int] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)      # log name -> path in storage
    results: dict[str, str] = field(default_factory=dict)

    @property
    def frame(self) -> Frame:
        return self.frames[0]

    @property
    def status(self) -> str:
        return "Cancelled" if self.cancelled else self.frame.status


class World:
    """Everything, with three users and the competitions of the recordings."""

    def __init__(self) -> None:
        self.passwords = {"alice": "alice-secret", "bob": "bob-secret",
                          "organiser": "organiser-secret"}
        self.tokens = {name: uuid.uuid4().hex + uuid.uuid4().hex[:8] for name in self.passwords}
        self.competitions = {c.id: c for c in competitions()}
        self.uploads: dict[str, Upload] = {}
        self.submissions: dict[int, Submission] = {}
        self.lives: list[list[Frame]] = []          # of the next submissions; then the good one
        self.cancelling = "stops"       # or "ignored": marked, runs on; or "comes back" as Finished
        self.upload_ids = itertools.count(52)
        self.submission_ids = itertools.count(1)
        self.score_ids = itertools.count(1)

    def phases(self) -> dict[int, tuple[Competition, Phase]]:
        return {p.id: (c, p) for c in self.competitions.values() for p in c.phases}

    def used(self, owner: str, phase: Phase) -> tuple[int, int]:
        """Submissions today and in all: failed ones and children don't count, deleted ones do."""
        mine = [s for s in self.submissions.values() if s.owner == owner and s.phase is phase
                and s.parent is None and s.status != "Failed"]
        return sum(s.created.date() == now().date() for s in mine), len(mine)

    def may_submit(self, owner: str, phase: Phase, competition: Competition) -> str | None:
        """The reason against it. Phases that are closed take submissions all the same."""
        if competition.participants.get(owner) != "approved":
            return "User not approved to participate in this competition"
        today, total = self.used(owner, phase)
        if total >= phase.per_person:
            return "Reached maximum allowed submissions for this phase"
        if today >= phase.per_day:
            return "Reached maximum allowed submissions for today for this phase"
        return None

    def next_life(self) -> list[Frame]:
        return list(self.lives.pop(0)) if self.lives else life("good")

    def submit(self, owner: str, upload: Upload, phase: Phase, tasks: list[Task]) -> Submission:
        """The row, and with several tasks its children."""
        several = len(tasks) > 1
        row = self._row(owner, upload, phase, None if several else tasks[0],
                        life("parent") if several else self.next_life())
        if several:
            for task in tasks:
                child = self._row(owner, upload, phase, task, self.next_life(), row.id)
                row.children.append(child.id)
        return row

    def _row(self, owner: str, upload: Upload, phase: Phase, task: Task | None,
             frames: list[Frame], parent: int | None = None) -> Submission:
        row = Submission(next(self.submission_ids), owner, upload, phase, task, frames, now(),
                         parent, started=self.phases()[phase.id][0].auto_run)
        self.submissions[row.id] = row
        return row

    def look(self, row: Submission) -> None:
        """Somebody looked at a row: after the answer its life goes on by one frame.

        A parent goes on when its children do, and ends when the last of them has ended. They
        appear one after another.
        """
        if row.shown < len(row.children):
            row.shown += 1
        elif row.children:
            children = [self.submissions[c] for c in row.children]
            for child in children:
                self._advance(child)
            ended = all(c.status in ENDED for c in children)
            row.frames = [Frame("Finished" if ended else "Running")]
        elif row.parent is None:
            self._advance(row)

    def _advance(self, row: Submission) -> None:
        if row.cancelled and self.cancelling == "stops":
            return
        if len(row.frames) > 1:
            row.frames.pop(0)
            row.cancelled = row.cancelled and row.frame.status not in ENDED
        competition = self.phases()[row.phase.id][0]
        if row.frame.scores and competition.rule in FORCED:
            row.on_board = True

    def scores(self, row: Submission) -> list[tuple[int, int, str, float, int]]:
        """(id, column index, key, value, task) of a row, or of its children."""
        if row.children:
            return [score for c in row.children for score in self.scores(self.submissions[c])]
        competition = self.phases()[row.phase.id][0]
        found = []
        columns = {c.key: c for c in competition.columns}
        # What is no column of the leaderboard is dropped without a word.
        kept = [(key, value) for key, value in row.frame.scores if key in columns]
        for i, (key, value) in enumerate(kept):
            if i >= len(row.score_ids):
                row.score_ids.append(next(self.score_ids))
            column = columns[key]
            found.append((row.score_ids[i], column.index, key, value, row.task.id if row.task
                          else 0))
        return sorted(found, key=lambda score: (score[1], score[0]))


def competitions() -> list[Competition]:
    """Those of the recordings that a participant meets."""
    def accuracy(id: int) -> Column:
        return Column(id, "Accuracy", "accuracy", 0, 4)

    def rows(id: int) -> Column:
        return Column(id, "Rows", "n_rows", 1, 2)

    first, third, closed = Task(1, "Binary task"), Task(3, "Binary task"), Task(6, "Binary task")
    begin = "2026-11-01T00:00:00Z"
    return [
        Competition(1, "Small Classification", [
            Phase(1, 0, "development", "Development phase", "Current", begin,
                  "2027-06-30T00:00:00Z", [first], 30, 2, 5),
            Phase(2, 1, "final", "Final phase", "Next", "2027-07-01T00:00:00Z",
                  "2027-12-31T00:00:00Z", [first], 30, 1, 2)], [accuracy(1), rows(2)]),
        Competition(2, "Sandbox", [
            Phase(3, 0, "development", "d", "Current", begin, None, [third])],
            [accuracy(3), rows(4)], rule="Add_And_Delete_Multiple"),
        Competition(3, "Two Tasks", [
            Phase(4, 0, "development", "d", "Current", begin, None,
                  [Task(4, "Binary task"), Task(5, "Second task")])],
            [accuracy(5)], rule="Force_Best", detailed=True),
        Competition(4, "Closed", [
            Phase(5, 0, "past", "p", "Previous", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z",
                  [closed], 600),
            Phase(6, 1, "future", "f", "Next", "2030-01-01T00:00:00Z", None, [closed], 600)],
            [accuracy(6), rows(7)], auto_approve=False),
        Competition(5, "Hidden", [
            Phase(7, 0, "development", "d", "Current", begin, None, [Task(7, "Binary task")],
                  hide_output=True)],
            [accuracy(8), rows(9)], rule="Force_Last", auto_run=False, hidden_board=True),
    ]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pick(rows: list[Any], **wanted: Any) -> Any:
    """The first row whose attributes are as wanted, or None."""
    return next((row for row in rows
                 if all(getattr(row, k) == v for k, v in wanted.items())), None)
