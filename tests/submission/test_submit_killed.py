"""SIGKILL at every step of submitting: the next run ends with exactly one submission."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from platform_helpers import SCALE, make_zip

from submission.ledger import Ledger
from submission.submit import Sender, finish, inspect, send

SCRIPT = Path(__file__).with_name("sender_process.py")
UNSENT_STATES = {"begun", "uploaded"}
SENT_STATES = {"sent", "scored"}

STEPS = [
    ("GET", r"^/api/my_profile/", "call"),
    ("GET", r"^/api/submissions/\?", "call"),
    ("GET", r"^/api/can_make_submission/", "call"),
    ("POST", r"^/api/datasets/$", "call"),
    ("POST", r"^/api/datasets/$", "call after"),
    ("PUT", r"^/private/dataset", "cut body"),
    ("PUT", r"^/private/dataset", "call after"),
    ("PUT", r"^/api/datasets/completed/", "call"),
    ("PUT", r"^/api/datasets/completed/", "call after"),
    ("POST", r"^/api/submissions/$", "cut body"),
    ("POST", r"^/api/submissions/$", "call after"),
    ("GET", r"^/api/phases/1/get_leaderboard/", "call"),
    ("GET", r"^/api/submissions/1/", "call"),
]


@pytest.fixture
def path(tmp_path):
    return make_zip(tmp_path / "submission.zip", "x" * 200_000)


def start(platform, path, ledger, last=""):
    environment = {**os.environ, "CODABENCH_TOKEN": platform.world.tokens["alice"]}
    return subprocess.Popen([sys.executable, SCRIPT, platform.host, path, ledger.path, last],
                            env=environment, cwd=Path(__file__).parents[2])


def check_then_run_again(platform, client, path, ledger):
    """The ledger tells the truth about the crash, and the next run makes it exactly one."""
    entries, made = ledger.entries(), len(platform.world.submissions)
    for entry in entries:
        assert entry.state in UNSENT_STATES | SENT_STATES | {"sending"}
        if entry.state in UNSENT_STATES:
            assert made == 0
        if entry.state in SENT_STATES:
            assert made == 1
            assert entry.submission in platform.world.submissions
    sender = Sender(client, ledger, scale=SCALE)
    competition = client.competition(1)
    if not entries or entries[0].state != "scored":
        entry = send(sender, inspect(path), competition, competition.phase(None), "alice")
        finish(sender, entry, timeout=20)
    row, = platform.world.submissions.values()
    entry, = ledger.entries()
    assert (entry.state, entry.submission, entry.score) == ("scored", row.id, 0.94)
    assert platform.storage.files[row.upload.path] == path.read_bytes()


@pytest.mark.parametrize("method, target, kind", STEPS)
def test_killed_at_a_request(platform, client, path, ledger, method, target, kind):
    platform.fault(method, target, kind, call=lambda: (process.kill(), process.wait()))
    process = start(platform, path, ledger)
    assert process.wait(30) == -signal.SIGKILL
    check_then_run_again(platform, client, path, ledger)


@pytest.mark.parametrize("state", ["begun", "uploaded", "sending", "sent", "scored"])
def test_killed_after_a_line_of_the_ledger(platform, client, path, ledger, state):
    process = start(platform, path, ledger, state)
    assert process.wait(30) == -signal.SIGKILL
    assert ledger.entries()[0].state == state
    check_then_run_again(platform, client, path, ledger)


def test_killed_while_it_writes_the_ledger(platform, client, path, ledger):
    """Half a line at the end, as a full disk or a power cut leaves it."""
    process = start(platform, path, ledger, "sending")
    process.wait(30)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:-20])
    assert ledger.entries()[0].state == "uploaded"
    again = Ledger(ledger.path)
    check_then_run_again(platform, client, path, again)


def test_without_a_kill_the_process_ends_well(platform, path, ledger):
    assert start(platform, path, ledger).wait(30) == 0
    assert ledger.entries()[0].state == "scored"
