"""The steps of one submission: checked, sent at most once, watched, and written down.

    inspect(path)            Parcel: the zip, its hash, and what its manifest says
    send(...)                the number of the one submission on the platform
    finish(...)              watch it, and record how it ended

Every step is in the ledger before it is taken. The file gets a name on the platform that no other
attempt has; after a crash, or an answer that never came, that name tells whether the submission
exists. So a step that was cut short is taken up again, and none is taken twice.
"""

import datetime
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from submission import storage
from submission.archive import DAMAGES
from submission.codabench import Client, Competition, Phase, Row
from submission.ledger import ENDED, STATES, Entry, Ledger, sound
from submission.transport import Refused, Unclear
from submission.watch import Outcome, watch
from zoo import files
from zoo.errors import UserError
from zoo.zips import Zip

LOOKS = (0.0, 1.0, 3.0, 6.0, 10.0, 10.0)    # seconds before each look for our own submission
LEAST_AGE = 30.0                # seconds before a call that got no answer may be made again
LARGEST_MANIFEST = 10**6        # bytes


@dataclass(frozen=True)
class Parcel:
    """A zip on its way. What ours says of itself is None in zips of others."""

    path: Path
    sha256: str
    size: int
    run: str | None = None
    forecast: float | None = None
    low: float | None = None
    high: float | None = None

    def facts(self) -> dict[str, Any]:
        """What the ledger keeps of it."""
        return {k: v for k, v in asdict(self).items() if k != "path"}


@dataclass
class Sender:
    """What the steps share. ``scale`` shortens the waits, for tests."""

    client: Client
    ledger: Ledger
    say: Callable[[str], None] = lambda sentence: None
    progress: storage.Progress = lambda sent, size: None
    scale: float = 1.0


def inspect(path: str | Path) -> Parcel:
    """Look into a zip. Raises UserError where it is missing or is no zip."""
    path = Path(path)
    try:
        with Zip(path) as archive:
            manifest = _manifest(archive)
        return Parcel(path, files.file_hash(path), path.stat().st_size,
                      **manifest)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. `harness submission` packs the best "
                        "run.") from None
    except DAMAGES as e:
        raise UserError(f"{path} is no readable zip ({e}).") from None


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Run, forecast and its interval, where the archive has our manifest."""
    try:
        with archive.open("manifest.json") as f:
            body = json.loads(f.read(LARGEST_MANIFEST))
    except DAMAGES:
        return {}
    if not isinstance(body, dict):
        return {}
    run, forecast = body.get("run"), body.get("forecast")
    numbers = forecast if isinstance(forecast, dict) else {"forecast": forecast}
    return {"run": run if sound("run", run) else None,
            **{k: share(numbers.get(k)) for k in ("forecast", "low", "high")}}


def share(value: Any) -> float | None:
    """A number of a manifest, perhaps a stranger's; None where it is none from 0 to 1."""
    good = type(value) in (int, float) and 0 <= value <= 1
    return float(value) if good else None


def require_checked(path: Path) -> None:
    """Raise UserError where the zip breaks a rule that costs the submission."""
    from submission import rules

    found = rules.errors(rules.check(path))
    if found:
        first = found[0]
        raise UserError(f"{path} would fail: {first.sentence} ({first.rule}; {len(found)} in "
                        f"all). {first.remedy} Nothing was sent. `harness check {path}` shows "
                        "all; --force sends it all the same.")


def send(sender: Sender, parcel: Parcel, competition: Competition, phase: Phase, user: str, *,
         force: bool = False) -> Entry:
    """Bring the parcel onto the platform exactly once; return its attempt, with its submission.

    An attempt on these bytes that was cut short is taken up again. ``force`` sends bytes again
    whose submission has ended; it opens neither a closed phase nor a spent quota. Raises UserError
    where nothing was sent, and says so; the ledger says it too.
    """
    with sender.ledger.sending():
        known = _attempts(sender, parcel, phase, user)
        entry = known[-1] if known and known[-1].unsent else None
        if entry is not None:
            sender.say(f"Taking up the attempt of {entry.time}: {STATES[entry.state]}.")
            _settle(sender, entry)
        # The bytes may have got there by another attempt, however far this one came.
        sent = (next((e for e in reversed(known) if not e.unsent), None)
                or _look_for_same_bytes(sender, parcel, competition, phase, user))
        if sent is not None and not (force and sent.state in ENDED):
            return _already(sender, sent, parcel, phase)
        uploaded = entry is not None and entry.key is not None
        require_room(sender.client, None if uploaded else parcel, competition, phase)
        if entry is None:
            entry = _begin(sender, parcel, competition, phase, user)
        _carry_out(sender, entry, parcel, competition, phase)
        return entry


