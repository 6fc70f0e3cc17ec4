"""One submission, never two, whatever goes wrong; and the ledger says which."""

import dataclasses
import json
import zipfile

import pytest
import requests
from platform_helpers import SCALE, connect, make_zip

from submission import storage, transport
from submission.ledger import Ledger
from submission.submit import Sender, finish, inspect, send
from submission.sync import sync
from submission.transport import Unreachable
from submission.unpack import unpack
from zoo.errors import UserError

CREATE = r"^/api/submissions/$"


def go(sender, parcel, competition=1, phase=None, force=False):
    found = sender.client.competition(competition)
    return send(sender, parcel, found, found.phase(phase), "alice", force=force)


def rows(platform):
    return [row for row in platform.world.submissions.values() if row.parent is None]


def states(ledger):
    return [entry.state for entry in ledger.entries()]


def test_a_good_submission_is_sent_watched_and_written_down(platform, sender, parcel):
    entry = go(sender, parcel)
    outcome = finish(sender, entry)
    assert (outcome.state, outcome.score) == ("scored", 0.94)
    kept, = sender.ledger.entries()
    assert kept.state == "scored"
    assert kept.score == 0.94
    assert kept.scores == {"accuracy": 0.94, "n_rows": 200.0}
    assert (kept.run, kept.forecast, kept.phase) == ("run-1", 0.9, "development")
    assert kept.sha256 == parcel.sha256
    assert kept.submission == rows(platform)[0].id
    assert platform.storage.files[rows(platform)[0].upload.path] == parcel.path.read_bytes()


def test_the_upload_is_application_zip_without_the_token(platform, sender, parcel):
    go(sender, parcel)
    received, = platform.storage.received
    assert received["content-type"] == "application/zip"
    assert received["content-length"] == str(parcel.size)
    assert "authorization" not in received
    token = platform.world.tokens["alice"]
    to_storage = [r for r in platform.journal if r.server == "storage"]
    assert to_storage
    assert not any(token in str(r) for r in to_storage)


def test_the_upload_reports_its_progress(platform, sender, tmp_path):
    path = tmp_path / "large.zip"
    make_zip(path, "x" * 3_000_000)
    seen = []
    sender.progress = lambda sent, size: seen.append((sent, size))
    go(sender, inspect(path))
    assert len(seen) > 10
    assert seen[-1] == (path.stat().st_size,) * 2
    assert seen == sorted(seen)


@pytest.mark.parametrize("phase, words", [("past", "ended"), ("future", "starts")])
def test_a_closed_phase_is_refused_before_the_upload(platform, sender, parcel, phase, words):
    with pytest.raises(UserError, match=words):
        go(sender, parcel, 4, phase)
    assert not platform.count("POST", ".")
    assert rows(platform) == []
    assert states(sender.ledger) == []


def test_a_spent_limit_is_refused_before_the_upload(platform, sender, tmp_path):
    for i in range(2):
        go(sender, inspect(make_zip(tmp_path / f"{i}.zip", str(i))))
    before = platform.count("POST", ".")
    with pytest.raises(UserError, match="maximum allowed submissions for today"):
        go(sender, inspect(make_zip(tmp_path / "third.zip", "3")))
    assert platform.count("POST", ".") == before


@pytest.mark.parametrize("status", [None, "pending", "denied"])
def test_who_takes_no_part_is_told_so_before_the_upload(platform, sender, parcel, status):
    platform.world.competitions[1].participants["alice"] = status
    with pytest.raises(UserError, match=status or "not registered"):
        go(sender, parcel)
    assert not platform.count("POST", ".")


def test_a_full_storage_is_refused_before_the_upload(platform, sender, parcel):
    huge = dataclasses.replace(parcel, size=16 * 10**9)
    with pytest.raises(UserError, match="storage are left"):
        go(sender, huge)
    assert not platform.count("POST", ".")


def test_the_same_bytes_are_refused_unless_forced(platform, sender, parcel):
    finish(sender, go(sender, parcel))
    with pytest.raises(UserError, match="submitted to the phase development before.*0.9400"):
        go(sender, parcel)
    assert len(rows(platform)) == 1
    finish(sender, go(sender, parcel, force=True))
    assert len(rows(platform)) == 2
    assert states(sender.ledger) == ["scored", "scored"]


