"""The platform's API, as its recorded answers show it: one method a call, plain values back.

    Client                   the calls that a participant needs; it never sends any other
    Competition, Phase       what a submission must know of them
    Board                    the columns of scores, and the one that ranks
    Row                      one submission as the platform shows it
"""

import contextlib
import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from submission.transport import Transport
from zoo.errors import UserError

STATUSES = ("Previous", "Current", "Next")     # of a phase
ENDS = ("Finished", "Failed", "Cancelled", "Unknown")
MOST_PAGES = 1000                   # of a list
LONGEST_NUMBER = 20                 # digits of what can be a submission's number


@dataclass(frozen=True)
class Phase:
    """One phase. Limits are None where it has none."""

    id: int
    name: str
    status: str                     # one of STATUSES, where it can be known
    start: str
    end: str
    per_day: int | None
    per_person: int | None
    used_today: int
    used: int

    @property
    def open(self) -> bool:
        return self.status == "Current"


@dataclass(frozen=True)
class Board:
    """The keys of the scores that a finished submission has; ``primary`` is the one that ranks."""

    columns: tuple[str, ...] = ()
    primary: str | None = None
    rising: bool = True             # False: the smallest value ranks first, as of an error


@dataclass(frozen=True)
class Competition:
    """One competition, as the user sees it."""

    id: int
    title: str
    participant: str | None         # approved, pending, denied, None: not registered
    phases: tuple[Phase, ...]

    def phase(self, wanted: str | int | None) -> Phase:
        """The phase of that number, or of that name or number as text; None: the open one.

        Raises UserError with the list.
        """
        found = [p for p in self.phases
                 if (p.open if wanted is None else wanted in (p.id, str(p.id), p.name))]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{p.name} ({p.id}, {_when(p)})" for p in self.phases) or "none"
        what = (f"has no single phase {str(wanted)!r}" if wanted is not None
                else "has several open phases" if found else "has no open phase")
        raise UserError(f"Competition {self.id} ({self.title}) {what}. Its phases: {names}. "
                        "Choose one with --phase.")


@dataclass(frozen=True)
class Row:
    """A submission on the platform. ``scores`` has one value a column: doubled rows count once."""

    id: int
    status: str
    details: str
    filename: str
    owner: str
    phase: int
    phase_name: str
    parent: int | None
    children: tuple[int, ...]
    has_children: bool
    task: str
    on_leaderboard: bool
    auto_run: bool = True           # False: an organiser starts it by hand
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status in ENDS


