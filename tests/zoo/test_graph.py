"""Graphs: what a file may say, what running one does."""

import json

import numpy as np
import pytest

from zoo import graph as graphs
from zoo.graph import Graph, Node, from_json, load, run, to_json


def small() -> Graph:
    rng = np.random.default_rng(0)
    nodes = (Node("c", "conv", ("input",), {"strides": 1, "padding": "SAME"}, ("kernel",)),
             Node("r", "activation", ("c",), {"activation": "relu"}),
             Node("d", "dropout", ("r",), {"rate": 0.5}),
             Node("s", "add", ("c", "d")))
    return Graph(nodes, {"c/kernel": rng.standard_normal((3, 3, 3, 4)).astype("float32")})


X = np.random.default_rng(1).uniform(-2, 2, (3, 5, 5, 3)).astype("float32")


def test_a_graph_survives_json():
    graph = small()
    again = from_json(to_json(graph), graph.arrays)
    assert [(n.name, n.kind, n.inputs, dict(n.args), n.arrays) for n in again.nodes] == \
        [(n.name, n.kind, n.inputs, dict(n.args), n.arrays) for n in graph.nodes]
    assert np.array_equal(np.asarray(run(again, X)), np.asarray(run(graph, X)))


@pytest.mark.parametrize("change, message", [
    ({"kind": "lambda"}, "unknown kind"),
    ({"inputs": ["later"]}, "'later', which is not there"),
    ({"inputs": ["s"]}, "'s', which is not there"),
    ({"arrays": ["kernel", "other"]}, "'other', which is not there")])
def test_a_file_that_says_nonsense_is_refused(change, message):
    graph = small()
    rows = json.loads(to_json(graph))
    rows[0].update(change)
    with pytest.raises(ValueError, match=message):
        from_json(json.dumps(rows), graph.arrays)


def test_pickled_arrays_are_not_unpickled(tmp_path):
    (tmp_path / "graph.json").write_text(to_json(small()))
    np.savez(tmp_path / "weights.npz", **{"c/kernel": np.array([print], object)})
    with pytest.raises(ValueError, match="pickle"):
        load(tmp_path)


def test_halved_weights_are_float32_again(tmp_path):
    graph = small()
    (tmp_path / "graph7.json").write_text(to_json(graph))
    np.savez(tmp_path / "weights7.npz", **{k: v.astype("f2") for k, v in graph.arrays.items()})
    assert load(tmp_path, "7").arrays["c/kernel"].dtype == np.float32


def test_dropout_acts_only_with_a_seed_and_the_same_way_for_the_same_seed():
    graph = small()
    plain, a, b, c = (np.asarray(run(graph, X, seed=s)) for s in (None, (1, 2), (1, 2), (1, 3)))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    linear = np.asarray(run(graph, X, until="c"))
    dropped = (a - linear)[plain - linear > 0]
    kept = dropped != 0
    assert 0.3 < kept.mean() < 0.7
    assert np.allclose(dropped[kept], 2 * (plain - linear)[plain - linear > 0][kept], rtol=1e-4,
                       atol=1e-5)


def test_whole_pictures_are_dropped_where_a_node_says_so():
    graph = Graph((Node("d", "dropout", ("input",), {"rate": 0.5, "whole": True}),), {})
    out = np.asarray(run(graph, np.ones((64, 2, 2, 1), "float32"), seed=(0, 0)))
    assert set(np.unique(out)) == {0.0, 2.0}
    assert np.ptp(out, axis=(1, 2, 3)).max() == 0


def test_stopping_early_gives_that_nodes_output():
    graph = small()
    c = np.asarray(run(graph, X, until="c"))
    r = np.asarray(run(graph, X, until="r"))
    assert np.array_equal(r, np.maximum(c, 0))
    assert np.allclose(np.asarray(run(graph, X)), c + r)


def test_weights_can_be_given_in_place_of_the_graphs():
    graph = small()
    zero = {k: np.zeros_like(v) for k, v in graph.arrays.items()}
    assert not np.asarray(run(graph, X, zero)).any()
    assert np.asarray(run(graph, X)).any()


def test_bfloat16_is_close_and_comes_out_as_float32():
    exact = np.asarray(run(small(), X))
    rough = run(small(), X, number_type="bfloat16")
    assert rough.dtype == "float32"
    error = np.abs(np.asarray(rough) - exact).max() / np.abs(exact).max()
    assert 1e-5 < error < 2e-2


def test_values_are_forgotten_after_their_last_use():
    graph = small()
    assert [set(u) for u in graphs.last_uses(graph)] == [{"input"}, set(), {"r"}, {"c", "d"}]


def test_an_empty_graph_gives_its_input_back():
    assert np.array_equal(np.asarray(run(Graph((), {}), X)), X)


@pytest.mark.parametrize("name", ["relu", "relu6", "silu", "gelu", "softmax", "tanh", "sigmoid",
                                  "elu", "hard_sigmoid", "hard_silu"])
def test_activations_are_those_of_keras(name):
    import keras

    x = np.linspace(-9, 9, 60, dtype="float32").reshape(3, 20)
    expected = np.asarray(getattr(keras.activations, name)(x))
    assert np.allclose(np.asarray(graphs.activate(x, name)), expected, atol=1e-6)


def test_a_dense_node_keeps_the_axes_in_front():
    import tensorflow as tf

    node = Node("d", "dense", ("input",), {"activation": "gelu"}, ("kernel", "bias"))
    rng = np.random.default_rng(0)
    arrays = {"d/kernel": rng.standard_normal((3, 7)).astype("float32"),
              "d/bias": rng.standard_normal(7).astype("float32")}
    program = tf.function(lambda x: run(Graph((node,), arrays), x), autograph=False)
    shape = program.get_concrete_function(tf.TensorSpec((None, 5, 5, 3))).output_shapes
    assert shape.as_list() == [None, 5, 5, 7]
    expected = np.asarray(graphs.activate(X @ arrays["d/kernel"] + arrays["d/bias"], "gelu"))
    assert np.allclose(np.asarray(program(X)), expected, atol=1e-5)
