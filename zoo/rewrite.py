"""Exact speed-ups: Graph -> Graph. Each is proven equal to Keras' own layer by a test."""

import numpy as np

from zoo.graph import Graph, Node


def ungroup(graph: Graph) -> Graph:
    """Turn convolutions with one channel a group into depthwise ones.

    Keras' ConvNeXt uses a grouped Conv2D, which TensorFlow runs an order of magnitude slower.
    """
    nodes, arrays = [], dict(graph.arrays)
    for node in graph.nodes:
        key = f"{node.name}/kernel"
        kernel = graph.arrays.get(key)
        if node.kind == "conv" and node.args.get("groups", 1) > 1 and kernel is not None \
                and kernel.shape[2] == 1:
            arrays[key] = np.ascontiguousarray(kernel.transpose(0, 1, 3, 2))
            args = {k: v for k, v in node.args.items() if k != "groups"}
            node = Node(node.name, "depthwise", node.inputs, args, node.arrays)
        nodes.append(node)
    return Graph(tuple(nodes), arrays)


def fast(graph: Graph) -> Graph:
    """All rewrites that keep the output: for frozen trunks and for prediction."""
    return ungroup(graph)
