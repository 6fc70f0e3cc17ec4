"""Cut a graph at a boundary into trunk and tail, and join graphs end to end."""

from collections.abc import Iterable, Mapping

import numpy as np

from zoo.graph import INPUT, Graph, Node


def cut(graph: Graph, first: str) -> tuple[Graph, Graph]:
    """(trunk, tail): the tail begins with the node ``first``, the trunk ends with what feeds it.

    Raises ValueError where more than one value would have to cross the boundary.
    """
    crossing = graph[first].inputs[0]
    below = ancestors(graph, crossing)
    trunk = [n for n in graph.nodes if n.name in below]
    rest = [n for n in graph.nodes if n.name not in below]
    loose = {i for n in rest for i in n.inputs} - {n.name for n in rest} - {crossing}
    if loose:
        raise ValueError(f"the network can't be cut before {first!r}: {sorted(loose)} cross too")
    return part(graph.arrays, trunk), part(graph.arrays, [renamed(n, crossing) for n in rest])


def ancestors(graph: Graph, name: str) -> set[str]:
    """``name`` and every node that it depends on."""
    needed = {name}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return needed - {INPUT}


def renamed(node: Node, crossing: str) -> Node:
    inputs = tuple(INPUT if i == crossing else i for i in node.inputs)
    return Node(node.name, node.kind, inputs, node.args, node.arrays)


def part(arrays: Mapping[str, np.ndarray], nodes: Iterable[Node]) -> Graph:
    """A graph of these nodes, with those of ``arrays`` that they use."""
    nodes = tuple(nodes)
    return Graph(nodes, {k: arrays[k] for k in (f"{n.name}/{a}" for n in nodes for a in n.arrays)})


def join(*graphs: Graph) -> Graph:
    """One graph that runs ``graphs`` one after another."""
    nodes: list[Node] = []
    arrays: dict[str, np.ndarray] = {}
    last = INPUT
    for graph in graphs:
        nodes += [Node(n.name, n.kind, tuple(last if i == INPUT else i for i in n.inputs),
                       n.args, n.arrays) for n in graph.nodes]
        arrays.update(graph.arrays)
        last = nodes[-1].name if nodes else INPUT
    names = [n.name for n in nodes]
    if len(set(names)) < len(names):
        raise ValueError("two nodes have the same name")
    return Graph(tuple(nodes), arrays)