def test_force_does_not_send_again_what_has_not_ended(platform, sender, parcel):
    first = go(sender, parcel)
    again = go(sender, parcel, force=True)
    assert again.submission == first.submission
    assert len(rows(platform)) == 1


def test_the_same_bytes_may_go_to_another_phase(platform, sender, parcel):
    finish(sender, go(sender, parcel))
    platform.world.competitions[1].phases[1].status = "Current"
    finish(sender, go(sender, parcel, phase="final"))
    assert [e.phase for e in sender.ledger.entries()] == ["development", "final"]


def test_a_lost_ledger_sends_nothing_twice(platform, sender, parcel, tmp_path):
    first = go(sender, parcel)
    fresh = Sender(sender.client, Ledger(tmp_path / "other" / "ledger.jsonl"), scale=SCALE)
    again = go(fresh, parcel)
    assert again.submission == first.submission
    assert len(rows(platform)) == 1
    assert finish(fresh, again).score == 0.94


@pytest.mark.parametrize("kind, more", [
    ("drop after", {}), ("status after", {"status": 500}), ("status after", {"status": 502}),
    ("status after", {"status": 504}), ("status after", {"status": 200}), ("cut", {}),
    *[("status after", {"status": status}) for status in (408, 413, 520, 524)]])
def test_a_created_submission_without_an_answer_is_found_not_repeated(platform, sender, parcel,
                                                                      kind, more):
    platform.fault("POST", CREATE, kind, **more)
    entry = go(sender, parcel)
    assert platform.count("POST", CREATE) == 1
    assert len(rows(platform)) == 1
    assert entry.submission == rows(platform)[0].id
    assert states(sender.ledger) == ["sent"]


@pytest.mark.parametrize("kind, more", [
    ("drop before", {}), ("status", {"status": 500}), ("status", {"status": 503}), ("html", {}),
    ("status", {"status": 408}), ("status", {"status": 524})])
def test_a_submission_that_never_happened_is_sent_by_the_next_run(platform, sender, parcel, kind,
                                                                  more):
    platform.fault("POST", CREATE, kind, **more)
    with pytest.raises(UserError, match="Run the same command again"):
        go(sender, parcel)
    assert rows(platform) == []
    assert states(sender.ledger) == ["sending"]
    entry = go(sender, parcel)
    assert len(rows(platform)) == 1
    assert entry.submission == rows(platform)[0].id
    assert platform.count("POST", r"^/api/datasets/$") == 1      # the upload is used again
    assert len(sender.ledger.entries()) == 1


def test_a_submission_that_shows_up_late_is_found(platform, sender, parcel):
    platform.fault("POST", CREATE, "drop after")
    platform.fault("GET", r"^/api/submissions/\?", "status", status=503, times=6, skip=1)
    with pytest.raises(Unreachable):
        go(sender, parcel)
    assert states(sender.ledger) == ["sending"]
    entry = go(sender, parcel)
    assert entry.submission == rows(platform)[0].id
    assert len(rows(platform)) == 1


def test_a_call_that_the_platform_carries_out_late_is_found(platform, sender, parcel, monkeypatch):
    """The client has given up waiting by then, and looks."""
    monkeypatch.setattr(transport, "TIMEOUT", (1.0, 0.2))
    sender.scale = 0.1
    platform.fault("POST", CREATE, "late", wait=0.8)
    entry = go(sender, parcel)
    assert len(rows(platform)) == 1
    assert entry.submission == rows(platform)[0].id
    assert platform.count("POST", CREATE) == 1


@pytest.mark.parametrize("time", ["2999-01-01T00:00:00+00:00", "2026-11-27 10:00", "yesterday"])
def test_a_clock_that_was_wrong_keeps_nobody_waiting(platform, sender, parcel, time):
    """Or an editor that wrote a time without its zone."""
    platform.fault("POST", CREATE, "status", status=500)
    with pytest.raises(UserError):
        go(sender, parcel)
    with sender.ledger.path.open("a") as f:
        f.write(json.dumps({"attempt": sender.ledger.entries()[0].attempt, "time": time}) + "\n")
    assert go(sender, parcel).submission == 1
    assert platform.count("POST", CREATE) == 2


