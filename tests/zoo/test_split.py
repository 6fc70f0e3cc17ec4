"""Cutting and joining graphs."""

import numpy as np
import pytest

from zoo.graph import Graph, Node, run
from zoo.split import cut, join


def chain(*names: str, prefix: str = "input") -> Graph:
    nodes, arrays, last = [], {}, prefix
    for i, name in enumerate(names):
        nodes.append(Node(name, "affine", (last,), {}, ("scale",)))
        arrays[f"{name}/scale"] = np.full(1, i + 2, "float32")
        last = name
    return Graph(tuple(nodes), arrays)


def test_each_part_has_its_own_arrays_and_no_others():
    trunk, tail = cut(chain("a", "b", "c"), "b")
    assert set(trunk.arrays) == {"a/scale"}
    assert set(tail.arrays) == {"b/scale", "c/scale"}
    assert tail.nodes[0].inputs == ("input",)


def test_cutting_before_the_first_node_leaves_an_empty_trunk():
    graph = chain("a", "b")
    trunk, tail = cut(graph, "a")
    assert trunk.nodes == ()
    assert tail.nodes == graph.nodes


def test_a_boundary_that_two_values_cross_is_refused():
    graph = Graph((*chain("a", "b", "c").nodes, Node("s", "add", ("a", "c"))),
                  chain("a", "b", "c").arrays)
    with pytest.raises(ValueError, match="can't be cut before 'c'"):
        cut(graph, "c")
    trunk, tail = cut(graph, "b")
    assert [n.inputs for n in tail.nodes][-1] == ("input", "c")


def test_a_skip_over_the_boundary_from_the_input_is_refused():
    graph = Graph((*chain("a", "b").nodes, Node("s", "add", ("input", "b"))),
                  chain("a", "b").arrays)
    with pytest.raises(ValueError, match="can't be cut"):
        cut(graph, "b")


def test_joining_runs_one_after_another():
    x = np.ones((1, 2), "float32")
    whole = join(chain("a", "b"), Graph((), {}), chain("c"))
    assert np.asarray(run(whole, x)).tolist() == [[12.0, 12.0]]
    assert whole.output == "c"


def test_parts_with_a_name_in_common_are_not_joined():
    with pytest.raises(ValueError, match="same name"):
        join(chain("a"), chain("a"))