def require_room(client: Client, parcel: Parcel | None, competition: Competition,
                 phase: Phase) -> None:
    """Raise UserError where the phase is closed, or a limit or the storage is spent."""
    may, reason = client.may_submit(phase.id)
    # Its answer goes before the competition's: robots take part without having registered.
    if not may and competition.participant != "approved":
        state = competition.participant or "not registered"
        raise UserError(f"You are {state} in competition {competition.id} ({competition.title}). "
                        f"Nothing was sent. Register at {client.host}/competitions/"
                        f"{competition.id}/, or wait for the organiser.")
    if not phase.open:
        when = (f"starts {phase.start}" if phase.status == "Next" else f"ended {phase.end}")
        raise UserError(f"The phase {phase.name} is not open; it {when}. Nothing was sent.")
    if not may:
        raise UserError(f"The platform takes no submission in the phase {phase.name}: {reason} "
                        f"({_used(phase)}). Nothing was sent. Days are counted in UTC.")
    if parcel:
        used, allowed = client.storage()
        if allowed and used + parcel.size > allowed:
            raise UserError(f"{parcel.path} has {parcel.size / 1e6:.0f} MB, and "
                            f"{max(0.0, allowed - used) / 1e6:.0f} MB of your storage are left. "
                            f"Nothing was sent. Delete old files at {client.host}/datasets/.")


def _used(phase: Phase) -> str:
    counts = ((phase.used_today, phase.per_day, "today"), (phase.used, phase.per_person, "in all"))
    return ", ".join(f"{used} of {limit} {when}" for used, limit, when in counts
                     if limit is not None) or "no limits"


def _attempts(sender: Sender, parcel: Parcel, phase: Phase, user: str) -> list[Entry]:
    """The attempts on these bytes in this phase, the oldest first; without lost submissions."""
    return [e for e in sender.ledger.entries()
            if e.sha256 == parcel.sha256 and e.host == sender.client.host
            and e.phase_id == phase.id and e.user in (None, user) and e.state != "gone"]


def _settle(sender: Sender, entry: Entry) -> None:
    """Find out whether a cut-short attempt has a submission, and record it."""
    last = entry.state != "sending" or old_enough(entry, sender.scale)
    row = _find(sender, entry)
    began = time.monotonic()        # the clock that the ledger was written by may be ahead of ours
    if row is None and not last:
        sender.say("Looking for its submission; the call may still be on its way.")
    while row is None and not last:
        time.sleep(max(0.0, min(10.0, LEAST_AGE - _age(entry))) * sender.scale)
        last = (old_enough(entry, sender.scale)
                or time.monotonic() - began >= LEAST_AGE * sender.scale)
        row = _find(sender, entry)
    if row is not None:
        _record(sender, entry, state="sent", submission=row.id,
                note="found on the platform by its name")


def old_enough(entry: Entry, scale: float = 1.0) -> bool:
    """Whether a call without an answer is so long ago that a look from now on is the last word."""
    return _age(entry) >= LEAST_AGE * scale


def _age(entry: Entry) -> float:
    """Seconds since the attempt's last line; 0 where somebody edited its time into none."""
    try:
        changed = datetime.datetime.fromisoformat(entry.changed).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return 0.0
    return (datetime.datetime.now(datetime.UTC) - changed).total_seconds()


def _look_for_same_bytes(sender: Sender, parcel: Parcel, competition: Competition, phase: Phase,
                         user: str) -> Entry | None:
    """A submission of these bytes that this ledger doesn't know: made elsewhere, or it was lost."""
    mark = _mark(parcel)
    for row in sender.client.submissions(user, phase=phase.id):
        if mark in row.filename:
            entry = _begin(sender, parcel, competition, phase, user, name=row.filename)
            _record(sender, entry, state="sent", submission=row.id,
                    note="found on the platform by its name")
            return entry
    return None


def _already(sender: Sender, entry: Entry, parcel: Parcel, phase: Phase) -> Entry:
    if entry.state in ENDED:
        score = "" if entry.score is None else f", score {entry.score:.4f}"
        raise UserError(f"These bytes were submitted to the phase {phase.name} before: submission "
                        f"{entry.submission} ({entry.state}{score}). Nothing was sent. "
                        "--force sends them again.")
    sender.say(f"Submission {entry.submission} has these bytes and has not ended; "
               "nothing is sent again.")
    return entry


