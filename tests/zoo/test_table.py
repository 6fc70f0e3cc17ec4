"""Every row of the table, against keras.applications."""

import random

import numpy as np
import pytest

from tests.zoo.networks import (
    difference,
    keras_and_graph,
    output,
    pictures,
    prepared,
    shake,
    side,
)
from zoo.errors import UserError
from zoo.rewrite import fast
from zoo.split import cut, join
from zoo.table import BACKBONES, DEFAULT, ROWS, backbone

QUICK = {"smallcnn2", "smallcnn3", "mobilenetv2", "vgg16"}
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
         for name in BACKBONES]


@pytest.mark.parametrize("name", NAMES)
def test_the_stated_parameters_are_those_that_keras_counts(name):
    model, graph = keras_and_graph(name)
    assert model.count_params() == BACKBONES[name].parameters
    ours = sum(a.size for k, a in graph.arrays.items()
               if not k.startswith(("preprocess/", "rescal", "normalization"))
               and "prestem_normalization" not in k)
    normalization = sum(int(np.prod(w.shape)) for layer in model.layers
                        if type(layer).__name__ == "Normalization" for w in layer.weights)
    assert ours == BACKBONES[name].parameters - normalization


@pytest.mark.parametrize("name", NAMES)
def test_a_row_says_whether_the_network_has_batch_norms(name):
    _, graph = keras_and_graph(name)
    assert BACKBONES[name].batch_norms == any(n.kind == "batch norm" for n in graph.nodes)


@pytest.mark.parametrize("name", NAMES)
def test_raw_pictures_give_what_keras_gives_for_preprocessed_ones(name):
    row = BACKBONES[name]
    model, graph = keras_and_graph(name)
    x = pictures(row).astype("float32")
    expected = np.asarray(model(prepared(row, x), training=False))
    assert difference(output(graph, x), expected) < 1e-5
    assert difference(output(graph, x.astype("uint8")), expected) < 1e-5
    assert difference(output(fast(graph), x), expected) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_trunk_and_tail_give_what_the_whole_gives_at_every_boundary(name):
    row = BACKBONES[name]
    _, graph = keras_and_graph(name)
    x = pictures(row)
    whole = output(graph, x)
    for first in row.boundaries.values():
        trunk, tail = cut(graph, first)
        assert len(trunk.nodes) > 2
        assert tail.nodes[0].name == first
        assert difference(output(tail, output(trunk, x)), whole) < 1e-6
        assert join(trunk, tail).nodes == graph.nodes


@pytest.mark.slow
def test_efficientnets_imagenet_weights_are_rescaled_as_keras_does(tmp_path):
    import keras

    row = backbone("efficientnetb2")
    model = shake(row.model(side(row)))
    layer = next(la for la in model.layers if type(la).__name__ == "Normalization")
    model.save_weights(tmp_path / "some.weights.h5")
    graph = row.graph(side(row), tmp_path / "some.weights.h5")
    layer.variance = keras.ops.convert_to_tensor(
        np.asarray(layer.variance) * np.array([0.229, 0.224, 0.225], "float32"))
    x = pictures(row).astype("float32")
    assert difference(output(graph, x), np.asarray(model(x, training=False))) < 1e-5


def test_a_second_network_in_one_process_has_the_same_names():
    row = backbone("mobilenetv2")
    assert row.graph(32).nodes == row.graph(32).nodes


def test_a_picture_of_another_size_is_resized_inside():
    row = backbone("smallcnn2")
    assert output(row.graph(32), np.zeros((1, 50, 41, 3), "uint8")).shape == (1, 8, 8, 64)


def test_too_small_a_size_is_refused():
    with pytest.raises(UserError, match="at least 71 pixels, not 32"):
        backbone("xception").graph(32)


def test_weights_of_another_network_are_refused(tmp_path):
    backbone("smallcnn2").model(32).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(UserError, match="does not hold the weights of MobileNetV2"):
        backbone("mobilenetv2").graph(32, tmp_path / "other.weights.h5")


@pytest.mark.parametrize("written", ["VGG16", "vgg-16", " Vgg_16 "])
def test_names_are_found_as_people_write_them(written):
    assert backbone(written).name == "vgg16"


@pytest.mark.parametrize("wrong, near", [("vgg 6", "vgg16"), ("vgg61", "vgg16"),
                                         ("resnet", "resnet50"), ("mobilnet", "mobilenetv2")])
def test_an_unknown_name_gets_the_nearest_one(wrong, near):
    with pytest.raises(UserError, match=f"Did you mean '{near}'"):
        backbone(wrong)


def test_the_default_sweep_is_the_reports_table():
    assert len(DEFAULT) == 8
    assert all(BACKBONES[name].published for name in DEFAULT)
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("name", ["smallcnn2", "mobilenetv2"])
def test_random_weights_depend_on_the_seed_alone(name):
    first = backbone(name).graph(32, seed=1).arrays
    random.seed(5)
    again, other = (backbone(name).graph(32, seed=s).arrays for s in (1, 2))
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert any(not np.array_equal(first[k], other[k]) for k in first)
