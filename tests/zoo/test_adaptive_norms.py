"""Adaptive batch norms: what normalizes, and that nothing else changes."""

import numpy as np
import pytest

from tests.zoo.networks import difference, keras_and_graph, output, pictures
from zoo.adapt import adapted, adapts
from zoo.classifier import Classifier
from zoo.graph import Graph, Node, from_json, run, to_json
from zoo.rewrite import fast
from zoo.split import join
from zoo.table import backbone

X = np.random.default_rng(0).normal(3, 2, (6, 5, 4, 7)).astype("float32")


def one_norm(**options: bool):
    """A Keras batch normalization with weights that do something, and the same as a graph."""
    import keras

    layer = keras.layers.BatchNormalization(**options)
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    for variable in layer.weights:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    names = {"gamma": layer.gamma, "beta": layer.beta, "mean": layer.moving_mean,
             "variance": layer.moving_variance}
    arrays = {k: np.asarray(v) for k, v in names.items() if v is not None}
    node = Node("bn", "batch norm", ("input",), {"epsilon": layer.epsilon}, tuple(arrays))
    return layer, Graph((node,), {f"bn/{k}": v for k, v in arrays.items()})


def classifier(graph: Graph) -> Classifier:
    kernel = np.random.default_rng(0).standard_normal((1280, 3)).astype("float32") / 10
    top = Graph((Node("pool", "global average", ("input",)),
                 Node("top", "dense", ("pool",), {"activation": "softmax"}, ("kernel",))),
                {"top/kernel": kernel})
    return Classifier((join(graph, top),), ("a", "b", "c"))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_a_share_of_1_is_keras_normalization_of_that_batch(options):
    layer, graph = one_norm(**options)
    found = np.asarray(run(adapted(graph, 1.0), X))
    assert difference(found, np.asarray(layer(X, training=True))) < 1e-5


def test_a_share_between_mixes_means_and_variances():
    _, graph = one_norm()
    w, share = {k.removeprefix("bn/"): v for k, v in graph.arrays.items()}, 0.3
    mean = share * X.mean((0, 1, 2)) + (1 - share) * w["mean"]
    variance = share * X.var((0, 1, 2)) + (1 - share) * w["variance"]
    expected = (X - mean) / np.sqrt(variance + 1e-3) * w["gamma"] + w["beta"]
    assert difference(np.asarray(run(adapted(graph, share), X)), expected) < 1e-5


def test_statistics_are_taken_in_float32():
    _, graph = one_norm()
    shifted = X + np.float32(500)  # where bfloat16 has steps of 2
    exact = np.asarray(run(adapted(graph, 1.0), np.round(shifted / 4) * 4))
    coarse = np.asarray(run(adapted(graph, 1.0), np.round(shifted / 4) * 4, number_type="bfloat16"))
    assert difference(coarse, exact) < 0.02


def test_a_share_of_0_is_the_graph_itself():
    _, graph = keras_and_graph("mobilenetv2")
    assert adapted(graph, 0.0) is graph
    assert not adapts(graph)
    assert not adapts(adapted(backbone("smallcnn2").graph(16), 1.0))


def test_adapting_twice_is_adapting_once():
    _, graph = one_norm()
    once = adapted(graph, 0.4)
    assert adapted(once, 0.4).nodes == once.nodes
    assert adapts(once)


def test_the_fast_rewriting_leaves_adaptive_norms_alone():
    row = backbone("mobilenetv2")
    _, graph = keras_and_graph("mobilenetv2")
    ours, x = adapted(graph, 0.5), pictures(row, 4)
    assert ([n.name for n in fast(ours).nodes if n.kind == "adaptive batch norm"]
            == [n.name for n in graph.nodes if n.kind == "batch norm"])
    assert difference(output(fast(ours), x), output(ours, x)) < 1e-5
    assert difference(output(ours, x), output(graph, x)) > 1e-2


def test_it_is_saved_and_loaded_alike(tmp_path):
    _, graph = keras_and_graph("mobilenetv2")
    ours, x = adapted(graph, 0.5), pictures(backbone("mobilenetv2"), 9)
    assert from_json(to_json(ours), ours.arrays).nodes[-1].kind == ours.nodes[-1].kind
    classifier(ours).save(tmp_path)
    loaded = Classifier.load(tmp_path)
    assert adapts(loaded.graphs[0])
    assert np.array_equal(loaded.predict(x), classifier(ours).predict(x))


def test_the_pictures_that_fill_a_batch_do_not_shift_its_statistics():
    _, graph = keras_and_graph("mobilenetv2")
    ours, x = classifier(adapted(graph, 1.0)), pictures(backbone("mobilenetv2"), 4)
    assert np.allclose(ours.predict(x, batch=8), ours.predict(x, batch=4), atol=1e-3)
    assert not np.allclose(ours.predict(x[:2]), ours.predict(x)[:2], atol=1e-2)
