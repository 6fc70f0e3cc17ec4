"""The ledger: append-only, crash-safe, and readable after both. And the history file."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from submission.ledger import Ledger, check_score, read_history
from zoo.errors import UserError


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs" / "ledger.jsonl")


def test_lines_fold_into_attempts_in_their_order(ledger):
    ledger.append("a", state="begun", run="run-1", forecast=0.9)
    ledger.append("b", state="begun", run="run-2")
    ledger.append("a", state="scored", score=0.91, submission=7)
    first, second = ledger.entries()
    assert (first.attempt, first.state, first.run, first.score) == ("a", "scored", "run-1", 0.91)
    assert (second.attempt, second.state, second.score) == ("b", "begun", None)
    assert first.time <= second.time <= first.changed


def test_nothing_is_ever_rewritten(ledger):
    ledger.append("a", state="begun")
    before = ledger.path.read_bytes()
    ledger.append("a", state="sent", submission=1)
    assert ledger.path.read_bytes().startswith(before)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_costs_that_line_only(ledger, cut):
    ledger.append("a", state="begun")
    ledger.append("a", state="uploaded", key="k")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    entry, = ledger.entries()
    assert entry.state == ("uploaded" if cut == 1 else "begun")
    ledger.append("a", state="sending")
    entry, = ledger.entries()
    assert entry.state == "sending"


def test_a_file_without_a_line_is_no_entry(ledger):
    assert ledger.entries() == []
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b'\0\0\0\n[1]\n{}\n{"attempt": [1], "time": 2}\n\xff\xfe\n')
    assert ledger.entries() == []


@pytest.mark.parametrize("facts", [
    {"score": 10**400}, {"run": "\ud800"}, {"state": "Scored"}, {"state": None}, {"state": ["x"]},
    {"submission": "7"}, {"scores": [1]}, {"forecast": 90}, {"scores": {"a": float("nan")}},
    {"scores": {"\ud800": 1}}, {"time": "\ud800"}])
def test_a_field_that_an_editor_spoilt_is_passed_over(ledger, facts):
    ledger.append("a", state="begun", run="run-1", forecast=0.9, score=0.5, scores={"a": 0.5},
                  submission=3)
    before, = ledger.entries()
    with ledger.path.open("a") as f:
        f.write(json.dumps({"attempt": "a", "time": before.changed, **facts}) + "\r\n")
    assert ledger.entries() == [before]


def test_every_line_is_on_the_disk_before_append_returns(ledger, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(
        (os.fstat(handle).st_size, ledger.path.stat().st_size)), real(handle)))
    ledger.append("a", state="begun")
    assert (ledger.path.stat().st_size,) * 2 in synced


def test_a_line_that_the_disk_takes_in_pieces_is_whole(ledger, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
    ledger.append("a", state="begun", run="run-1")
    assert ledger.entries()[0].run == "run-1"


def test_processes_that_append_at_once_lose_nothing(ledger):
    code = ("import sys; from submission.ledger import Ledger\n"
            "for i in range(20): Ledger(sys.argv[1]).append(f'{sys.argv[2]}-{i}', state='begun')")
    root = Path(__file__).parents[2]
    running = [subprocess.Popen([sys.executable, "-c", code, ledger.path, str(n)], cwd=root)
               for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(ledger.entries()) == 60
    assert all(json.loads(line) for line in ledger.path.read_text().splitlines())


def test_scores_by_run_the_newest_counts(ledger):
    ledger.append("a", run="run-1", score=0.8, phase="development")
    ledger.append("b", run="run-1", score=0.7, phase="final")
    ledger.append("c", run="run-2", state="sent", phase="development")
    assert ledger.scores() == {"run-1": 0.7}
    ledger.append("d", run="run-1", score=94.0, phase="final")
    assert ledger.scores() == {"run-1": 0.7}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_newest_score_is_the_platforms_newest_whatever_was_written_down_first(ledger, order):
    """Sync adds older submissions later; numbers of two platforms say nothing to each other."""
    for number in order:
        ledger.append(f"a{number}", run="run-1", host="https://a", submission=number,
                      score=number / 10)
    assert ledger.scores() == {"run-1": 0.2}
    ledger.append("b", run="run-1", host="https://b", submission=1, score=0.5)
    assert ledger.scores() == {"run-1": 0.5}
    ledger.append("by hand", run="run-1", state="entered", score=0.6)
    assert ledger.scores() == {"run-1": 0.6}


def test_a_submission_of_another_run_changes_no_order(ledger):
    ledger.append("a", run="run-1", host="https://a", submission=10, score=0.8)
    ledger.append("by hand", run="run-1", state="entered", score=0.9)
    ledger.append("b", run="run-2", host="https://a", submission=5, score=0.5)
    assert ledger.scores() == {"run-1": 0.9, "run-2": 0.5}


def test_a_field_that_no_entry_has_is_a_mistake(ledger):
    with pytest.raises(TypeError, match="colour"):
        ledger.append("a", colour="red")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="can't be written"):
        Ledger(tmp_path / "runs" / "ledger.jsonl").append("a", state="begun")


def test_a_folder_that_takes_no_lock_is_a_sentence(ledger, monkeypatch):
    def refuse(lock, **more):
        raise PermissionError(errno.EACCES, "no")
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(UserError, match="can't be written"), ledger.sending():
        pass


def history(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_history_is_read_in_its_order(tmp_path):
    path = history(tmp_path, "run,score\nrun-2,0.5\n\n run-1 , 1.0\nrun-3,0\n")
    pairs = read_history(path, {"run-1", "run-2", "run-3"})
    assert pairs == [("run-2", 0.5), ("run-1", 1.0), ("run-3", 0.0)]


def test_a_history_may_begin_with_a_byte_order_mark_and_capitals(tmp_path):
    assert read_history(history(tmp_path, "\ufeffRun,Score\r\nr,0.5\r\n")) == [("r", 0.5)]


@pytest.mark.parametrize("line, words", [
    ("run-1,94.5", "above 1"), ("run-1,1.0001", "above 1"), ("run-1,inf", "above 1"),
    ("run-1,nan", "not a number"), ("run-1,NaN", "not a number"), ("run-1,-0.1", "below 0"),
    ("run-1,good", "no number"), ("run-1,", "no number"), ("run-9,0.5", "no run run-9"),
    ("run-0,0.5", "twice"), ("run-1", "one comma"), ("run-1,0.5,x", "one comma"),
    (",0.5", "one comma")])
def test_a_bad_line_of_a_history_is_named(tmp_path, line, words):
    path = history(tmp_path, f"run,score\nrun-0,0.5\n{line}\n")
    with pytest.raises(UserError, match=rf"history\.csv, line 3: .*{words}"):
        read_history(path, {"run-0", "run-1"})


@pytest.mark.parametrize("text", ["", "run;score\n", "score,run\n", "run-1,0.5\n"])
def test_a_history_without_its_header_is_refused(tmp_path, text):
    with pytest.raises(UserError, match="header must be"):
        read_history(history(tmp_path, text))


def test_a_history_that_is_absent_or_no_text_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_history(tmp_path / "absent.csv")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"run,score\n\xff\xfe,1\n")
    with pytest.raises(UserError, match="can't be read"):
        read_history(path)


def test_scores_are_shares():
    assert check_score("0.94") == 0.94
    assert check_score(1) == 1.0
