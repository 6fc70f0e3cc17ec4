import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from harness import ensembles
from harness.cli.main import main
from harness.commands import command_line
from harness.runs import Store
from submission.ledger import Ledger
from tests.harness.fake_store import make_store
from zoo.files import read_json


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands") / "runs"
    make_store(folder, 3)
    return str(folder)


def fails(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_report_writes_the_page_and_its_facts(runs, tmp_path, capsys):
    page, facts = tmp_path / "p.html", tmp_path / "p.json"
    main(["report", "--runs", runs, "--out", str(page), "--json", str(facts)])
    found = read_json(facts)
    assert found["bytes"] == page.stat().st_size
    assert [r["rank"] for r in found["runs"]] == [1, 2, 3]
    out = capsys.readouterr().out
    assert page.as_uri() in out
    assert out.splitlines()[-1] == f"Next: harness submission --runs {runs}"


def test_report_refuses_a_wrong_strategy_and_an_empty_store(runs, tmp_path, capsys):
    page = tmp_path / "p.html"
    assert "no strategy 'luck'" in fails(capsys, "report", "--runs", runs, "--select", "luck",
                                         "--out", str(page))
    assert "harness zoo" in fails(capsys, "report", "--runs", str(tmp_path), "--out", str(page))
    assert not page.exists()


def test_report_says_where_it_may_not_write(runs, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    error = fails(capsys, "report", "--runs", runs, "--out", str(tmp_path / "file" / "p.html"))
    assert "p.html" in error


def test_compare_prints_both_and_writes_the_facts(runs, tmp_path, capsys):
    a, b, _ = Store(runs).finished()
    main(["compare", a.id[:17], b.id, "--runs", runs, "--json", str(tmp_path / "c.json")])
    out = capsys.readouterr().out
    assert a.id in out
    assert "validation pictures only" in out
    assert f"Next: harness submission --run {b.id}" in out
    found = json.loads((tmp_path / "c.json").read_text())
    assert [r["run"] for r in found["runs"]] == [a.id, b.id]


def test_compare_goes_by_the_score_that_came_back(tmp_path, capsys):
    a, b = make_store(tmp_path, 2).finished()
    Ledger(tmp_path / "ledger.jsonl").append("x", state="scored", run=b.id, score=0.3)
    main(["compare", a.id, b.id, "--runs", str(tmp_path)])
    out = capsys.readouterr().out
    assert "returned" in out
    assert f"Next: harness submission --run {a.id}" in out


def test_compare_wants_two_runs_and_recommends_none_across_data_sets(tmp_path, capsys):
    a = make_store(tmp_path, 1).finished()[0].id
    b = next(r.id for r in make_store(tmp_path, 1, data_name="other cells.npz", seed=1).finished()
             if r.id != a)
    assert "Name two runs" in fails(capsys, "compare", a, a[:-2], "--runs", str(tmp_path))
    main(["compare", a, b, "--runs", str(tmp_path)])
    out = capsys.readouterr().out
    assert "neither can be called the better one" in out
    assert "Next: harness leaderboard" in out
    assert "Next: harness submission" not in out


@pytest.mark.parametrize("name", ["suite", "predictions"])
def test_a_run_with_damaged_arrays_keeps_no_other_from_its_due(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path / "runs", 3)
    damaged, *others = store.finished()
    shutil.copy(others[0].folder / "suite.npz", others[1].folder / "suite.npz")
    (damaged.folder / f"{name}.npz").write_bytes(b"PK")
    Ledger(tmp_path / "runs" / "ledger.jsonl").append("x", state="scored", run=damaged.id,
                                                      forecast=0.8, score=0.7)
    main(["forecast"])
    assert all(run.forecasts[-1]["way"] == "blind" for run in others)
    assert {run.id for run in ensembles.candidates(store)} == {run.id for run in others}
    assert f"{damaged.id} is left out" in capsys.readouterr().err


def test_a_target_that_does_not_exist_is_no_reason_to_name_other_options(runs, capsys):
    error = fails(capsys, "forecast", "--target", "nowhere.npz", "--runs", runs)
    assert "nowhere.npz does not exist" in error
    assert "--data" not in error


def test_a_run_whose_pictures_are_gone_is_told_so(runs, capsys):
    first = Store(runs).finished()[0].id
    error = fails(capsys, "tta", first, "--runs", runs)
    assert first in error
    assert "isn't there any more" in error
    assert "--data" not in error


def test_compare_names_the_nearest_run_and_where_all_are_listed(runs, capsys):
    a = Store(runs).finished()[0].id
    error = fails(capsys, "compare", a[:-1] + "x", a, "--runs", runs)
    assert f"Did you mean {a!r}?" in error
    assert "`harness models` lists them" in error
    assert "`harness models` lists them" in fails(capsys, "diagnose", "2026", "--runs", runs)


def test_the_command_to_type_next_is_quoted_and_leaves_defaults_out():
    def words(*given, **more):
        return shlex.split(command_line(*given, **more))

    assert words("submission", run="a b", runs="/my drive/runs", half=False, out=None) == [
        "harness", "submission", "--run", "a b", "--runs", "/my drive/runs"]
    assert words("zoo", data="demo", runs="runs", folds=1, keep=[3, 17], drop=[],
                 set=("boundary=last block", "views=2")) == [
        "harness", "zoo", "--keep", "3,17", "--set", "boundary=last block", "--set", "views=2"]
    assert words("logs", 7, all=True, to="my logs") == [
        "harness", "logs", "7", "--all", "--to", "my logs"]
    assert words("check", "-my.zip") == ["harness", "check", "--", "-my.zip"]
    assert words("zoo", folds=0) == ["harness", "zoo", "--folds", "0"]


@pytest.mark.parametrize(("words", "following"), [
    (["models"], ["submission"]), (["leaderboard"], ["submission"]),
    (["diagnose", "RUN"], ["zoo", "--data", "/nowhere/cells.npz", "--backbones", "vgg16",
                           "--protocol", "strong", "--set", "views=12", "--set", "epochs_2=16"]),
    (["score", "RUN", "0.7"], ["leaderboard"]),
    (["ensemble", "RUN", "RUN"], ["submission", "--run", "RUN"]),
    (["tta", "RUN"], ["submission", "--run", "RUN"]),
    (["soup", "RUN"], ["submission", "--run", "RUN"])])
def test_the_next_command_looks_where_the_runs_are(words, following, tmp_path, monkeypatch,
                                                   capsys):
    monkeypatch.chdir(tmp_path)
    run = make_store(tmp_path / "my drive" / "runs", 1).finished()[0]
    made = dataclasses.replace(run)
    made.__dict__["config"] = {**run.config, "members": [run.id]}
    for target in ("ensembles.join", "tta.make", "soup.make"):
        monkeypatch.setattr(f"harness.{target}", lambda *given: made)
    main([run.id if w == "RUN" else w for w in words] + ["--runs", "my drive/runs"])
    line = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(line) == ["Next:", "harness", *(run.id if w == "RUN" else w
                                                       for w in following),
                                 "--runs", "my drive/runs"]


@pytest.mark.parametrize("command", ["ensemble", "soup", "tta"])
def test_a_run_made_of_runs_can_be_had_as_json(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = make_store(tmp_path / "runs", 2).finished()
    second.__dict__["config"] = {**second.config, "members": [first.id]}
    for target in ("ensembles.join", "tta.make", "soup.make"):
        monkeypatch.setattr(f"harness.{target}", lambda *given: second)
    main([command, first.id, "--json", "made.json"])
    rows = read_json("made.json")
    assert {r["run"] for r in rows} == {first.id, second.id}
    assert all(0 <= r["low"] <= r["high"] <= 1 for r in rows)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell, capsys):
    main(["completion", shell])
    assert f"_HARNESS_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_tab_completes_commands_and_options():
    def complete(words, at):
        env = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(at),
               "_HARNESS_COMPLETE": "bash_complete"}
        return subprocess.run([sys.executable, "-m", "harness.cli.main"], env=env,
                              capture_output=True, text=True, timeout=60).stdout.split()

    assert complete("harness rep", 1) == ["plain,report"]
    assert "plain,--select" in complete("harness report --s", 2)


def test_quiet_leaves_out_what_is_no_result(runs, tmp_path, capsys):
    from harness import terminal

    try:
        main(["-q", "report", "--runs", runs, "--out", str(tmp_path / "p.html")])
    finally:
        terminal.set_verbosity()
    assert capsys.readouterr().out == ""


def test_letters_that_the_terminal_has_not_got_stop_nothing(tmp_path):
    make_store(tmp_path / "köpfe", 1)
    done = subprocess.run([sys.executable, "-m", "harness.cli.main", "models", "--runs",
                           str(tmp_path / "köpfe")], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert r"k\xf6pfe" in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("command", [["--help"], ["models"], ["completion", "bash"]])
def test_output_that_a_full_disk_takes_no_more_of_is_a_sentence(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "harness.cli.main", *command], text=True,
                              stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    assert done.stderr == ("harness: The disk is full. Free some space, and run the same command "
                           "again.\n")
