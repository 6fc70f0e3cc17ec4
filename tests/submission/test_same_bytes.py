"""Bytes that another attempt brought there are not sent again, and no score is forgotten."""

import pytest
from platform_helpers import SCALE
from server.lives import Frame

from submission.ledger import Ledger
from submission.submit import Sender, finish, send
from zoo.errors import UserError

UPLOAD, CREATE = ("PUT", r"^/private/dataset"), ("POST", r"^/api/submissions/$")


def go(sender, parcel, force=False):
    found = sender.client.competition(2)
    return send(sender, parcel, found, found.phase(None), "alice", force=force)


def fail_once(platform, sender, parcel, step, **more):
    """An attempt that ends before its submission exists."""
    platform.fault(*step, "status", **more)
    with pytest.raises(UserError):
        go(sender, parcel, force=True)


@pytest.fixture
def elsewhere(client, tmp_path):
    """Another machine of the same user."""
    return Sender(client, Ledger(tmp_path / "elsewhere.jsonl"), scale=SCALE)


@pytest.mark.parametrize("step, status", [(UPLOAD, 403), (CREATE, 500), (CREATE, 403)])
@pytest.mark.parametrize("force", [False, True])
def test_an_attempt_that_was_cut_short_ends_where_another_machine_sent_the_bytes(
        platform, sender, elsewhere, parcel, step, status, force):
    fail_once(platform, sender, parcel, step, status=status)
    first = go(elsewhere, parcel)
    assert go(sender, parcel, force).submission == first.submission
    assert len(platform.world.submissions) == 1
    assert finish(sender, go(sender, parcel)).state == "scored"


@pytest.mark.parametrize("step, status", [(UPLOAD, 403), (CREATE, 500), (CREATE, 403)])
def test_a_forced_attempt_that_was_cut_short_goes_on_only_with_force(platform, sender, parcel, step,
                                                                     status):
    finish(sender, go(sender, parcel))
    fail_once(platform, sender, parcel, step, status=status)
    with pytest.raises(UserError, match="submitted to the phase development before.*--force"):
        go(sender, parcel)
    assert len(platform.world.submissions) == 1
    assert go(sender, parcel, force=True).submission == 2
    assert len(sender.ledger.entries()) == 2


def test_a_score_outlasts_a_watch_that_ends_before_it_is_certain(platform, sender, parcel):
    """A submission that one server doesn't know, or that runs again without its scores."""
    entry = go(sender, parcel)
    assert finish(sender, entry).score == 0.94
    row = platform.world.submissions.pop(entry.submission)
    assert finish(sender, entry, timeout=0).state == "running"
    platform.world.submissions[entry.submission] = row
    row.frames = [Frame("Running")]
    assert finish(sender, entry, timeout=0).state == "running"
    kept, = sender.ledger.entries()
    assert (kept.state, kept.score) == ("sent", 0.94)
