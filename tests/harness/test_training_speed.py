"""What makes a training step fast leaves its numbers as they are."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness.training import gradients
from harness.training.optimizer import AdamW
from zoo.graph import KINDS, Graph, Node, run
from zoo.rewrite import folded

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_fused_optimizer_takes_keras_steps(decay: float) -> None:
    start = [normal(3, 4), normal(5)]
    ours, theirs = ([tf.Variable(a) for a in start] for _ in range(2))
    fused = AdamW(ours, decay)
    stock = keras.optimizers.AdamW(0.1, weight_decay=decay)
    stock.build(theirs)
    for step in range(1, 6):
        found = [tf.constant(normal(*a.shape) * 10.0 ** -step) for a in start]
        rate = 0.1 / step
        stock.learning_rate.assign(rate)
        stock.apply(found, theirs)
        fused.apply(found, rate, step)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert np.abs(ours[0].numpy() - start[0]).max() > 0.1


def both(way: Callable[..., Any], x: np.ndarray, kernel: np.ndarray, number_type: str
         ) -> tuple[list[np.ndarray], dict[str, str]]:
    """Result and gradients of a convolution, and the operations that compute them, with what they
    compute in."""
    @tf.function(autograph=False)
    def found(x: Any, kernel: Any) -> Any:
        x, kernel = tf.cast(x, number_type), tf.cast(kernel, number_type)
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = way(x, kernel)
            loss = tf.reduce_sum(tf.sin(tf.cast(y, "float32")))
        return [tf.cast(t, "float32") for t in (y, *tape.gradient(loss, [x, kernel]))]

    given = [tf.constant(x), tf.constant(kernel)]
    steps = found.get_concrete_function(*given).graph.get_operations()
    kinds = {step.type: step.outputs[0].dtype.name for step in steps if step.outputs}
    return [np.asarray(a) for a in found(*given)], kinds


@pytest.mark.parametrize("kernel, side, padding, in_matrices", [
    ((3, 3, 16, 24), 5, "SAME", True), ((1, 1, 32, 32), 2, "VALID", True),
    ((2, 5, 16, 16), 4, "SAME", True), ((3, 3, 2, 3), 9, "SAME", False),
    ((3, 3, 16, 24), 5, "VALID", False)])
def test_gradients_of_convolutions_are_the_plain_ones(kernel, side, padding, in_matrices) -> None:
    x, k = normal(3, side, side + 1, kernel[2]), 0.1 * normal(*kernel)
    expected, _ = both(lambda x, k: tf.nn.conv2d(x, k, 1, padding), x, k, "float32")
    for number_type, near in (("float32", 1e-5), ("bfloat16", 0.05)):
        got, kinds = both(lambda x, k: gradients.convolution(x, k, 1, padding, 1), x, k,
                          number_type)
        assert ("MatMul" in kinds) == in_matrices
        for a, b in zip(got, expected, strict=True):
            assert np.abs(a - b).max() <= near * np.abs(b).max()


def test_convolutions_in_groups_and_by_steps_stay_plain() -> None:
    x = normal(2, 4, 4, 32)
    for kernel, stride in ((normal(3, 3, 16, 64), 1), (normal(3, 3, 32, 64), 2)):
        expected, _ = both(lambda x, k, s=stride: tf.nn.conv2d(x, k, s, "SAME"), x, kernel,
                           "float32")
        got, kinds = both(lambda x, k, s=stride: gradients.convolution(x, k, s, "SAME", 1), x,
                          kernel, "float32")
        assert "MatMul" not in kinds
        for a, b in zip(got, expected, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("side, stride, of_maps, of_kernel", [
    (3, 1, "bfloat16", "bfloat16"), (3, 2, "float32", "bfloat16"), (5, 1, "bfloat16", "float32"),
    (7, 2, "float32", "float32")])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_gradients_of_depthwise_convolutions_are_the_plain_ones(side, stride, of_maps, of_kernel,
                                                                padding) -> None:
    x, k = normal(2, 9, 10, 6), 0.3 * normal(side, side, 6, 1)
    steps = (1, stride, stride, 1)
    expected, _ = both(lambda x, k: tf.nn.depthwise_conv2d(x, k, steps, padding), x, k, "float32")
    for number_type, near in (("float32", 1e-5), ("bfloat16", 0.05)):
        got, kinds = both(lambda x, k: gradients.depthwise(x, k, steps, padding, (1, 1)), x, k,
                          number_type)
        if number_type == "bfloat16":
            assert kinds["DepthwiseConv2dNativeBackpropInput"] == of_maps
            assert kinds["DepthwiseConv2dNativeBackpropFilter"] == of_kernel
        for a, b in zip(got, expected, strict=True):
            assert np.abs(a - b).max() <= near * np.abs(b).max()


def test_float32_and_gpus_keep_the_stock_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import device

    monkeypatch.setattr(device, "gpus", lambda: ())
    assert gradients.kinds("float32") is KINDS
    assert gradients.kinds("bfloat16")["conv"] is not KINDS["conv"]
    monkeypatch.setattr(device, "gpus", lambda: ("GPU",))
    assert gradients.kinds("bfloat16") is KINDS


def network() -> Graph:
    """Whatever can be folded: batch norms behind each kind, scales, a layer norm, activations."""
    nodes, arrays, last = [], {}, "input"

    def add(name: str, kind: str, args: dict[str, Any], **values: np.ndarray) -> None:
        nonlocal last
        nodes.append(Node(name, kind, (last,), args, tuple(values)))
        arrays.update({f"{name}/{k}": v for k, v in values.items()})
        last = name

    def norm(name: str, size: int) -> None:
        add(name, "batch norm", {"epsilon": 1e-3}, gamma=normal(size), beta=normal(size),
            mean=normal(size), variance=1 + normal(size) ** 2)

    add("c", "conv", {"strides": 1, "padding": "SAME"}, kernel=normal(3, 3, 3, 4))
    norm("cn", 4)
    add("ca", "activation", {"activation": "silu"})
    add("d", "depthwise", {"strides": 2, "padding": "SAME"}, kernel=normal(3, 3, 4, 1),
        bias=normal(4))
    norm("dn", 4)
    add("l", "layer norm", {"epsilon": 1e-3}, gamma=normal(4), beta=normal(4))
    add("e", "dense", {"activation": "gelu"}, kernel=normal(4, 6), bias=normal(6))
    add("f", "dense", {"activation": "linear"}, kernel=normal(6, 5))
    add("s", "affine", {}, scale=normal(5))
    add("p", "global average", {})
    return Graph(tuple(nodes), arrays)


def test_what_is_folded_away_learns_all_the_same() -> None:
    graph = network()
    plan = folded(graph)
    assert {n.kind for n in plan.nodes} == {"conv", "depthwise", "layer norm", "dense",
                                            "global average"}
    x = normal(3, 8, 8, 3)
    variables = {k: tf.Variable(v) for k, v in graph.arrays.items()}

    def found(nodes: tuple[Node, ...], arrays: Callable[[dict], dict]) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            y = run(Graph(nodes, {}), x, arrays(variables))
            loss = tf.reduce_sum(tf.sin(y))
        slopes = tape.gradient(loss, variables)
        return [np.asarray(y), *(np.asarray(slopes[k]) for k in graph.arrays)]

    plain, rewritten = found(graph.nodes, lambda w: w), found(plan.nodes, plan.arrays)
    for a, b in zip(rewritten, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(b).max())
