"""Runs that adapt to the test batch: made, averaged, and never packed."""

from pathlib import Path

import numpy as np
import pytest

from harness import load_classifier, soup
from harness.data.dataset import Dataset
from harness.prepare import Prepared
from harness.protocol import PRESETS, protocol
from harness.runs import Store
from harness.sweep import Spec, configuration
from harness.training.run import Job, Outcome
from tests.harness.conftest import SMALL, harness, tiny_contest
from zoo.adapt import adapts
from zoo.graph import Graph, Node
from zoo.table import backbone

DATA = Dataset(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4) % 2, ("a", "b"), "test")


def identity(**fields: str) -> str:
    spec = Spec("vgg16", None, {"origin": "random"}, protocol("strong", fields), 1, 0)
    return str(configuration(spec, Prepared(DATA, np.arange(4), {}, {}))["identity"])


def test_runs_from_before_adapt_was_a_field_are_still_found() -> None:
    before = "74bf617b6d8ac9309acf45d7d805978437a073f4658bf09f07585a5bafe3b78d"
    # What the preset was then.
    assert identity(boundary="half", views="5", epochs_2="8") == before
    assert len({identity(), identity(adapt="0.5"), identity(adapt="1")}) == 3


def test_a_trained_network_adapts_where_the_protocol_says_so() -> None:
    node = Node("bn", "batch norm", ("input",), {"epsilon": 1e-3}, ("mean", "variance"))
    member = Graph((node,), {"bn/mean": np.zeros(3, "f4"), "bn/variance": np.ones(3, "f4")})
    for p in (PRESETS["quick"], protocol("quick", {"adapt": "0.25"})):
        job = Job(DATA, (), backbone("mobilenetv2"), None, p)
        found = Outcome([member]).classifier(job).graphs[0]
        assert adapts(found) == (p.adapt > 0)
        assert found.nodes[0].args.get("share", 0.0) == p.adapt


@pytest.mark.slow
def test_runs_made_of_adapted_runs_adapt_and_none_is_packed(
        here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_contest(here / "contest.npz")
    result = harness("zoo", "--data", "contest.npz", "--backbones", "mobilenetv2", "--weights",
                     "none", "--seeds", "2", "--set", "adapt=0.5", *SMALL)
    assert result.exit_code == 0, result.output
    monkeypatch.setattr(soup, "greedy", lambda job, graphs: list(range(len(graphs))))
    ids = [r.id for r in Store("runs").finished()]
    for command in (["soup", *ids], ["ensemble", *ids], ["tta", ids[0], "--views", "flip"]):
        result = harness(*command)
        assert result.exit_code == 0, result.output
    runs = Store("runs").finished()
    assert len(runs) == 5
    for run in runs:
        for graph in load_classifier(run.id).graphs:
            assert {n.args["share"] for n in graph.nodes if "batch norm" in n.kind} == {0.5}
        result = harness("submission", "--run", run.id)
        assert result.exit_code == 2, result.output
        assert "adapt=0" in result.output
        assert not (here / "submission.zip").exists()