class Client:
    """A participant's view of one host. All calls raise Refused or Unreachable; see transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.host = transport.host

    def username(self) -> str:
        """Whose token it is."""
        name = _dict(self.transport.get("/api/my_profile/"), "profile").get("username")
        if not name:
            raise _strange("profile")   # without it nothing could be told to be ours
        return str(name)

    def competitions(self) -> list[tuple[int, str]]:
        """Number and title of the competitions that the user takes part in."""
        rows = self._rows("competitions", participating_in="true", type="any")
        with known_form("competitions"):
            return [(int(row["id"]), str(row.get("title", ""))) for row in rows]

    def competition(self, number: int) -> Competition:
        """Everything about one competition, its phases with the user's own counts."""
        body = _dict(self.transport.get(f"/api/competitions/{number}/"), "competition")
        with known_form("competition"):
            return parse_competition(body)

    def may_submit(self, phase: int) -> tuple[bool, str]:
        """Whether limits and approval allow one more, and why not. Says yes for closed phases."""
        answer = _dict(self.transport.get(f"/api/can_make_submission/{phase}/"), "permission")
        return bool(answer.get("can")), str(answer.get("reason") or "")

    def storage(self) -> tuple[float, float]:
        """Bytes used and bytes allowed. The API gives the first in bytes, the second in GB."""
        answer = _dict(self.transport.get("/api/user_quota/"), "quota")
        with known_form("quota"):
            return float(answer.get("storage_used") or 0), float(answer.get("quota") or 0) * 1e9

    def announce(self, competition: int, name: str, size: int) -> tuple[str, str]:
        """Announce an upload -> its key, and the address to PUT it to.

        Made twice it leaves an empty entry among the user's files, nothing worse.
        """
        body = {"type": "submission", "competition": competition, "request_sassy_file_name": name,
                "file_name": name, "file_size": size}
        answer = _dict(self.transport.post("/api/datasets/", body, repeatable=True), "upload")
        key, address = answer.get("key"), answer.get("sassy_url")
        if not isinstance(key, str) or not isinstance(address, str):
            raise UserError(f"{self.host} gave no address for the upload. Nothing was submitted.")
        return key, address

    def complete(self, key: str) -> None:
        """Say that the upload is there."""
        self.transport.put(f"/api/datasets/completed/{key}/")

    def create(self, key: str, phase: int) -> int | None:
        """Submit an upload -> the submission's number; None where the answer doesn't say.

        Never repeated: raises Unclear where no usable answer came.
        """
        answer = self.transport.post("/api/submissions/", {"data": key, "phase": phase},
                                     repeatable=False)
        number = str(answer.get("id") if isinstance(answer, dict) else None)
        return int(number) if number.isdecimal() and len(number) < LONGEST_NUMBER else None

    def submission(self, number: int) -> Row:
        """One submission."""
        body = _dict(self.transport.get(f"/api/submissions/{number}/"), "submission")
        with known_form("submission"):
            return parse_row(body)

    def submissions(self, owner: str | None, *, phase: int | None = None,
                    competition: int | None = None) -> list[Row]:
        """The user's own submissions in a phase or a competition, children left out.

        ``owner`` None: of anybody that the list shows, which for an organiser is everybody.
        """
        query = {"phase": phase} if phase is not None else {"phase__competition": competition}
        body = self._rows("submissions", **query)
        with known_form("submissions"):
            rows = {row.id: row for row in map(parse_row, body)}    # pages may overlap
        return [row for row in rows.values() if owner in (None, row.owner) and row.parent is None]

    def _rows(self, what: str, **query: Any) -> list[Any]:
        """A list, whether the platform gives it whole or in pages."""
        rows: list[Any] = []
        for _ in range(MOST_PAGES):
            body = self.transport.call("GET", f"/api/{what}/", params=query, repeatable=True)
            if isinstance(body, list):
                return body
            rows += _list(_dict(body, what).get("results"), what)
            if not body.get("next"):
                return rows
            with known_form(what):  # its query alone: the host in it is none of ours to follow
                query |= parse_qsl(urlsplit(str(body["next"])).query)
        raise _strange(what)

    def details(self, number: int) -> dict[str, Any]:
        """Addresses of the logs and results of one submission."""
        return _dict(self.transport.get(f"/api/submissions/{number}/get_details/"), "details")

    def cancel(self, number: int) -> bool:
        """Ask to cancel. True says that it was marked, not that it stopped."""
        answer = self.transport.get(f"/api/submissions/{number}/cancel_submission/")
        return bool(_dict(answer, "cancellation").get("canceled"))

    def leaderboard(self, phase: int) -> dict[str, Any]:
        """The leaderboard of a phase: ``submissions`` in order, ``tasks`` with their columns."""
        return _dict(self.transport.get(f"/api/phases/{phase}/get_leaderboard/"), "leaderboard")

    def board(self, phase: int) -> Board:
        """The columns of a phase; participants may read them even where the board is hidden.

        A board without columns where the platform doesn't show them, or not as we know them: a
        submission can be watched all the same.
        """
        try:
            body = self.leaderboard(phase)
            with known_form("leaderboard"):
                tasks = body.get("tasks")
                return parse_board(tasks[0].get("columns") or [] if tasks else [],
                                   body.get("primary_index"))
        except UserError:
            return Board()


def login(transport: Transport, username: str, password: str) -> str:
    """The token of a user. ``transport`` has none yet. Raises Refused for a wrong password."""
    body = {"username": username, "password": password}
    answer = _dict(transport.post("/api/api-token-auth/", body, repeatable=True), "login")
    return str(answer.get("token") or "")