@pytest.mark.parametrize("made", [True, False])
def test_an_attempt_that_lost_its_number_is_looked_for(platform, sender, parcel, made):
    first = go(sender, parcel)
    text = sender.ledger.path.read_text()
    sender.ledger.path.write_text(text.replace('"submission": 1', '"submission": "1"'))
    if not made:
        platform.world.submissions.clear()
    again = go(sender, parcel)
    assert again.submission == (first.submission if made else 2)
    assert len(rows(platform)) == 1


def test_500_for_a_spent_limit_is_told_as_such(platform, sender, parcel, tmp_path):
    """A colleague takes the last place between our last question and our submission."""
    def take_the_places():
        for i in range(2):
            other = Sender(connect(platform), Ledger(tmp_path / f"{i}.jsonl"), scale=SCALE)
            go(other, inspect(make_zip(tmp_path / f"other{i}.zip", f"other{i}")))
    platform.fault("POST", CREATE, "late", call=take_the_places)
    with pytest.raises(UserError, match="Reached maximum allowed submissions for today"):
        go(sender, parcel)
    assert states(sender.ledger) == ["refused"]
    assert "maximum" in sender.ledger.entries()[0].note
    assert len(rows(platform)) == 2


def test_a_phase_that_closes_during_the_upload_gets_no_submission(platform, sender, parcel):
    """The platform would take it all the same."""
    def close():
        platform.world.competitions[1].phases[0].status = "Previous"
    platform.fault("PUT", r"^/private/dataset", "call", call=close)
    with pytest.raises(UserError, match="not open"):
        go(sender, parcel)
    assert rows(platform) == []
    assert states(sender.ledger) == ["uploaded"]


def test_an_upload_that_was_deleted_meanwhile_is_made_again(platform, sender, parcel):
    platform.fault("POST", CREATE, "status", status=500)
    with pytest.raises(UserError):
        go(sender, parcel)
    platform.world.uploads.clear()
    entry = go(sender, parcel)
    assert entry.submission == rows(platform)[0].id
    assert len(rows(platform)) == 1


@pytest.mark.parametrize("kind, more", [
    ("cut body", {}), ("drop before", {}), ("drop after", {}), ("status", {"status": 503}),
    ("status", {"status": 408}), ("status", {"status": 429})])
def test_a_broken_upload_is_made_again_from_the_start(platform, sender, parcel, kind, more):
    platform.fault("PUT", r"^/private/dataset", kind, times=2, **more)
    go(sender, parcel)
    row, = rows(platform)
    assert platform.storage.files[row.upload.path] == parcel.path.read_bytes()


def test_an_upload_that_never_works_leaves_nothing_behind_but_a_sentence(platform, sender, parcel):
    platform.fault("PUT", r"^/private/dataset", "drop before", times=99)
    with pytest.raises(UserError, match="Nothing was submitted"):
        go(sender, parcel)
    assert rows(platform) == []
    assert states(sender.ledger) == ["begun"]


def test_a_refused_upload_is_not_tried_again(platform, sender, parcel):
    platform.fault("PUT", r"^/private/dataset", "status", status=403, times=9)
    with pytest.raises(UserError, match="refuses the upload.*403"):
        go(sender, parcel)
    assert platform.count("PUT", r"^/private/dataset") == 1


def test_storage_may_redirect_an_upload(platform, sender, parcel):
    address = platform.storage.sign("/private/dataset/elsewhere/a.zip", "PUT", "application/zip")
    platform.fault("PUT", r"^/private/dataset", "redirect", status=307, location=address)
    go(sender, parcel)
    assert platform.storage.files["/private/dataset/elsewhere/a.zip"] == parcel.path.read_bytes()


@pytest.mark.parametrize("location", ["http://[bad", ""])
def test_storage_that_redirects_nowhere_is_a_sentence(platform, sender, parcel, location):
    platform.fault("PUT", r"^/private/dataset", "redirect", status=307, location=location, times=99)
    with pytest.raises(UserError, match="Nothing was submitted"):
        go(sender, parcel)


