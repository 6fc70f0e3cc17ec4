"""Watch a submission until its end is certain, although the platform's statuses are not.

    watch(client, number, board)   -> Outcome
    read(client, number, board)    -> Outcome as it stands now

Statuses come in any order, and "Finished" comes before the scores, may turn into "Failed", may
run again after a crash of the worker, and may never get a score; "Cancelled" may come back to
life. So an end counts only after it has stayed the same for a while (:data:`PATIENCE`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from submission.codabench import Board, Client, Row
from submission.transport import Refused, Unreachable

# Seconds that an end must stay unchanged. Scores follow "Finished" within a second or two, a
# failure of the scores file within one; a cancelled job was seen to finish seven seconds later.
PATIENCE = {"scored": 2.0, "failed": 5.0, "cancelled": 30.0, "unscored": 60.0}
SHORTEST, LONGEST = 1.0, 15.0       # seconds between two looks


@dataclass(frozen=True)
class Outcome:
    """How a submission stands.

    ``state`` is running, scored, failed, cancelled, unscored or gone; ``score`` the value of the
    ranking column (the mean over the tasks where there are several); ``scores`` column -> value,
    or task -> column -> value; ``note`` what else must be said.
    """

    number: int
    state: str
    status: str = ""
    details: str = ""
    score: float | None = None
    scores: dict[str, object] = field(default_factory=dict)
    failed: tuple[int, ...] = ()    # the submissions whose logs explain a failure
    note: str = ""


def watch(client: Client, number: int, board: Board, *,
          seen: Callable[[Outcome], None] = lambda outcome: None, timeout: float = 3600.0,
          scale: float = 1.0) -> Outcome:
    """Look again and again until the end is certain, or ``timeout`` seconds have passed.

    ``seen`` is called at every change. ``scale`` shortens all waits, for tests.
    """
    start = last_change = time.monotonic()
    outcome, wait = Outcome(number, "running"), SHORTEST
    while True:
        try:
            new = read(client, number, board)
        except Unreachable:
            new = outcome           # maintenance passes; what was seen stays true
        if new != outcome:
            outcome, wait, last_change = new, SHORTEST, time.monotonic()
            seen(outcome)
        unchanged = time.monotonic() - last_change
        if outcome.state == "gone" or (outcome.state != "running"
                                       and unchanged >= patience(outcome) * scale):
            return outcome
        if time.monotonic() - start >= timeout:
            return outcome
        time.sleep(wait * scale)
        if outcome.state == "running":
            wait = min(wait * 1.3, LONGEST)


def patience(outcome: Outcome) -> float:
    """Seconds that this end must stay unchanged; long where scores may still follow."""
    incomplete = outcome.state == "scored" and outcome.note
    return PATIENCE["unscored" if incomplete else outcome.state]


def read(client: Client, number: int, board: Board) -> Outcome:
    """One look, children included. Raises Refused and Unreachable like every call."""
    try:
        row = client.submission(number)
    except Refused as e:
        if e.status == 404:
            return Outcome(number, "gone", note="the platform no longer has it")
        raise
    children = [client.submission(child) for child in row.children]
    return judge(row, children, board)


def judge(row: Row, children: list[Row], board: Board) -> Outcome:
    """What a submission's row, and those of its children, say."""
    if not row.has_children or (row.ended and not children):
        state, note = _state(row, board)
        score = row.scores.get(board.primary or "")
        return Outcome(row.id, state, row.status, row.details, score, dict(row.scores),
                       (row.id,) if state == "failed" else (), note)
    if not row.ended or not all(child.ended for child in children):
        # A parent that ended while a child runs again is not at its end.
        return Outcome(row.id, "running", row.status, row.details)
    return _parent(row, children, board)


def _state(row: Row, board: Board) -> tuple[str, str]:
    """State and note of a row without children."""
    missing = [key for key in board.columns if key not in row.scores]
    ranked = board.primary in row.scores or (not board.columns and row.scores)
    if not row.ended:
        return "running", ""
    if row.status == "Failed":
        return "failed", "the platform lists scores for it all the same" if row.scores else ""
    if row.status == "Cancelled":
        return "cancelled", ""
    if ranked:
        return "scored", f"no score for {', '.join(missing)}" if missing else ""
    return "unscored", ("finished without a score: the scoring program may have written text or "
                        "NaN, or left the column out")


def _parent(row: Row, children: list[Row], board: Board) -> Outcome:
    states = [_state(child, board) for child in children]
    names = [child.task or str(child.id) for child in children]
    if len(set(names)) < len(names):
        names = [f"{name} ({child.id})" for name, child in zip(names, children, strict=True)]
    failed = tuple(child.id for child, (state, _) in zip(children, states, strict=True)
                   if state == "failed")
    bad = [f"{name}: {note or state}" for name, (state, note) in zip(names, states, strict=True)
           if state != "scored" or note]
    worst = next((state for state in ("failed", "cancelled", "unscored")
                  if any(s == state for s, _ in states)), "scored")
    values = [child.scores.get(board.primary or "") for child in children]
    known = [value for value in values if value is not None]
    return Outcome(
        row.id, worst, row.status, row.details,
        sum(known) / len(known) if len(known) == len(values) and worst == "scored" else None,
        {name: dict(child.scores) for name, child in zip(names, children, strict=True)},
        failed, "; ".join(bad))
