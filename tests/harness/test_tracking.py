"""Curves for TensorBoard and MLflow."""

import sys
import types
from pathlib import Path

import pytest

from harness.cli import zoo
from harness.runs import Store
from harness.training import tracking
from tests.harness.conftest import SMALL, harness, tiny_contest
from tests.harness.fake_store import make_store
from zoo import UserError


def test_tensorboard_gets_every_curve(line: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    import tensorflow as tf

    run = Store(line / "runs").finished()[-1]
    tracking.tensorboard(Store(tmp_path), run)
    files = list((tmp_path / "tensorboard" / run.id).iterdir())
    tags = {value.tag for file in files
            for event in tf.compat.v1.train.summary_iterator(str(file))
            for value in event.summary.value}
    assert {"stage_2/train_loss", "stage_2/validation_accuracy", "final/validation"} <= tags


def test_mlflow_gets_parameters_numbers_and_curves(
        line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib

    seen: dict[str, dict[str, object]] = {}
    fake = types.ModuleType("mlflow")
    fake.start_run = lambda run_name: contextlib.nullcontext()  # type: ignore[attr-defined]
    fake.log_params = lambda values: seen.update(parameters=values)  # type: ignore[attr-defined]
    fake.log_metrics = lambda values: seen.update(numbers=values)  # type: ignore[attr-defined]
    fake.log_metric = (  # type: ignore[attr-defined]
        lambda name, value, step: seen.setdefault("curves", {}).update({(name, step): value}))
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    run = Store(line / "runs").finished()[-1]
    tracking.mlflow(Store(line / "runs"), run)
    assert seen["parameters"]["backbone"] == run.config["backbone"]
    assert seen["numbers"]["validation"] == run.metrics["validation"]["accuracy"]
    assert ("stage_2/train_loss", 1) in seen["curves"]


@pytest.mark.parametrize("name", tracking.TRACKERS)
def test_a_missing_tracker_is_a_sentence(name: str, line: Path, monkeypatch: pytest.MonkeyPatch
                                         ) -> None:
    import importlib.util

    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    store = Store(line / "runs")
    with pytest.raises(UserError, match=r"shift-harness\[tracking\]"):
        tracking.TRACKERS[name](store, store.finished()[0])


@pytest.mark.parametrize("name", tracking.TRACKERS)
def test_a_missing_tracker_is_found_before_anything_is_trained(
        name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    tiny_contest(here / "contest.npz")
    result = harness("zoo", "--data", "contest.npz", "--backbones", "smallcnn2", "--track", name,
                     *SMALL)
    assert result.exit_code == 2
    assert "pip install 'shift-harness[tracking]'" in result.output
    assert "pictures are kept" not in result.output
    assert not Path("runs").exists()


def test_runs_are_given_to_a_tracker_once_and_after_the_table(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
        ) -> None:
    store, seen = make_store(tmp_path, 2), []

    def tracker(store: Store, run: object) -> None:
        assert "Best first" in capsys.readouterr().out
        seen.append(run)
        raise UserError("The server is down.")

    monkeypatch.setitem(tracking.TRACKERS, "mlflow", tracker)
    first, second = store.finished()
    with pytest.raises(UserError, match="down"):
        zoo.finish(store, [first], ("mlflow",), tmp_path / "facts.json")
    assert (tmp_path / "facts.json").exists()
    monkeypatch.setitem(tracking.TRACKERS, "mlflow", lambda store, run: seen.append(run))
    zoo.finish(store, [first], ("mlflow",), None)  # it failed the first time
    zoo.finish(store, [first, second], ("mlflow",), None)
    assert seen == [first, first, second]