def parse_competition(body: dict[str, Any]) -> Competition:
    """A competition from its JSON; missing fields get cautious values."""
    return Competition(
        id=int(body["id"]), title=str(body.get("title") or ""),
        participant=body.get("participant_status"),
        phases=tuple(_phase(p) for p in _list(body.get("phases") or [], "phases")))


def parse_board(columns: list[dict[str, Any]], primary: Any) -> Board:
    """The columns that a submission itself has: not the computed ones, not the hidden ones."""
    shown = sorted((int(c.get("index") or 0), str(c["key"]), c.get("sorting") != "asc")
                   for c in columns if not c.get("computation") and not c.get("hidden"))
    ranking = [column for column in shown if column[0] == int(primary or 0)]
    _, best, rising = next(iter(ranking + shown), (0, None, True))
    return Board(tuple(key for _, key, _ in shown), best, rising)


def _phase(body: dict[str, Any]) -> Phase:
    limited = bool(body.get("has_max_submissions"))
    per_day, per_person = (             # 0 is no limit, too
        int(body.get(name) or 0) or None if limited else None
        for name in ("max_submissions_per_day", "max_submissions_per_person"))
    return Phase(
        id=int(body["id"]), name=str(body.get("name") or ""), status=_status(body),
        start=str(body.get("start") or ""), end=str(body.get("end") or ""),
        per_day=per_day, per_person=per_person,
        used_today=int(body.get("used_submissions_per_day") or 0),
        used=int(body.get("used_submissions_per_person") or 0))


def _status(body: dict[str, Any]) -> str:
    """A phase's status; from its times, UTC, where an older server leaves it out or has another."""
    status = str(body.get("status") or "")
    start, end = (_moment(body.get(name)) for name in ("start", "end"))
    if status in STATUSES or start is None:
        return status
    now = datetime.datetime.now(datetime.UTC)
    return "Next" if now < start else "Previous" if end and end <= now else "Current"


def _moment(text: Any) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def parse_row(body: dict[str, Any]) -> Row:
    """A submission from its JSON."""
    task = body.get("task")
    return Row(
        id=int(body["id"]), status=str(body.get("status") or ""),
        details=str(body.get("status_details") or ""), filename=str(body.get("filename") or ""),
        owner=str(body.get("owner") or ""), phase=int(body.get("phase") or 0),
        phase_name=str(body.get("phase_name") or ""),
        parent=body.get("parent") or None, children=_children(body.get("children") or []),
        has_children=bool(body.get("has_children") or body.get("children")),
        task=str(task.get("name") or "") if isinstance(task, dict) else "",
        on_leaderboard=bool(body.get("on_leaderboard")),
        auto_run=body.get("auto_run") is not False,
        scores=column_scores(body.get("scores") or []))


def column_scores(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Column key -> value, in the columns' order. Scores come as text; of doubled rows the newest
    counts."""
    found: dict[str, tuple[int, float]] = {}
    for row in sorted(rows, key=lambda row: int(row.get("id") or 0)):
        try:
            value = float(row["score"])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(value):
            found[str(row.get("column_key"))] = int(row.get("index") or 0), value
    return {key: value for key, (_, value) in sorted(found.items(), key=lambda item: item[1][0])}


def _children(values: list[Any]) -> tuple[int, ...]:
    numbers = [value.get("id") if isinstance(value, dict) else value for value in values]
    return tuple(sorted(int(number) for number in numbers if number is not None))


def _when(phase: Phase) -> str:
    words = {"Current": "open", "Previous": "closed", "Next": "not started"}
    return words.get(phase.status, phase.status)


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _strange(what)
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _strange(what)
    return value


@contextlib.contextmanager
def known_form(what: str) -> Iterator[None]:
    """Turn fields that are missing, or of another kind, into a sentence."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        raise _strange(what) from None


def _strange(what: str) -> UserError:
    return UserError(f"The platform's answer about the {what} has an unknown form. "
                     "Is --host a Codabench server?")
