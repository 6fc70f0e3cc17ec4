"""harness search, without training anything."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from harness import search
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
