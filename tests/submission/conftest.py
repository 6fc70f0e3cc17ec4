"""The test platform, and what talks to it."""

import sys
from pathlib import Path

import pytest
from platform_helpers import SCALE, connect, make_zip

from submission import tokens
from submission.ledger import Ledger
from submission.submit import Sender, inspect

sys.path.append(str(Path(__file__).parents[1]))


@pytest.fixture
def own_config(tmp_path, monkeypatch):
    """A config folder of this test's own, and no token in the environment."""
    monkeypatch.setattr(tokens.platformdirs, "user_config_path", lambda name: tmp_path / name)
    monkeypatch.delenv("CODABENCH_TOKEN", raising=False)
    return tmp_path / "shift-harness" / "tokens.json"


@pytest.fixture
def platform():
    """A running platform on which alice takes part in everything."""
    from server import Platform

    with Platform() as running:
        for competition in running.world.competitions.values():
            competition.participants["alice"] = "approved"
        yield running


@pytest.fixture
def client(platform):
    return connect(platform)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs" / "ledger.jsonl")


@pytest.fixture
def sender(client, ledger):
    return Sender(client, ledger, scale=SCALE)


@pytest.fixture
def parcel(tmp_path):
    """A packed zip with a manifest."""
    return inspect(make_zip(tmp_path / "submission.zip"))
