"""Multiply-adds against published figures and by hand."""

import numpy as np
import pytest

from zoo.cost import multiply_adds
from zoo.graph import Graph, Node
from zoo.split import cut
from zoo.table import backbone


@pytest.mark.parametrize("name, billions", [("vgg16", 15.3), ("resnet50", 3.86),
                                            ("mobilenetv2", 0.30)])
def test_published_figures_at_224_pixels(name: str, billions: float) -> None:
    counted = multiply_adds(backbone(name).graph(224), (224, 224, 3))
    assert counted / 1e9 == pytest.approx(billions, rel=0.01)


def test_trunk_and_tail_cost_what_the_network_costs() -> None:
    whole = backbone("smallcnn3").graph(16)
    trunk, tail = cut(whole, "conv3")
    from zoo.graph import run

    boundary = np.asarray(run(trunk, np.zeros((1, 16, 16, 3), "float32"))).shape[1:]
    assert multiply_adds(trunk, (16, 16, 3)) + multiply_adds(tail, boundary) == \
        multiply_adds(whole, (16, 16, 3))


def test_strides_and_depth_count_as_they_should() -> None:
    nodes = (Node("a", "conv", ("input",), {"strides": 2, "padding": "SAME"}, ("kernel",)),
             Node("b", "depthwise", ("a",), {"strides": 1, "padding": "SAME"}, ("kernel",)),
             Node("c", "dense", ("b",), {}, ("kernel",)))
    arrays = {"a/kernel": np.ones((3, 3, 3, 4), "f4"), "b/kernel": np.ones((5, 5, 4, 1), "f4"),
              "c/kernel": np.ones((4, 7), "f4")}
    pixels = 4 * 4
    assert multiply_adds(Graph(nodes, arrays), (8, 8, 3)) == \
        pixels * (4 * 27 + 4 * 25 + 7 * 4)
    assert multiply_adds(Graph((), {}), (8, 8, 3)) == 0
