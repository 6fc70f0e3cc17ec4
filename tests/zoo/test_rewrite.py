"""Rewrites keep the function."""

import numpy as np
import pytest

from tests.zoo.networks import difference, keras_and_graph, output, pictures, shake, side
from zoo.graph import Graph, Node, run
from zoo.read import read
from zoo.rewrite import fast, ungroup
from zoo.split import cut
from zoo.table import backbone


def test_convnexts_depthwise_rewrite_equals_keras_own_network():
    from keras.src.applications.convnext import ConvNeXt

    # Keras' own layers and wiring, with fewer and narrower blocks than any named size.
    model = shake(ConvNeXt(
        [1, 1, 2, 1], [8, 16, 24, 32], include_top=False, weights=None, input_shape=(64, 64, 3),
        name="convnext_small", weights_name="convnext_small"))
    graph = read(model)
    x = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype("float32")
    expected = np.asarray(model(x, training=False))
    grouped = [n for n in graph.nodes if n.args.get("groups", 1) > 1]
    assert len(grouped) == 5
    for rewritten in (ungroup(graph), fast(graph)):
        assert all("groups" not in n.args for n in rewritten.nodes)
        assert difference(output(rewritten, x), expected) < 1e-5


@pytest.mark.slow
def test_the_depthwise_rewrite_holds_for_the_whole_convnext():
    row = backbone("convnexttiny")
    model, graph = keras_and_graph("convnexttiny")
    x = pictures(row).astype("float32")
    expected = np.asarray(model(x, training=False))
    assert difference(output(ungroup(graph), x), expected) < 1e-5


@pytest.mark.parametrize("name", [
    "mobilenetv2", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_no_batch_norm_is_left_and_parts_of_a_network_stay_exact(name):
    row = backbone(name)
    _, graph = keras_and_graph(name)
    trunk, tail = cut(graph, row.boundaries["last block"])
    x = pictures(row)
    boundary = output(trunk, x)
    assert difference(output(fast(trunk), x), boundary) < 1e-5
    assert difference(output(fast(tail), boundary), output(tail, boundary)) < 1e-5
    assert not [n for n in fast(graph).nodes if n.kind == "batch norm"]


@pytest.mark.parametrize("name", ["mobilenetv2", "smallcnn3"])
def test_rewriting_twice_is_rewriting_once(name):
    once = fast(backbone(name).graph(side(backbone(name))))
    twice = fast(once)
    assert once.nodes == twice.nodes
    assert all(np.array_equal(once.arrays[k], twice.arrays[k]) for k in once.arrays)


def test_the_graph_that_is_rewritten_stays_as_it_was():
    graph = backbone("mobilenetv2").graph(32)
    before = {k: v.copy() for k, v in graph.arrays.items()}
    nodes = graph.nodes
    fast(graph)
    assert graph.nodes == nodes
    assert all(np.array_equal(before[k], graph.arrays[k]) for k in before)


def convolution(*after: Node, **arrays: np.ndarray) -> Graph:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 4)).astype("float32")
    first = Node("c", "conv", ("input",), {"strides": 1, "padding": "SAME"}, ("kernel",))
    return Graph((first, *after), {"c/kernel": kernel, **{k.replace("_", "/"): v
                                                         for k, v in arrays.items()}})


def test_what_two_nodes_need_is_not_folded():
    graph = convolution(Node("n", "affine", ("c",), {}, ("scale",)), Node("s", "add", ("c", "n")),
                        n_scale=np.float32([2, 3, 4, 5]))
    assert [n.name for n in fast(graph).nodes] == ["c", "n", "s"]


def test_nothing_is_folded_behind_an_activation():
    graph = convolution(Node("r", "activation", ("c",), {"activation": "relu"}),
                        Node("n", "affine", ("r",), {}, ("scale",)),
                        n_scale=np.float32([-2, 3, -4, 5]))
    assert [n.name for n in fast(graph).nodes] == ["c", "n"]
    x = np.random.default_rng(1).standard_normal((2, 6, 6, 3)).astype("float32")
    assert difference(np.asarray(run(fast(graph), x)), np.asarray(run(graph, x))) < 1e-6


def test_the_output_stays_the_output():
    graph = convolution(Node("other", "activation", ("input",), {"activation": "relu"}),
                        Node("n", "affine", ("c",), {}, ("scale",)),
                        n_scale=np.float32([2, 3, 4, 5]))
    x = np.random.default_rng(1).standard_normal((2, 6, 6, 3)).astype("float32")
    assert [n.name for n in fast(graph).nodes] == ["other", "c"]
    assert difference(np.asarray(run(fast(graph), x)), np.asarray(run(graph, x))) < 1e-6


def test_softmax_stays_a_node_of_its_own():
    nodes = (Node("logits", "dense", ("input",), {}, ("kernel",)),
             Node("probabilities", "activation", ("logits",), {"activation": "softmax"}))
    graph = Graph(nodes, {"logits/kernel": np.eye(3, dtype="float32")})
    assert [n.name for n in fast(graph).nodes] == ["logits", "probabilities"]


def test_a_layer_norms_weights_move_into_the_dense_node_behind_it():
    rng = np.random.default_rng(0)
    arrays = {"n/gamma": rng.standard_normal(8), "n/beta": rng.standard_normal(8),
              "d/kernel": rng.standard_normal((8, 5)), "d/bias": rng.standard_normal(5)}
    graph = Graph((Node("n", "layer norm", ("input",), {"epsilon": 1e-6}, ("gamma", "beta")),
                   Node("d", "dense", ("n",), {"activation": "gelu"}, ("kernel", "bias"))),
                  {k: v.astype("float32") for k, v in arrays.items()})
    x = rng.standard_normal((2, 4, 4, 8)).astype("float32")
    assert set(fast(graph).arrays) == {"d/kernel", "d/bias"}
    assert difference(np.asarray(run(fast(graph), x)), np.asarray(run(graph, x))) < 1e-5
