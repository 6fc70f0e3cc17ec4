"""Sync: what the platform has and what the ledger holds become one."""

import shutil

import pytest
from platform_helpers import SCALE, connect, make_zip

from submission import submit
from submission.ledger import Ledger
from submission.submit import Sender, finish, inspect, send
from submission.sync import known_zips, sync
from zoo.errors import UserError


def go(sender, parcel, number=1):
    competition = sender.client.competition(number)
    return send(sender, parcel, competition, competition.phase(None), "alice")


def matched(client, ledger, zips=(), number=1):
    changes = sync(client, ledger, client.competition(number), "alice", list(zips))
    return [(c.what, c.entry.state, c.entry.score) for c in changes]


def end_all(platform):
    for row in platform.world.submissions.values():
        row.frames = row.frames[-1:]


def by_hand(platform, client, path, name="mine.zip"):
    """A submission made in the web page."""
    key, address = client.announce(1, name, path.stat().st_size)
    from submission import storage

    storage.upload(address, path, inspect(path).sha256)
    return client.create(key, 1)


def test_a_score_that_came_later_is_fetched(platform, client, sender, parcel):
    go(sender, parcel)
    assert matched(client, sender.ledger) == [("unchanged", "sent", None)]
    end_all(platform)
    assert matched(client, sender.ledger) == [("updated", "scored", 0.94)]
    assert matched(client, sender.ledger) == [("unchanged", "scored", 0.94)]
    assert len(sender.ledger.entries()) == 1


def test_an_attempt_cut_short_after_the_post_gets_its_submission(platform, client, sender, parcel):
    platform.fault("POST", r"^/api/submissions/$", "drop after")
    platform.fault("GET", r"^/api/submissions/\?", "status", times=9, skip=1)
    with pytest.raises(UserError):
        go(sender, parcel)
    platform.faults.clear()
    end_all(platform)
    assert matched(client, sender.ledger) == [("updated", "scored", 0.94)]


def test_an_attempt_cut_short_before_the_post_has_none(platform, client, sender, parcel,
                                                       monkeypatch):
    monkeypatch.setattr(submit, "LEAST_AGE", 0.0)
    platform.fault("POST", r"^/api/submissions/$", "drop before")
    with pytest.raises(UserError):
        go(sender, parcel)
    assert matched(client, sender.ledger) == [("not sent", "uploaded", None)]
    assert sender.ledger.entries()[0].state == "uploaded"


def test_an_attempt_that_may_still_arrive_is_left_to_be_waited_for(platform, client, sender,
                                                                   parcel):
    platform.fault("POST", r"^/api/submissions/$", "drop before")
    with pytest.raises(UserError):
        go(sender, parcel)
    assert matched(client, sender.ledger) == [("too new to tell", "sending", None)]
    assert sender.ledger.entries()[0].state == "sending"


def test_nothing_is_settled_while_a_submission_is_being_sent(client, sender):
    with sender.ledger.sending(), pytest.raises(UserError, match="under way"):
        matched(client, sender.ledger)


def test_a_submission_made_by_hand_is_added_and_recognised_by_its_bytes(platform, client, ledger,
                                                                       tmp_path):
    path = make_zip(tmp_path / "other-name.zip", run="run-7", forecast=0.8)
    by_hand(platform, client, path)
    end_all(platform)
    assert matched(client, ledger, [path]) == [("added", "scored", 0.94)]
    entry, = ledger.entries()
    assert (entry.run, entry.forecast, entry.sha256) == ("run-7", 0.8, inspect(path).sha256)
    assert ledger.scores() == {"run-7": 0.94}


def test_strange_bytes_are_added_without_a_run_and_without_a_download(platform, client, ledger,
                                                                     tmp_path):
    by_hand(platform, client, make_zip(tmp_path / "theirs.zip", "something longer"))
    end_all(platform)
    assert matched(client, ledger, [make_zip(tmp_path / "ours.zip")]) == [
        ("added", "scored", 0.94)]
    assert ledger.entries()[0].run is None


def test_a_lost_ledger_is_made_again_from_the_platform(platform, client, sender, parcel, tmp_path):
    finish(sender, go(sender, parcel))
    fresh = Ledger(tmp_path / "fresh.jsonl")
    assert matched(client, fresh, [parcel.path]) == [("added", "scored", 0.94)]
    assert fresh.entries()[0].run == "run-1"
    again = Sender(client, fresh, scale=SCALE)
    with pytest.raises(UserError, match="before"):
        go(again, parcel)


def test_a_deleted_submission_is_marked_and_its_score_kept(platform, client, sender, parcel):
    finish(sender, go(sender, parcel))
    platform.world.submissions.clear()
    assert matched(client, sender.ledger) == [("gone", "gone", 0.94)]
    assert matched(client, sender.ledger) == [("unchanged", "gone", 0.94)]


def test_a_web_page_with_404_marks_nothing_as_gone(platform, client, sender, parcel):
    finish(sender, go(sender, parcel))
    platform.world.submissions.clear()
    platform.fault("GET", r"^/api/submissions/\d+/", "status", status=404)
    assert matched(client, sender.ledger) == [("unchanged", "scored", 0.94)]


