"""Curves for TensorBoard and MLflow."""

import sys
import types
from pathlib import Path

import pytest

from harness.runs import Store
from harness.training import tracking
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
