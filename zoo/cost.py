"""What a network costs: the multiply-adds of its convolutions and matrix products."""

from math import prod

from zoo.graph import Graph, compiled

# TensorFlow's operation: which axes of its weights are summed over for each number that comes out.
SUMMED = {"Conv2D": slice(0, 3), "DepthwiseConv2dNative": slice(0, 2), "MatMul": slice(0, 1)}


def multiply_adds(graph: Graph, shape: tuple[int, ...]) -> int:
    """How many ``graph`` takes for one picture, (H, W, 3), or one map of activations, (h, w, c).

    Counted in TensorFlow's own graph, which is built for it but not run. Additions, activations,
    pooling and resizing count nothing.
    """
    import tensorflow as tf

    if not graph.nodes:
        return 0
    traced = compiled(graph).get_concrete_function(tf.TensorSpec((1, *shape)))
    return sum(step.outputs[0].shape.num_elements()
               * prod(step.inputs[1].shape.as_list()[SUMMED[step.type]])
               for step in traced.graph.get_operations() if step.type in SUMMED)
