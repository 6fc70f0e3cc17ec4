"""How much of what this machine can do a program uses, against a large matrix product."""

import time
from functools import cache

SIDE, ROUNDS = 2048, 3


def limit(number_type: str) -> float:
    """Multiply-adds a second of a product of two matrices of SIDE x SIDE, the best of some."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.stateless_normal((SIDE, SIDE), (0, 0)), number_type)
    product = tf.function(lambda: tf.matmul(matrix, matrix), autograph=False)
    best = float("inf")
    for _ in range(1 + ROUNDS):  # the first one compiles
        began = time.perf_counter()
        float(product()[0, 0])  # waits for a GPU
        best = min(best, time.perf_counter() - began)
    return SIDE ** 3 / best


@cache
def cost(name: str, size: int) -> int:
    """Multiply-adds of a backbone without its top for one picture of ``size`` x ``size``."""
    from zoo.cost import multiply_adds
    from zoo.table import backbone

    return multiply_adds(backbone(name).graph(size), (size, size, 3))


def share(name: str, size: int, rate: float, number_type: str) -> float:
    """What a backbone at ``rate`` pictures a second uses of the limit, which is measured now."""
    return cost(name, size) * rate / limit(number_type)
