"""A finished run's curves and numbers, for those who watch them in TensorBoard or MLflow."""

from collections.abc import Callable, Iterator
from typing import Any

from harness.runs import Run, Store
from zoo.errors import UserError


def curves(run: Run) -> Iterator[tuple[str, int, float]]:
    """(name, epoch, value) of everything in the learning curves of the first fold."""
    for stage, found in (run.history[0] if run.history else {}).items():
        for record in found["epochs"]:
            for key, value in record.items():
                if key != "epoch":
                    yield f"{stage}/{key}", int(record["epoch"]), float(value)


def numbers(run: Run) -> dict[str, float]:
    """What the leaderboard says of the run in numbers."""
    from harness.leaderboard import record

    return {k: float(v) for k, v in record(run).items()
            if isinstance(v, int | float) and k not in ("seed", "folds")}


def tensorboard(store: Store, run: Run) -> None:
    """Write event files into ``tensorboard`` in the store's folder."""
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise UserError("TensorBoard is not installed: pip install 'shift-harness[tracking]'")
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(store.folder / "tensorboard" / run.id))
    with writer.as_default():
        for name, epoch, value in curves(run):
            tf.summary.scalar(name.replace(" ", "_"), value, step=epoch)
        for name, value in numbers(run).items():
            tf.summary.scalar(f"final/{name}".replace(" ", "_"), value, step=0)
    writer.close()


def mlflow(store: Store, run: Run) -> None:
    """Log to the server that MLFLOW_TRACKING_URI names, or into ./mlruns."""
    try:
        import mlflow as client
    except ImportError:
        raise UserError("MLflow is not installed: pip install 'shift-harness[tracking]'") from None
    config: dict[str, Any] = run.config
    with client.start_run(run_name=run.id):
        client.log_params({"backbone": config["backbone"], "weights": config["weights"]["origin"],
                           "data": config["data"]["hash"], **config["protocol"]})
        client.log_metrics({k.replace(" ", "_"): v for k, v in numbers(run).items()})
        for name, epoch, value in curves(run):
            client.log_metric(name.replace(" ", "_"), value, step=epoch)


TRACKERS: dict[str, Callable[[Store, Run], None]] = {"tensorboard": tensorboard, "mlflow": mlflow}