@pytest.mark.parametrize("fault", [(), ("status",), ("redirect", 307)])
def test_no_answer_is_read_whole(platform, sender, parcel, monkeypatch, fault):
    """It may have no end; not even a redirect's."""
    monkeypatch.setattr(requests.Response, "content", property(lambda self: pytest.fail("read")))
    if fault:
        address = platform.storage.sign("/private/dataset/b.zip", "PUT", "application/zip")
        platform.fault("PUT", r"^/private/dataset", fault[0], status=(503, *fault[1:])[-1],
                       location=address)
    assert go(sender, parcel).submission == 1


def test_a_file_that_is_gone_before_the_next_try_is_a_sentence(platform, sender, parcel):
    platform.fault("PUT", r"^/private/dataset", "status", call=parcel.path.unlink)
    with pytest.raises(UserError, match="can't be read any more.*Nothing was submitted"):
        go(sender, parcel)


def test_a_deleted_submission_keeps_the_score_it_had(platform, sender, parcel):
    entry = go(sender, parcel)
    assert finish(sender, entry).score == 0.94
    platform.world.submissions.clear()
    assert finish(sender, entry).state == "gone"
    kept, = sender.ledger.entries()
    assert (kept.state, kept.score) == ("gone", 0.94)


def test_a_file_that_changes_during_the_upload_is_not_submitted(platform, sender, parcel):
    changed = dataclasses.replace(parcel, sha256="0" * 64)
    with pytest.raises(UserError, match="changed while it was sent"):
        go(sender, changed)
    assert rows(platform) == []


def test_two_processes_do_not_send_at_the_same_time(platform, sender, parcel):
    with sender.ledger.sending(), pytest.raises(UserError, match="under way"):
        go(Sender(connect(platform), Ledger(sender.ledger.path), scale=SCALE), parcel)
    assert rows(platform) == []


def test_several_tasks_make_one_submission_with_children(platform, sender, parcel):
    outcome = finish(sender, go(sender, parcel, 3))
    assert outcome.state == "scored"
    assert outcome.scores == {"Binary task": {"accuracy": 0.94}, "Second task": {"accuracy": 0.94}}
    assert outcome.score == pytest.approx(0.94)
    assert len(rows(platform)) == 1


def test_a_zip_without_a_manifest_is_sent_too(platform, sender, tmp_path):
    path = tmp_path / "theirs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.py", "")
    entry = go(sender, inspect(path))
    assert entry.run is None


def test_what_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "no.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(UserError, match="no readable zip"):
        inspect(path)
    with pytest.raises(UserError, match="does not exist"):
        inspect(tmp_path / "absent.zip")


def damaged(path, method, mark, at, new):
    """A zip some bytes of which were overwritten."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("manifest.json", json.dumps({"run": "x" * 999}))
    data = bytearray(path.read_bytes())
    place = data.index(mark) + at
    data[place:place + len(new)] = new
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_manifest_that_cannot_be_unpacked_is_none(tmp_path, method):
    path = damaged(tmp_path / "a.zip", method, b"manifest.json", 17, b"\xff" * 9)
    assert inspect(path).run is None
    with path.open("rb") as f, pytest.raises(UserError, match="no readable zip"):
        unpack(f, tmp_path / "inside")


def test_a_zip_of_a_later_version_is_a_sentence_and_no_matter_to_sync(platform, sender, tmp_path):
    path = damaged(tmp_path / "a.zip", zipfile.ZIP_STORED, b"PK\x01\x02", 6, b"\x63")
    with pytest.raises(UserError, match="no readable zip"):
        inspect(path)
    assert sync(sender.client, sender.ledger, sender.client.competition(1), "alice", [path]) == []


def test_storage_without_a_limit_is_no_reason_to_refuse(platform, sender, parcel, monkeypatch):
    monkeypatch.setattr(type(sender.client), "storage", lambda self: (0.0, 0.0))
    assert go(sender, parcel).submission


def test_a_download_stops_at_its_limit(platform):
    platform.storage.put("/private/x", b"x" * 1000)
    address = platform.storage.sign("/private/x")
    assert storage.download(address, 1000) == b"x" * 1000
    with pytest.raises(UserError, match="larger"):
        storage.download(address, 999)