@pytest.mark.parametrize("status", [403, 500])
def test_a_submission_that_cannot_be_read_keeps_no_score_from_the_others(
        platform, client, sender, parcel, tmp_path, status):
    go(sender, parcel)
    by_hand(platform, client, make_zip(tmp_path / "other.zip", "other"))
    end_all(platform)
    fault = platform.fault("GET", r"^/api/submissions/1/", "status", status=status, times=99)
    assert matched(client, sender.ledger) == [("can't be read", "sent", None),
                                              ("added", "scored", 0.94)]
    fault.path = r"^/api/submissions/\d+/"
    with pytest.raises(UserError, match=str(status)):
        matched(client, sender.ledger)
    fault.times = 0
    assert matched(client, sender.ledger)[0] == ("updated", "scored", 0.94)


def test_others_submissions_are_not_ours(platform, ledger, tmp_path):
    platform.world.competitions[1].participants["organiser"] = "approved"
    client = connect(platform)
    by_hand(platform, client, make_zip(tmp_path / "a.zip"))
    organiser = connect(platform, "organiser")
    assert sync(organiser, ledger, organiser.competition(1), "organiser", []) == []


def test_hidden_details_leave_the_bytes_unknown(platform, client, ledger, tmp_path):
    platform.world.competitions[1].phases[0].hide_output = True
    path = make_zip(tmp_path / "a.zip")
    by_hand(platform, client, path)
    end_all(platform)
    assert matched(client, ledger, [path]) == [("added", "scored", 0.94)]
    assert ledger.entries()[0].run is None


def test_zips_are_found_in_folders_and_damaged_ones_passed_over(tmp_path):
    good = make_zip(tmp_path / "good.zip")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    assert known_zips([tmp_path]) == [good]
    shutil.rmtree(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        known_zips([tmp_path])


@pytest.mark.parametrize("fault", [("status", {"status": 403}), ("html", {})])
def test_a_strange_submission_that_cannot_be_read_is_told(platform, client, ledger, tmp_path,
                                                          fault):
    """It is not in the ledger, and must not be taken for absent."""
    for name in ("a", "b"):
        by_hand(platform, client, make_zip(tmp_path / f"{name}.zip", name))
    end_all(platform)
    platform.fault("GET", r"^/api/submissions/2/", fault[0], times=99, **fault[1])
    changes = sync(client, ledger, client.competition(1), "alice", [])
    assert [(c.entry.submission, c.what) for c in changes] == [(1, "added"), (2, "can't be read")]
    assert [e.submission for e in ledger.entries()] == [1]


def test_one_submission_of_an_unknown_form_keeps_no_score_from_the_others(
        platform, client, ledger, tmp_path, monkeypatch):
    for name in ("a", "b"):
        by_hand(platform, client, make_zip(tmp_path / f"{name}.zip", name))
    end_all(platform)
    real = client.transport.call
    monkeypatch.setattr(client.transport, "call", lambda method, path, **more: (
        ["?"] if path == "/api/submissions/1/" else real(method, path, **more)))
    assert [(what, score) for what, _, score in matched(client, ledger)] == [
        ("can't be read", None), ("added", 0.94)]


def test_the_bytes_are_recognised_later_where_they_could_not_be_at_first(platform, client, ledger,
                                                                         tmp_path):
    """No zip lay there, or storage could not be read, which keeps no score away."""
    path = make_zip(tmp_path / "other-name.zip", run="run-7", forecast=0.8)
    by_hand(platform, client, path)
    end_all(platform)
    assert matched(client, ledger) == [("added", "scored", 0.94)]
    fault = platform.fault("GET", r"^/private/", "drop before", times=99)
    assert matched(client, ledger, [path]) == [("unchanged", "scored", 0.94)]
    assert ledger.scores() == {}
    fault.times = 0
    assert matched(client, ledger, [path]) == [("updated", "scored", 0.94)]
    assert ledger.scores() == {"run-7": 0.94}
    assert matched(client, ledger, [path]) == [("unchanged", "scored", 0.94)]


def test_storage_that_cannot_be_read_keeps_no_score_away(platform, client, ledger, tmp_path):
    path = make_zip(tmp_path / "a.zip")
    by_hand(platform, client, path)
    end_all(platform)
    platform.fault("GET", r"^/private/", "drop before", times=99)
    assert matched(client, ledger, [path]) == [("added", "scored", 0.94)]


def test_a_known_submission_is_ours_whoever_the_platform_says_made_it(platform, client, sender,
                                                                      parcel, monkeypatch):
    go(sender, parcel)
    end_all(platform)
    real = client.transport.call

    def call(method, path, **more):
        value = real(method, path, **more)
        return [{**row, "owner": None} for row in value] if path == "/api/submissions/" else value
    monkeypatch.setattr(client.transport, "call", call)
    assert matched(client, sender.ledger) == [("updated", "scored", 0.94)]


def test_pages_that_overlap_add_nothing_twice(platform, client, ledger, tmp_path, monkeypatch):
    """A submission that comes in between two pages moves the others down."""
    by_hand(platform, client, make_zip(tmp_path / "a.zip"))
    end_all(platform)
    real = client.transport.call

    def call(method, path, **more):
        value = real(method, path, **more)
        return value * 2 if path == "/api/submissions/" else value
    monkeypatch.setattr(client.transport, "call", call)
    assert matched(client, ledger) == [("added", "scored", 0.94)]


def test_an_absent_submission_that_cannot_be_asked_for_ends_no_sync(platform, client, sender,
                                                                    parcel):
    finish(sender, go(sender, parcel))
    platform.world.submissions.clear()
    platform.fault("GET", r"^/api/submissions/1/", "status", status=502, times=99)
    assert matched(client, sender.ledger) == [("can't be read", "scored", 0.94)]
