"""Several devices that share a batch change the weights as one does.

TensorFlow divides the processor into two devices only before it starts, so in a process of its own.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
from harness.protocol import protocol
from harness.training import replicas
from harness.training.activations import POOL
from harness.training.heads import head
from harness.training.stages import Learner, Stage, Task
from zoo.split import join
from zoo.table import backbone

cpu = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu[0], [tf.config.LogicalDeviceConfiguration()] * 2)
ROWS = int(sys.argv[2])
rng = np.random.default_rng(0)
x = rng.integers(0, 256, (3, ROWS, 16, 16, 3), dtype=np.uint8)
labels = rng.integers(0, 3, 3 * ROWS)
chosen = protocol("seed", {"batch": ROWS, "dropout": 0.0, "dense": 8})
task = Task(labels, 3, np.ones(len(labels), bool), np.ones(len(labels), bool), chosen, 0)
graph = join(backbone("smallcnn2").graph(16), POOL, head(chosen, 64, 3, 0))
y = task.targets(np.arange(len(labels)).reshape(3, ROWS))
found = {}
for count in (1, 2):
    replicas.devices = lambda: [d.name for d in tf.config.list_logical_devices("CPU")][:count]
    learner = Learner(graph, task, Stage(1, 1e-3, 1e-2, "cosine", 0.1, 3.0, ema=0.5))
    if count == 2:
        assert learner.replicas.strategy.num_replicas_in_sync == 2
    found[f"{count} loss"] = learner.learn(x, y, 1.0, 3)
    found |= {f"{count} weight {k}": v.numpy() for k, v in learner.variables.items()}
    found |= {f"{count} average {k}": v for k, v in learner.weights().items()}
    # Adam's steps hardly change with the size of the gradients; its momentums do.
    momentums = [v for o in learner.optimizers for v in o.first]
    found |= {f"{count} momentum {i}": v.numpy() for i, v in enumerate(momentums)}
    assert len(momentums) == len(learner.variables)
    learner.set_weights(learner.weights())
    found[f"{count} logits"] = learner._predict(x[0]).numpy()
np.savez(sys.argv[1], start=graph.arrays["hidden/kernel"], **found)
"""


@pytest.mark.parametrize("rows", [8, 5])  # 5: three for the one, two for the other
def test_two_devices_take_the_steps_of_one(rows: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "found.npz"), str(rows)],
                          cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "found.npz") as found:
        names = [k[2:] for k in found.files if k.startswith("1 ")]
        assert len(names) > 10
        for name in names:
            np.testing.assert_allclose(found[f"2 {name}"], found[f"1 {name}"], atol=1e-5,
                                       err_msg=name)
        assert np.abs(found["1 weight hidden/kernel"] - found["start"]).max() > 1e-3


def test_one_device_needs_no_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.training import replicas

    for names, rows in (([], 8), (["GPU:0"], 8), (["GPU:0", "GPU:1"], 1)):
        monkeypatch.setattr(replicas, "devices", lambda names=names: names)
        assert replicas.Replicas(rows).strategy is None
