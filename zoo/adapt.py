"""Batch norms that adapt to the batch that is predicted: Graph -> Graph, after training.

The mean and variance that normalize are then ``share`` times the batch's own and 1 - ``share``
times the trained ones (Schneider et al. 2020, arXiv 2006.16971; with a share of 1 Nado et al. 2020,
arXiv 2006.10963). A picture's probabilities depend on the batch that it comes in: that may help
where all of them are corrupted alike, and spoils small batches and those of one class.
"""

from dataclasses import replace

from zoo.graph import Graph

ADAPTIVE = "adaptive batch norm"


def adapted(graph: Graph, share: float) -> Graph:
    """``graph`` with a ``share`` (0..1) of the batch's own statistics in every batch norm.

    0 leaves it as it is, and so does a graph without batch norms, or one that adapts already.
    """
    if not share:
        return graph
    return Graph(tuple(replace(n, kind=ADAPTIVE, args={**n.args, "share": share})
                       if n.kind == "batch norm" else n for n in graph.nodes), graph.arrays)


def adapts(graph: Graph) -> bool:
    """Whether what ``graph`` says of a picture depends on the others of its batch."""
    return any(n.kind == ADAPTIVE for n in graph.nodes)
