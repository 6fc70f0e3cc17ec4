"""Match what the platform has with what the ledger holds.

    sync(client, ledger, ...)    -> one Change for every submission on either side
"""

import contextlib
import re
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from submission import storage
from submission.codabench import Board, Client, Competition, Row
from submission.ledger import Entry, Ledger
from submission.submit import Parcel, inspect, old_enough, record_outcome
from submission.transport import Refused
from submission.watch import Outcome, read
from zoo.errors import UserError

MARK = re.compile(r"harness-([0-9a-f]{12})-")


@dataclass(frozen=True)
class Change:
    """One submission after syncing: the entry, and what was done about it."""

    entry: Entry
    what: str       # unchanged, updated, added, gone, not sent, too new to tell, can't be read


def sync(client: Client, ledger: Ledger, competition: Competition, user: str,
         zips: list[Path]) -> list[Change]:
    """Bring the ledger up to date with the user's submissions in one competition.

    Submissions that the ledger doesn't know are added; ``zips`` (files of ours) tell which bytes
    they were. Attempts without a submission, and submissions that the platform lost, are marked.
    Raises UserError where a submission is just being sent with this ledger.
    """
    parcels = list(_readable(zips))
    with ledger.sending():
        mine = [e for e in ledger.entries()
                if e.host == client.host and e.competition == competition.id
                and e.user in (None, user)]
        return _match(client, ledger, competition, user, mine, parcels)


def _match(client: Client, ledger: Ledger, competition: Competition, user: str, mine: list[Entry],
           parcels: list[Parcel]) -> list[Change]:
    # Told before the list is asked for: what was sent just now may show up in it only later.
    young = {e.attempt for e in mine if e.state == "sending" and not old_enough(e)}
    # What the ledger knows is ours, whatever name the platform shows as its owner.
    rows = [row for row in reversed(client.submissions(None, competition=competition.id))
            if row.owner == user or _entry_of(row, mine)]
    boards: dict[int, Board] = {}
    changes, matched, unread = [], set(), 0
    for row in rows:
        if row.phase not in boards:
            boards[row.phase] = client.board(row.phase)
        entry = _entry_of(row, mine)
        try:
            outcome = read(client, row.id, boards[row.phase])
        except UserError:
            unread += 1
            if unread == len(rows):
                raise               # not this submission, but the platform
            entry = entry or Entry("", "sent", phase=row.phase_name, name=row.filename,
                                   submission=row.id)
            changes.append(Change(entry, "can't be read"))
            matched.add(entry.attempt)
            continue
        parcel = None
        if entry is None or entry.sha256 is None:   # a zip may lie here now that did not before
            parcel = _bytes_of(client, row, mine, parcels)
        if entry is None:
            entry = _add(client, ledger, competition, user, row, outcome, parcel)
            changes.append(Change(entry, "added"))
        else:
            changes.append(Change(entry, _update(ledger, entry, row, outcome, parcel)))
        matched.add(entry.attempt)
    return changes + [_absent(client, ledger, e, e.attempt in young) for e in mine
                      if e.attempt not in matched]


def _entry_of(row: Row, entries: list[Entry]) -> Entry | None:
    """The attempt that made this submission: by its number, else by its name."""
    for entry in entries:
        if entry.submission == row.id:
            return entry
    for entry in entries:
        if (entry.submission is None and entry.name
                and Path(entry.name).stem in row.filename):
            return entry
    return None


def _update(ledger: Ledger, entry: Entry, row: Row, outcome: Outcome,
            parcel: Parcel | None) -> str:
    news = {} if parcel is None else parcel.facts()
    if entry.submission is None:
        news |= {"submission": row.id, "state": "sent"}
    if news:
        ledger.record(entry, **news)
    return "updated" if record_outcome(ledger, entry, outcome) or news else "unchanged"


def _add(client: Client, ledger: Ledger, competition: Competition, user: str, row: Row,
         outcome: Outcome, parcel: Parcel | None) -> Entry:
    facts = {"state": "sent", "host": client.host, "competition": competition.id,
             "phase": row.phase_name, "phase_id": row.phase, "user": user, "name": row.filename,
             "submission": row.id, "note": "found on the platform"}
    if parcel:
        facts |= parcel.facts()
    entry = Entry(uuid.uuid4().hex[:12])
    ledger.record(entry, **facts)
    record_outcome(ledger, entry, outcome)
    return entry


def _bytes_of(client: Client, row: Row, entries: list[Entry],
              parcels: list[Parcel]) -> Parcel | None:
    """Which bytes of ours a submission has: by its name, else by reading it where sizes agree."""
    known = parcels + [Parcel(Path(str(e.name)), e.sha256, int(e.size or 0), e.run, e.forecast,
                              e.low, e.high) for e in entries if e.sha256]
    mark = MARK.search(row.filename)
    if mark:
        return next((p for p in known if p.sha256.startswith(mark[1])), None)
    if not known:
        return None
    try:
        address = client.details(row.id).get("data_file")
        found = storage.content_hash(str(address), {p.size for p in known}) if address else None
    except UserError:
        return None                 # the phase hides it, or storage can't be read; later perhaps
    return next((p for p in known if p.sha256 == found), None)


def _absent(client: Client, ledger: Ledger, entry: Entry, young: bool) -> Change:
    """An attempt that the platform's list doesn't show; ``young``: it may yet show up."""
    if young:
        return Change(entry, "too new to tell")
    if entry.submission is None:
        if entry.state == "sending":
            ledger.record(entry, state="uploaded", note="no submission exists")
        return Change(entry, "not sent")
    try:
        if entry.state == "gone" or not _deleted(client, entry.submission):
            return Change(entry, "unchanged")
    except UserError:
        return Change(entry, "can't be read")
    ledger.record(entry, state="gone", note="the platform no longer has it")
    return Change(entry, "gone")


def _deleted(client: Client, number: int) -> bool:
    try:
        client.submission(number)
    except Refused as e:
        return e.missing
    return False


def _readable(zips: list[Path]) -> Iterator[Parcel]:
    """A damaged one can't have been sent, or not as it is now."""
    for path in zips:
        with contextlib.suppress(UserError):
            yield inspect(path)


def known_zips(folders: list[Path]) -> list[Path]:
    """All zips in ``folders``. Raises UserError for a folder that does not exist."""
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder. Name the folder that your zips lie in.")
    return sorted(path for folder in folders for path in folder.glob("*.zip")
                  if zipfile.is_zipfile(path))
