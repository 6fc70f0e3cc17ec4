"""A step of training on several GPUs: each takes some rows of the batch, and all change alike.

TensorFlow's MirroredStrategy keeps a copy of the variables on every GPU. The step is that of one
device but for float32's rounding and what dropout draws.
"""

import contextlib
from collections.abc import Callable
from typing import Any


def devices() -> list[str]:
    """The GPUs that this process sees."""
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("GPU")]


class Replicas:
    """The devices that share every batch of ``rows`` rows; one device needs no strategy."""

    def __init__(self, rows: int) -> None:
        import tensorflow as tf

        names = devices()[:rows]  # each has a row at least
        self.strategy = tf.distribute.MirroredStrategy(names) if len(names) > 1 else None

    def scope(self) -> Any:
        """Where the variables and the optimizers must be made."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def step(self, work: Callable[..., Any], x: Any, y: Any, rate: Any) -> Any:
        """Let every device do ``work(x, y, rate, share, replica)`` on its own rows of the batch.

        share: its rows over all rows; replica: its number. ``work`` returns the mean loss of the
        rows it was given, and this function the mean over the batch.
        """
        import tensorflow as tf

        if self.strategy is None:
            return work(x, y, rate, 1.0, 0)

        def part() -> Any:
            here = tf.distribute.get_replica_context()
            replica, count = here.replica_id_in_sync_group, here.num_replicas_in_sync
            own, targets = x[replica::count], y[replica::count]
            share = tf.cast(tf.shape(own)[0] / tf.shape(x)[0], "float32")
            return share * work(own, targets, rate, share, replica)

        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, self.strategy.run(part), axis=None)

    def total(self, gradients: Any) -> Any:
        """The sum over the devices, of what each found in ``work``."""
        import tensorflow as tf

        if self.strategy is None:
            return gradients
        return tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, gradients)
