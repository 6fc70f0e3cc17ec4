"""harness search, without training anything."""

import copy
import dataclasses
import shlex
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import search
from harness.prepare import prepare
from harness.protocol import PRESETS, protocol
from harness.sweep import Spec
from harness.training import cache
from tests.harness.conftest import harness, tiny_contest


@pytest.fixture
def contest(here: Path) -> Path:
    return tiny_contest(here / "my contest.npz")


def explored(monkeypatch: pytest.MonkeyPatch, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Let the search find ``rows``; what it is asked for is collected."""
    asked: list[tuple[Any, ...]] = []

    def explore(*given: Any) -> list[dict[str, Any]]:
        asked.append(given)
        return list(rows)

    monkeypatch.setattr(search, "explore", explore)
    return asked


def run(*words: str) -> list[str]:
    """The words of the command that comes next."""
    result = harness("search", *words)
    assert result.exit_code == 0, result.output
    return shlex.split(result.output.splitlines()[-1].removeprefix("Next: "))


def test_the_best_trial_is_trained_as_it_was_searched(
        contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explored(monkeypatch, {"trial": 3, "suite": 0.8, "dropout": 0.25, "boundary": "last block"})
    found = run("--data", contest.name, "--weights", "none", "--set", "views=2", "--set",
                "dropout=0.5", "--runs", "my runs", "--fields", "dropout boundary")
    assert found == ["harness", "zoo", "--data", contest.name, "--backbones", "mobilenetv2",
                     "--weights", "none", "--protocol", "quick", "--set", "views=2",
                     "--set", "dropout=0.25", "--set", "boundary=last block",
                     "--runs", "my runs"]


def test_a_best_trial_of_other_fields_is_taken_as_it_was(
        contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explored(monkeypatch, {"trial": 1, "suite": 0.8, "l2": 0.001, "dense": 0},
             {"trial": 4, "suite": 0.7, "dropout": 0.1})
    found = run("--data", contest.name, "--weights", "none", "--fields", "dropout")
    assert found[-4:] == ["--set", "l2=0.001", "--set", "dense=0"]


def test_pictures_are_read_as_the_sweep_reads_them(
        here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with np.load(tiny_contest(here / "contest.npz")) as arrays:
        np.savez("named.npz", x=arrays["images"], y=arrays["labels"])
        first = arrays["images"][0]
    asked = explored(monkeypatch)
    words = ["--images-key", "x", "--labels-key", "y", "--drop", "0"]
    found = run("--data", "named.npz", "--weights", "none", *words)
    data = asked[0][0].data
    assert len(data)
    assert not (data.images == first).all((1, 2, 3)).any()
    assert " ".join(found).endswith("--drop 0 --images-key x --labels-key y")


def test_only_searches_for_the_same_share_a_study(
        contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = explored(monkeypatch)
    same = ["--data", contest.name, "--weights", "none"]
    for words in (same, [*same, "--fields", "l2"], [*same, "--set", "policy=report"],
                  [*same, "--drop", "0"], [*same, "--backbone", "vgg16"]):
        run(*words)
    names = [objective.name for objective, *_ in asked]
    assert names[0] == names[1]
    assert names[0].startswith("mobilenetv2-quick-")
    assert len(set(names)) == 4
    started = copy.copy(asked[0][0])
    started.spec = dataclasses.replace(started.spec, origin={"origin": "imagenet"})
    assert started.name not in names


def test_a_study_goes_on_with_other_fields(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="Optuna is an extra")
    objective = types.SimpleNamespace(
        name="study", spec=types.SimpleNamespace(protocol=PRESETS["quick"]),
        accuracy=lambda protocol, after_epoch: 1 - protocol.dropout)
    assert len(search.explore(objective, ["dropout"], 2, tmp_path)) == 2  # type: ignore[arg-type]
    rows = search.explore(objective, ["dropout"], 2, tmp_path)  # type: ignore[arg-type]
    assert len({r["dropout"] for r in rows}) == 4  # no trial is drawn twice
    rows = search.explore(objective, ["l2"], 1, tmp_path)  # type: ignore[arg-type]
    assert sorted(r["trial"] for r in rows) == [0, 1, 2, 3, 4]
    assert [r["suite"] for r in rows] == sorted((r["suite"] for r in rows), reverse=True)


def test_a_network_with_nothing_frozen_is_refused_before_anything_is_searched(
        contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = explored(monkeypatch)
    result = harness("search", "--data", contest.name, "--backbone", "smallcnn2")
    assert result.exit_code == 2
    assert "nothing frozen to search on" in result.output
    assert not asked


@pytest.mark.parametrize("setting", ["tta=flip", "adapt=0.5"])
def test_what_a_trial_could_not_show_is_refused(
        setting: str, contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = explored(monkeypatch)
    result = harness("search", "--data", contest.name, "--weights", "none", "--set", setting)
    assert result.exit_code == 2
    assert f"can't judge {setting}" in result.output
    assert not asked


def test_a_trial_chooses_between_the_weights_as_a_run_does(
        contest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"boundary": "last block", "views": 0, "epochs_1": 1, "epochs_2": 1, "suite": 100,
                "size": 32, "wise": True}
    chosen = protocol("quick", settings)
    objective = search.Objective(
        Spec("mobilenetv2", None, {"origin": "random"}, chosen, 1, 0), prepare(contest.name),
        cache.default())
    kept = []
    monkeypatch.setattr(search, "between", lambda graph, tuned, *rest: kept.append(tuned) or tuned)
    objective.accuracy(chosen, lambda record: None)
    objective.accuracy(dataclasses.replace(chosen, wise=False), lambda record: None)
    assert len(kept) == 1


def test_a_trial_is_judged_where_only_the_head_is_trained(contest: Path) -> None:
    settings = {"boundary": "head", "views": 0, "epochs_1": 1, "suite": 100, "size": 32}
    chosen = protocol("quick", settings)
    objective = search.Objective(
        Spec("mobilenetv2", None, {"origin": "random"}, chosen, 1, 0), prepare(contest.name),
        cache.default())
    assert 0 <= objective.accuracy(chosen, lambda record: None) <= 1