def _begin(sender: Sender, parcel: Parcel, competition: Competition, phase: Phase, user: str,
           name: str | None = None) -> Entry:
    attempt = uuid.uuid4().hex[:12]
    entry = Entry(attempt)
    _record(sender, entry, state="begun", **parcel.facts(), host=sender.client.host,
            competition=competition.id, phase=phase.name, phase_id=phase.id, user=user,
            name=name or f"{_mark(parcel)}{attempt[:8]}.zip")
    return entry


def _mark(parcel: Parcel) -> str:
    """What names of these bytes hold on the platform, which keeps 35 characters of a name."""
    return f"harness-{parcel.sha256[:12]}-"


def _record(sender: Sender, entry: Entry, **facts: Any) -> None:
    sender.ledger.record(entry, **facts)


def _carry_out(sender: Sender, entry: Entry, parcel: Parcel, competition: Competition,
               phase: Phase) -> None:
    """Upload where that is not done, and submit."""
    _upload(sender, entry, parcel, competition)
    # A large upload takes long: the phase may have closed, a colleague may have used the place.
    fresh = sender.client.competition(competition.id)
    require_room(sender.client, None, fresh, fresh.phase(phase.id))
    _record(sender, entry, state="sending")
    try:
        number = sender.client.create(str(entry.key), phase.id)
    except Refused as e:
        _record(sender, entry, state="refused", note=str(e))
        raise UserError(f"{e} No submission exists; the ledger says so.") from None
    except Unclear as e:
        _unclear(sender, entry, phase, e)
        return
    if number is None:
        _unclear(sender, entry, phase, Unclear("The platform's answer names no submission.", None))
        return
    _record(sender, entry, state="sent", submission=number)


def _upload(sender: Sender, entry: Entry, parcel: Parcel, competition: Competition) -> None:
    """Bring the file there, unless an earlier run did and it has not been deleted since."""
    if entry.key is not None:
        try:
            return sender.client.complete(entry.key)
        except Refused as e:
            if e.status != 404:
                raise
    key, address = sender.client.announce(competition.id, str(entry.name), parcel.size)
    storage.upload(address, parcel.path, parcel.sha256, progress=sender.progress,
                   pause=sender.client.transport.pause)
    _record(sender, entry, state="uploaded", key=key)
    return sender.client.complete(key)


def _unclear(sender: Sender, entry: Entry, phase: Phase, trouble: Unclear) -> None:
    """No answer to the one call that must not be repeated: look whether it happened."""
    sender.say(f"{trouble} Looking whether the submission exists.")
    for wait in LOOKS:
        time.sleep(wait * sender.scale)
        row = _find(sender, entry)
        if row is not None:
            _record(sender, entry, state="sent", submission=row.id,
                    note="found on the platform by its name")
            return
    may, reason = sender.client.may_submit(phase.id)
    if trouble.status == 500 and not may:
        # This is how the platform says that a limit is reached.
        _record(sender, entry, state="refused", note=reason)
        raise UserError(f"The platform refuses the submission: {reason}. No submission exists; "
                        "the ledger says so.") from None
    raise UserError(f"{trouble} No submission was found afterwards. Run the same command again: "
                    "it looks once more, and sends only if there is none.") from None


def _find(sender: Sender, entry: Entry) -> Row | None:
    """Our submission on the platform, by the name that only this attempt has.

    Not by its owner, too: a platform that shows another name there would be sent a second one.
    """
    stem = Path(str(entry.name)).stem
    for row in sender.client.submissions(None, phase=entry.phase_id):
        if stem in row.filename:
            return row
    return None


def finish(sender: Sender, entry: Entry, *,
           seen: Callable[[Outcome], None] = lambda outcome: None,
           timeout: float = 3600.0) -> Outcome:
    """Watch the attempt's submission and record how it ended, or that it still runs."""
    outcome = watch(sender.client, int(entry.submission or 0),
                    sender.client.board(int(entry.phase_id or 0)), seen=seen,
                    timeout=timeout, scale=sender.scale)
    record_outcome(sender.ledger, entry, outcome)
    return outcome


def record_outcome(ledger: Ledger, entry: Entry, outcome: Outcome) -> bool:
    """Write down what changed; False where nothing did."""
    state = "sent" if outcome.state == "running" else outcome.state
    note = outcome.note or (outcome.details if state == "failed" else "")
    facts: dict[str, Any] = {"state": state, "note": note or None}
    if outcome.scores or state not in ("gone", "sent"):     # what it once returned stays true
        facts |= {"score": outcome.score, "scores": dict(outcome.scores)}
    if all(getattr(entry, name) == value for name, value in facts.items()):
        return False
    ledger.record(entry, **facts)
    return True
