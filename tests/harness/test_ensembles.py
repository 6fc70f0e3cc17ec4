"""Which runs an ensemble takes, how much each counts, and what is written of it."""

from pathlib import Path

import numpy as np
import pytest

from harness import tta
from harness.ensembles import candidates, greedy, join
from harness.runs import Run, Store
from tests.harness.fake_store import make_store
from zoo.classifier import Classifier
from zoo.files import write_arrays, write_json
from zoo.graph import Graph, Node

LABELS = np.zeros(100, int)


def member(wrong: slice, sure: float) -> np.ndarray:
    """Two classes; right with probability ``sure``, but for ``wrong``, which it gets wrong so."""
    p = np.full((100, 2), [sure, 1 - sure])
    p[wrong] = p[wrong, ::-1]
    return p


def test_what_helps_is_taken_and_what_does_not_is_left() -> None:
    members = [member(slice(0, 30), 0.7), member(slice(30, 50), 0.8), member(slice(0, 60), 0.9)]
    assert greedy(members, LABELS, 3) == [1]
    other = member(slice(50, 60), 0.9)
    assert set(greedy([*members, other], LABELS, 3)) == {3}


def test_a_member_may_count_twice() -> None:
    # Three of four voters would be right on every picture, were the best one asked twice.
    members = [member(slice(0, 10), 0.6), member(slice(0, 40), 0.75)]
    members[1][0:10] = [0.9, 0.1]
    members[1][10:40] = [0.3, 0.7]
    assert greedy(members, LABELS, 2, start=(0, 1)) == [0, 1, 0]


def test_no_more_different_members_than_asked_for() -> None:
    rng = np.random.default_rng(0)
    members = [rng.dirichlet([2, 1], 100) for _ in range(6)]
    for most in (1, 2, 3):
        assert len(set(greedy(members, LABELS, most))) <= most


def judged_on(run: Run, file: str, labels: np.ndarray) -> None:
    """Let a run have been judged on another test file, and have a classifier."""
    arrays = {**run.predictions(), "test": np.eye(8, dtype="float32")[labels],
              "test_labels": labels}
    write_arrays(run.folder / "predictions.npz", **arrays)
    write_json(run.folder / "config.json",
               {**run.config, "test": {"name": file, "hash": file, "n": len(labels)}})
    dense = Graph((Node("pool", "global average", ("input",)),
                   Node("dense", "dense", ("pool",), {}, ("kernel",))),
                  {"dense/kernel": np.zeros((3, 8), "float32")})
    Classifier((dense,), tuple(run.config["data"]["classes"])).save(run.classifier_folder)


@pytest.mark.parametrize("file, labels, shared", [
    ("a", np.arange(40) % 8, True), ("b", np.arange(40) % 8, False),
    ("b", np.arange(50) % 8, False)])
def test_a_test_accuracy_only_where_all_members_were_judged_on_one_file(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, labels: np.ndarray,
        shared: bool) -> None:
    store = make_store(tmp_path, 2)
    first, second = store.finished()
    write_arrays(second.folder / "suite.npz", **first.suite())
    judged_on(first, "a", np.arange(40) % 8)
    judged_on(second, file, labels)
    made = join(store, store.finished())
    assert (made.config["test"] is not None) == shared == ("test" in made.predictions())
    assert (made.metrics["test"] is not None) == shared
    assert ("not judged on the same test file" in capsys.readouterr().out) != shared


def test_a_newest_run_that_is_like_no_other_does_not_hide_the_others(tmp_path: Path) -> None:
    runs = make_store(tmp_path, 4).finished()
    for run in runs[1:]:
        write_arrays(run.folder / "suite.npz", **runs[0].suite())
    write_json(runs[3].folder / "config.json", tta.configuration(runs[3], "flip"))
    (runs[1].folder / "suite.npz").unlink()
    assert [r.id for r in candidates(Store(tmp_path))] == [runs[0].id, runs[2].id]
