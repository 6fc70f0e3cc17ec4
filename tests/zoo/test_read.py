"""Reading Keras networks: every kind of layer, nested ones, names that stay."""

import numpy as np
import pytest

from tests.zoo.networks import difference, output, shake
from zoo.read import READERS, read, steady_name


def network():
    """A Keras network with a layer of nearly every kind."""
    import keras
    from keras import layers as la

    inner_in = keras.Input((None, None, 8))
    inner = keras.Model(inner_in, la.BatchNormalization(scale=False)(
        la.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(inner_in)), name="inner")
    x = inputs = keras.Input((12, 12, 3))
    x = la.Rescaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])(x)
    x = la.ZeroPadding2D(((0, 1), (2, 1)))(x)
    x = la.Conv2D(8, 3, strides=2, activation="swish")(x)
    y = la.SeparableConv2D(16, 3, padding="same", activation="elu")(x)
    z = inner(x)
    x = la.Concatenate()([la.Add()([y, z]), y])
    x = la.LayerNormalization(epsilon=1e-6)(x)
    x = la.Conv2D(32, 3, groups=4, dilation_rate=2, padding="same", use_bias=False)(x)
    x = la.Dropout(0.3)(la.ReLU(6.0)(x))
    x = la.AveragePooling2D(2, padding="same")(la.MaxPooling2D(3, 1)(x))
    gate = la.Reshape((1, 1, 32))(la.GlobalAveragePooling2D()(x))
    x = la.Multiply()([x, la.Activation("sigmoid")(gate)])
    x = la.Dense(5, activation="gelu")(x)
    return shake(keras.Model(inputs, la.Dense(4, activation="softmax")(la.Flatten()(x))))


def test_every_layer_does_what_keras_does():
    model = network()
    x = np.random.default_rng(0).uniform(-3, 3, (3, 12, 12, 3)).astype("float32")
    assert difference(output(read(model), x), np.asarray(model(x, training=False))) < 1e-5


def test_names_do_not_depend_on_what_was_built_before():
    first, second = read(network()), read(network())
    assert first.nodes == second.nodes
    assert set(first.arrays) == set(second.arrays)


def test_a_layer_without_a_row_is_named():
    import keras

    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.UpSampling2D(name="up")(inputs))
    assert "UpSampling2D" not in READERS
    with pytest.raises(ValueError, match="'up' is a UpSampling2D"):
        read(model)


def test_names_that_an_architecture_gives_are_kept():
    counts = {}
    pairs = [("add_17", "Add"), ("block5_conv1", "Conv2D"), ("add_4", "Add"), ("dense_3", "Dense"),
             ("re_lu", "ReLU"), ("conv2d", "Conv2D"), ("zero_padding2d_9", "ZeroPadding2D")]
    assert [steady_name(n, kind, counts) for n, kind in pairs] == \
        ["add_0", "block5_conv1", "add_1", "dense_0", "re_lu_0", "conv2d_0", "zero_padding2d_0"]
