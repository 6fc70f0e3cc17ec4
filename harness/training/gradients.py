"""Convolutions for training in bfloat16 on a processor: the same sums, gradients found faster.

oneDNN's bfloat16 kernels are slow for some gradients, or there are none. Which ones was measured
(docs/performance.md); these are taken in another way here.
"""

from collections.abc import Mapping
from typing import Any

from zoo.graph import KINDS, Kind, convolve, convolve_depthwise

LARGE = 0.5  # of the numbers in a batch of maps: a kernel of as many is multiplied as matrices
WIDE = 5     # pixels across: from there on a depthwise kernel's gradient is slow in bfloat16


def kinds(number_type: str) -> Mapping[str, Kind]:
    """What computes each kind of node in training."""
    from zoo.device import gpus

    if number_type == "float32" or gpus():
        return KINDS
    return {**KINDS, "conv": lambda x, a, w, s: convolve(x[0], a, w, convolution),
            "depthwise": lambda x, a, w, s: convolve_depthwise(x[0], a, w, depthwise)}


def convolution(x: Any, kernel: Any, strides: int, padding: str, dilations: int) -> Any:
    """``tf.nn.conv2d``; the gradient of a large kernel is a product of matrices for each of its
    places."""
    import tensorflow as tf

    def plain(x: Any, kernel: Any) -> Any:
        return tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)

    simple = (strides == dilations == 1 and kernel.shape[2] == x.shape[-1]  # in one group
              and (padding == "SAME" or kernel.shape[:2] == (1, 1)))
    if not simple or not x.shape.is_fully_defined() \
            or kernel.shape.num_elements() < LARGE * x.shape.num_elements():
        return plain(x, kernel)

    @tf.custom_gradient
    def product(x: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            back = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=x.shape, filter=kernel, out_backprop=upstream,
                strides=[1, 1, 1, 1], padding=padding)
            return back, in_matrices(x, kernel.shape, upstream)

        return plain(x, kernel), gradient

    return product(x, kernel)


def in_matrices(x: Any, shape: Any, upstream: Any) -> Any:
    """The gradient of a kernel of this shape, (h, w, inputs, outputs), that moves over maps x by
    single steps, padding "SAME": at each place the product of the maps moved there and
    ``upstream``."""
    import tensorflow as tf

    height, width, inputs, outputs = shape
    rows, columns = x.shape[1:3]
    around = [[(n - 1) // 2, n // 2] for n in (height, width)]
    padded = tf.pad(x, [[0, 0], *around, [0, 0]])
    flat = tf.reshape(upstream, (-1, outputs))
    places = [tf.matmul(tf.reshape(padded[:, i:i + rows, j:j + columns], (-1, inputs)), flat,
                        transpose_a=True) for i in range(height) for j in range(width)]
    return tf.reshape(tf.stack(places), shape)


def depthwise(x: Any, kernel: Any, strides: tuple[int, ...], padding: str,
              dilations: tuple[int, ...]) -> Any:
    """``tf.nn.depthwise_conv2d``; gradients that bfloat16 is slow at are taken in float32: of the
    maps where the kernel takes longer steps, and of wide kernels."""
    import tensorflow as tf

    def plain(x: Any, kernel: Any) -> Any:
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding, dilations=dilations)

    stepping, wide = max(strides) > 1, max(kernel.shape[:2]) >= WIDE
    if not (stepping or wide) or max(dilations) > 1 or not x.shape.is_fully_defined():
        return plain(x, kernel)

    def number_type(slow: bool) -> Any:
        return tf.float32 if slow else x.dtype

    @tf.custom_gradient
    def product(x: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            kind = number_type(stepping)
            back = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=x.shape, filter=tf.cast(kernel, kind),
                out_backprop=tf.cast(upstream, kind), strides=strides, padding=padding)
            kind = number_type(wide)
            own = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=tf.cast(x, kind), filter_sizes=kernel.shape,
                out_backprop=tf.cast(upstream, kind), strides=strides, padding=padding)
            return tf.cast(back, x.dtype), tf.cast(own, kernel.dtype)

        return plain(x, kernel), gradient

    return product(x, kernel)
