"""Watch a submission until its end is certain, although the platform's statuses are not.

    watch(client, number, board)   -> Outcome
    read(client, number, board)    -> Outcome as it stands now

Statuses come in any order, and "Finished" comes before the scores, may turn into "Failed", may
run again after a crash of the worker, and may never get a score; "Cancelled" may come back to
life. So an end counts only after it has stayed the same for a while (:data:`PATIENCE`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from submission.codabench import Board, Client, Row
from submission.transport import Refused, Unreachable

# Seconds that an end must stay unchanged. Scores follow "Finished" within a second or two, a
# failure of the scores file within one; a cancelled job was seen to finish seven seconds later.
# Of several servers behind one address, one may not know of a submission as soon as the others.
PATIENCE = {"scored": 2.0, "failed": 5.0, "gone": 10.0, "cancelled": 30.0, "unscored": 60.0}
SHORTEST, LONGEST = 1.0, 15.0       # seconds between two looks


@dataclass(frozen=True)
class Outcome:
    """How a submission stands.

    ``state`` is running, scored, failed, cancelled, unscored or gone; ``score`` the value of the
    ranking column (the mean over the tasks where there are several), None where the smallest ranks
    first; ``scores`` column -> value, or task -> column -> value; ``note`` what else must be said.
    """

    number: int
    state: str
    status: str = ""
    details: str = ""
    score: float | None = None
    scores: dict[str, object] = field(default_factory=dict)
    failed: tuple[int, ...] = ()    # the submissions whose logs explain a failure
    note: str = ""
    missing: tuple[str, ...] = ()   # columns without a value; they may follow
    on_board: bool = False          # on the platform's leaderboard


def watch(client: Client, number: int, board: Board, *,
          seen: Callable[[Outcome], None] = lambda outcome: None, timeout: float = 3600.0,
          scale: float = 1.0) -> Outcome:
    """Look again and again until the end is certain, or ``timeout`` seconds have passed (running).

    ``seen`` is called at every change. ``scale`` shortens all waits, for tests.
    """
    start = last_change = time.monotonic()
    outcome, wait = Outcome(number, "running"), SHORTEST
    while True:
        try:
            new = read(client, number, board)
        except (Unreachable, Refused) as e:
            if isinstance(e, Refused) and e.body is not None:
                raise
            new = outcome           # a gateway's pages pass; what was seen stays true
        if new != outcome:
            outcome, wait, last_change = new, SHORTEST, time.monotonic()
            seen(outcome)
        unchanged = time.monotonic() - last_change
        if outcome.state != "running" and unchanged >= patience(outcome) * scale:
            return outcome
        if time.monotonic() - start >= timeout:
            return replace(outcome, state="running")
        time.sleep(wait * scale)
        if outcome.state == "running":
            wait = min(wait * 1.3, LONGEST)


def patience(outcome: Outcome) -> float:
    """Seconds that this end must stay unchanged; long where scores may still follow."""
    incomplete = outcome.state == "scored" and outcome.missing
    return PATIENCE["unscored" if incomplete else outcome.state]


def read(client: Client, number: int, board: Board) -> Outcome:
    """One look, children included. Raises Refused and Unreachable like every call."""
    try:
        row = client.submission(number)
    except Refused as e:
        if e.missing:
            return Outcome(number, "gone", note="the platform no longer has it")
        raise
    children = [client.submission(child) for child in row.children]
    return judge(row, children, board)


def judge(row: Row, children: list[Row], board: Board) -> Outcome:
    """What a submission's row, and those of its children, say."""
    if row.has_children and not (row.ended and not children):
        return _parent(row, children, board)
    state, note = _state(row, board)
    missing = _missing(row, board) if state == "scored" else ()
    # An error or a duration, taken for an accuracy, would spoil the forecasts that learn from it.
    score = ranking(row, board) if board.rising else None
    return Outcome(row.id, state, row.status, row.details, score, dict(row.scores),
                   (row.id,) if state == "failed" else (), note, missing, row.on_leaderboard)


def ranking(row: Row, board: Board) -> float | None:
    """The value of the ranking column; of the first one where the columns aren't known."""
    if board.primary is None:
        return next(iter(row.scores.values()), None)
    return row.scores.get(board.primary)


def _missing(row: Row, board: Board) -> tuple[str, ...]:
    return tuple(key for key in board.columns if key not in row.scores)


def _state(row: Row, board: Board) -> tuple[str, str]:
    """State and note of a row without children."""
    if not row.ended:
        waits = row.status == "Submitting" and not row.auto_run
        return "running", "the organiser starts submissions by hand" if waits else ""
    if row.status == "Failed":
        return "failed", "the platform lists scores for it all the same" if row.scores else ""
    if row.status == "Cancelled":
        return "cancelled", ""
    missing = _missing(row, board)
    value = ranking(row, board)
    if value is not None:
        notes = [f"no score for {', '.join(missing)}"] if missing else []
        if not board.rising:
            notes.append(f"{board.primary} is {value:g}, and the smallest ranks first: no accuracy")
        elif not 0 <= value <= 1:
            notes.append("no share from 0 to 1, so not compared with the forecast")
        return "scored", "; ".join(notes)
    return "unscored", ("finished without a score: the scoring program may have written text or "
                        "NaN, or left the column out")


def _parent(row: Row, children: list[Row], board: Board) -> Outcome:
    if not row.ended or not all(child.ended for child in children):
        # A parent that ended while a child runs again is not at its end.
        return Outcome(row.id, "running", row.status, row.details)
    named = list(zip(_names(children), [judge(child, [], board) for child in children],
                     strict=True))
    worst = next((state for state in ("failed", "cancelled", "unscored")
                  if any(o.state == state for _, o in named)), "scored")
    values = [o.score for _, o in named if o.score is not None]
    mean = sum(values) / len(values) if worst == "scored" and len(values) == len(named) else None
    return Outcome(
        row.id, worst, row.status, row.details, mean, {name: o.scores for name, o in named},
        tuple(o.number for _, o in named if o.state == "failed"),
        "; ".join(f"{name}: {o.note or o.state}" for name, o in named
                  if o.note or o.state != "scored"),
        tuple(f"{name}: {key}" for name, o in named for key in o.missing), row.on_leaderboard)


def _names(children: list[Row]) -> list[str]:
    """The tasks' names, with the submission's number where two are alike."""
    names = [child.task or str(child.id) for child in children]
    return [name if names.count(name) == 1 else f"{name} ({child.id})"
            for name, child in zip(names, children, strict=True)]
