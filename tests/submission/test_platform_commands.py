"""The commands that talk to the platform, as people type them."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from platform_helpers import make_zip
from server.lives import Frame, life

from harness.cli import main as cli
from submission import submit, tokens, watch
from submission.ledger import Ledger


@pytest.fixture
def harness(platform, tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder as alice; returns exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_HOST", platform.host)
    monkeypatch.setenv("CODABENCH_TOKEN", platform.world.tokens["alice"])
    monkeypatch.setattr(tokens.platformdirs, "user_config_path", lambda name: tmp_path / "config")
    monkeypatch.setattr(watch, "PATIENCE", dict.fromkeys(watch.PATIENCE, 0.01))
    monkeypatch.setattr(watch, "SHORTEST", 0.005)
    monkeypatch.setattr(submit, "LOOKS", (0.0, 0.0))
    monkeypatch.setattr(submit, "LEAST_AGE", 0.0)

    def run(*words):
        try:
            cli.main([str(word) for word in words])
            code = 0
        except SystemExit as e:
            code = e.code
        return code, "".join(capsys.readouterr())
    return run


@pytest.fixture
def zip_path(tmp_path):
    return make_zip(tmp_path / "submission.zip")


def test_submit_from_the_zip_to_the_score(platform, harness, zip_path):
    code, text = harness("submit", zip_path, "--competition", "1", "--force", "--json", "out.json")
    assert code == 0
    assert "94.00 %" in text
    assert "90.00 %" in text
    assert "not on the platform's leaderboard" in text
    assert "Next: harness leaderboard" in text
    facts = json.loads(Path("out.json").read_text())
    assert (facts["score"], facts["run"], facts["state"]) == (0.94, "run-1", "scored")
    assert Ledger("runs/ledger.jsonl").scores() == {"run-1": 0.94}


def test_a_score_is_shown_although_its_facts_cannot_be_written(harness, zip_path):
    Path("file").write_text("in the place of a folder")
    code, text = harness("submit", zip_path, "--competition", "1", "--force", "--json", "file/x")
    assert (code, "94.00 %" in text, "file/x can't be" in text) == (2, True, True)
    code, text = harness("status", "--json", "file/x")
    assert (code, "94.00 %" in text, "file/x can't be" in text) == (2, True, True)


@pytest.mark.parametrize("words", [
    ("status", "999"), ("logs", "999"), ("sync", "--competition", "99"),
    ("quota", "--competition", "99")])
def test_a_number_that_the_platform_does_not_know_is_told_as_such(harness, words):
    code, text = harness(*words)
    assert (code, "Is the number right" in text) == (2, True)


def test_an_unchecked_zip_is_refused_before_anything_is_asked(platform, harness, zip_path):
    code, text = harness("submit", zip_path, "--competition", "1")
    assert code == 2
    assert "would fail" in text
    assert "--force" in text
    assert platform.journal == []


def test_a_failed_submission_shows_the_participants_traceback(platform, harness, zip_path):
    platform.world.lives.append(life("raises"))
    code, text = harness("submit", zip_path, "--competition", "1", "--force")
    assert code == 1
    assert "prediction_ingestion_stderr" in text
    assert "ValueError: boom in predict" in text
    assert "predictions.json" not in text
    assert Ledger("runs/ledger.jsonl").entries()[0].state == "failed"


@pytest.mark.parametrize("name, words", [("no scores ever", "unscored"), ("stuck", "running")])
def test_an_end_without_a_score_ends_with_code_1(platform, harness, zip_path, name, words):
    platform.world.lives.append(life(name))
    code, text = harness("submit", zip_path, "--competition", "1", "--force", "--timeout", "0.3")
    assert code == 1
    assert words in text
    assert "harness status 1 --watch" in text


def test_a_cancelled_and_a_deleted_submission_end_with_code_1(platform, harness, zip_path):
    def cancel():
        platform.world.submissions[1].cancelled = True
    look = r"^/api/submissions/1/"
    platform.fault("GET", look, "call", call=cancel)
    code, text = harness("submit", zip_path, "--competition", "1", "--force")
    assert (code, "cancelled" in text) == (1, True)
    platform.fault("GET", r"^/api/submissions/2/", "call", call=platform.world.submissions.clear)
    code, text = harness("submit", zip_path, "--competition", "1", "--force")
    assert (code, "gone" in text) == (1, True)


def test_a_closed_phase_ends_with_code_2(harness, zip_path):
    code, text = harness("submit", zip_path, "--competition", "4", "--phase", "past", "--force")
    assert code == 2
    assert "not open" in text


def test_a_zip_that_passes_the_check_needs_no_force_and_goes_once(platform, harness, tmp_path):
    from good_zips import GOOD
    from zips import write

    path = write(tmp_path / "good.zip", GOOD["numpy only"]())
    assert harness("submit", path, "--competition", "1")[0] == 0
    code, text = harness("submit", path, "--competition", "1")
    assert code == 2
    assert "submission 1 (scored, score 0.9400)" in text
    assert len(platform.world.submissions) == 1


def test_no_wait_leaves_the_watching_to_status(platform, harness, zip_path):
    code, text = harness("submit", zip_path, "--competition", "1", "--force", "--no-wait")
    assert code == 0
    assert "harness status 1 --watch" in text
    assert Ledger("runs/ledger.jsonl").entries()[0].state == "sent"
    code, text = harness("status", "--watch")
    assert code == 0
    assert "94.00 %" in text
    assert Ledger("runs/ledger.jsonl").entries()[0].state == "scored"


def test_status_of_a_submission_that_the_ledger_does_not_know(platform, harness, client):
    key, _ = client.announce(1, "a.zip", 5)
    client.create(key, 1)
    code, text = harness("status", "1")
    assert code == 0
    assert "running" in text


def test_status_does_not_take_finished_for_the_end(platform, harness, zip_path, monkeypatch):
    """The scores come a moment later."""
    platform.world.lives.append([Frame("Finished")] * 5 + life("good")[-1:])
    harness("submit", zip_path, "--competition", "1", "--force", "--no-wait")
    monkeypatch.setitem(watch.PATIENCE, "unscored", 9.0)
    code, text = harness("status")
    assert (code, "94.00 %" in text) == (0, True)
    assert Ledger("runs/ledger.jsonl").entries()[0].state == "scored"


def test_a_deleted_submission_is_told_and_no_longer_the_newest(platform, harness, zip_path):
    harness("submit", zip_path, "--competition", "1", "--force")
    platform.world.submissions.clear()
    code, text = harness("status")
    assert (code, "gone" in text) == (0, True)
    entry, = Ledger("runs/ledger.jsonl").entries()
    assert (entry.state, entry.score) == ("gone", 0.94)
    code, text = harness("status")
    assert code == 2
    assert "holds no submission that is still on" in text


def test_a_failure_stays_a_failure_although_its_logs_cannot_be_read(platform, harness, zip_path):
    platform.world.lives.append(life("raises"))
    platform.fault("GET", r"/submission_details/", "status", status=404, times=99)
    code, text = harness("submit", zip_path, "--competition", "1", "--force")
    assert code == 1
    assert "No log: The storage" in text


@pytest.mark.parametrize("where, warned", [
    ("http://localhost:8000", False), ("http://127.0.0.1", False), ("http://[::1]:80", False),
    ("https://a.test", False), ("http://a.test", True), ("http://localhost.a.test", True),
    ("http://127.0.0.1.a.test", True)])
def test_an_open_line_to_another_machine_is_warned_of(capsys, where, warned):
    from harness.cli.remote import warn_of_plain

    warn_of_plain(where)
    assert ("not encrypted" in capsys.readouterr().err) == warned


def test_a_cancellation_is_watched_to_what_really_happens(platform, harness, zip_path):
    platform.world.cancelling = "ignored"
    harness("submit", zip_path, "--competition", "1", "--force", "--no-wait")
    code, text = harness("status", "1", "--cancel")
    assert code == 0
    assert "that alone does not stop it" in text
    assert "scored" in text


def test_quota_shows_phases_limits_and_storage(platform, harness, zip_path):
    harness("submit", zip_path, "--competition", "1", "--force")
    code, text = harness("quota", "--competition", "1", "--json", "quota.json")
    assert code == 0
    assert "1 of 2" in text
    assert "4 of 5" in text
    facts = json.loads(Path("quota.json").read_text())
    assert [p["may_submit"] for p in facts["phases"]] == [True, False]


def test_the_only_competition_needs_no_option(platform, harness):
    for number in (2, 3, 4, 5):
        platform.world.competitions[number].participants.clear()
    assert harness("quota")[0] == 0
    platform.world.competitions[2].participants["alice"] = "approved"
    code, text = harness("quota")
    assert code == 2
    assert "1 (Small Classification), 2 (Sandbox)" in text


@pytest.mark.parametrize("word", ["1", "https://host/competitions/1/", "host/competitions/1/#/p"])
def test_a_competition_is_a_number_or_an_address(harness, word):
    assert harness("quota", "--competition", word)[0] == 0


def test_what_is_no_competition_is_refused(harness):
    code, text = harness("quota", "--competition", "cells")
    assert code == 2
    assert "no competition" in text


def test_logs_show_the_traceback_all_logs_or_save_them(platform, harness, zip_path, tmp_path):
    platform.world.lives.append(life("raises"))
    harness("submit", zip_path, "--competition", "1", "--force")
    code, text = harness("logs")
    assert code == 0
    assert "boom in predict" in text
    assert "FileNotFoundError" not in text
    assert "FileNotFoundError" in harness("logs", "1", "--all")[1]
    assert harness("logs", "1", "--to", "logs")[0] == 0
    assert "boom" in (tmp_path / "logs" / "prediction_ingestion_stderr.txt").read_text()


def test_the_platforms_leaderboard(platform, harness, zip_path, client):
    harness("submit", zip_path, "--competition", "3", "--force")
    code, text = harness("leaderboard", "--platform", "--competition", "3")
    assert code == 0
    assert "alice" in text
    assert "0.94" in text
    assert "Second task" in text


@pytest.mark.parametrize("board, code", [
    ({"tasks": [{"id": 1, "columns": [{"title": "x"}]}]}, 2), ({"tasks": 5}, 2),
    ({"tasks": [{"id": 1, "columns": None}], "submissions": [{"id": 1, "scores": None}]}, 0)])
def test_a_board_of_another_form_is_a_sentence_or_shown(harness, monkeypatch, board, code):
    from submission.codabench import Client

    monkeypatch.setattr(Client, "leaderboard", lambda self, phase: board)
    found, text = harness("leaderboard", "--platform", "--competition", "1")
    assert found == code
    assert ("unknown form" in text) == (code == 2)


def test_our_leaderboard_shows_what_was_sent(harness, zip_path):
    harness("submit", zip_path, "--competition", "1", "--force")
    code, text = harness("leaderboard", "--json", "board.json")
    assert code == 0
    assert "94.00 %" in text
    assert json.loads(Path("board.json").read_text())["submissions"][0]["score"] == 0.94


def test_sync_adds_what_it_finds(platform, harness, client):
    key, _ = client.announce(1, "a.zip", 5)
    client.create(key, 1)
    code, text = harness("sync", "--competition", "1")
    assert code == 0
    assert "added" in text
    assert len(Ledger("runs/ledger.jsonl").entries()) == 1


def test_the_newest_submission_is_the_platforms_newest_of_this_user(platform, harness, zip_path):
    """Sync adds older ones, and colleagues may share a ledger."""
    platform.world.lives.append(life("raises"))
    harness("submit", zip_path, "--competition", "1", "--force")
    ledger = Ledger("runs/ledger.jsonl")
    newest, = ledger.entries()
    ledger.append(newest.attempt, submission=3)
    platform.world.submissions[3] = platform.world.submissions.pop(1)
    platform.world.submissions[3].id = 3
    for number, user in ((2, "alice"), (9, "bob")):
        ledger.append(f"added {number}", state="scored", host=platform.host, submission=number,
                      user=user)
    code, text = harness("status")
    assert code == 0
    assert "harness logs 3" in text
    code, text = harness("logs")
    assert code == 0
    assert "of submission 3" in text


def test_login_keeps_a_token_that_the_other_commands_use(platform, harness, monkeypatch, tmp_path):
    monkeypatch.delenv("CODABENCH_TOKEN")
    code, text = harness("quota", "--competition", "1")
    assert code == 2
    assert "harness login" in text
    monkeypatch.setattr("click.prompt", lambda text, **more: "alice-secret")
    code, text = harness("login", "--username", "alice")
    assert code == 0
    assert "You are alice" in text
    assert platform.world.tokens["alice"] not in text
    assert harness("quota", "--competition", "1")[0] == 0
    assert harness("login", "--forget")[0] == 0
    assert harness("quota", "--competition", "1")[0] == 2


def test_where_no_token_can_be_kept_is_a_sentence(harness, monkeypatch, tmp_path):
    monkeypatch.setattr("click.prompt", lambda text, **more: "alice-secret")
    (tmp_path / "config").write_text("a file in the place of the folder")
    code, text = harness("login", "--username", "alice")
    assert (code, "can't be read" in text) == (2, True)
    (tmp_path / "config").unlink()

    def refuse(path, **more):
        raise PermissionError(errno.EACCES, "no")
    monkeypatch.setattr(Path, "mkdir", refuse)
    code, text = harness("login", "--username", "alice")
    assert (code, "can't be written" in text) == (2, True)


def test_a_title_in_letters_that_the_terminal_lacks_is_shown_all_the_same(platform):
    platform.world.competitions[1].title = "Zellen \u7ade"
    environment = {**os.environ, "HARNESS_HOST": platform.host, "PYTHONIOENCODING": "ascii",
                   "CODABENCH_TOKEN": platform.world.tokens["alice"]}
    done = subprocess.run([sys.executable, "-m", "harness.cli.main", "quota", "--competition", "1"],
                          text=True, timeout=60, env=environment, capture_output=True,
                          cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "Zellen \\u7ade" in done.stdout


def test_a_wrong_password_keeps_nothing(harness, monkeypatch, tmp_path):
    monkeypatch.setattr("click.prompt", lambda text, **more: "wrong-password")
    code, text = harness("login", "--username", "alice")
    assert code == 2
    assert "Unable to log in" in text
    assert "wrong-password" not in text
    assert not (tmp_path / "config").exists()


def test_a_token_can_come_from_standard_input(platform, tmp_path):
    environment = {**os.environ, "HARNESS_HOST": platform.host, "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "harness.cli.main", "login", "--token-stdin"],
                          input=platform.world.tokens["alice"] + "\n", text=True, timeout=60,
                          env=environment, capture_output=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert platform.world.tokens["alice"] not in done.stdout + done.stderr
    kept = json.loads((tmp_path / "shift-harness" / "tokens.json").read_text())
    assert kept == {platform.host: platform.world.tokens["alice"]}


def test_a_score_is_entered_by_hand(harness, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "harness"))
    from fake_store import make_store

    run = make_store(tmp_path / "runs", 1).finished()[0].id
    code, text = harness("score", run, "0.91", "--phase", "final")
    assert code == 0
    assert "91.00 %" in text
    assert Ledger("runs/ledger.jsonl").scores() == {run: 0.91}
    assert "91.0 %" in Path("leaderboard.md").read_text()


@pytest.mark.parametrize("score, words", [("91", "above 1"), ("nan", "NaN"), ("x", "no number")])
def test_a_wrong_score_is_not_entered(harness, score, words):
    code, text = harness("score", "run-1", score)
    assert code == 2
    assert words in text
    assert not Path("runs/ledger.jsonl").exists()


def test_a_score_of_an_unknown_run_is_not_entered(harness):
    assert harness("score", "run-1", "0.9")[0] == 2


@pytest.mark.parametrize("name", ["login", "status", "quota", "submit", "logs", "leaderboard",
                                  "sync", "score"])
def test_help_holds_an_example(harness, name):
    code, text = harness(name, "--help")
    assert code == 0
    assert f"harness {name}" in text.split("Usage", 1)[1].split("\n", 1)[1]
