"""The report's first network: a small CNN, trained from scratch. The floor of every table."""

from typing import Any


def small_cnn(size: int, convolutions: int = 2) -> Any:
    """A Keras network of 3x3 convolutions (32, 64, 128 filters), each halved by pooling.

    (n, size, size, 3) with values 0..255 in, the last map of activations out.
    """
    import keras
    from keras import layers

    x = inputs = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(x)
    for i in range(convolutions):
        x = layers.Conv2D(32 * 2**i, 3, padding="same", activation="relu", name=f"conv{i + 1}")(x)
        x = layers.MaxPooling2D(name=f"pool{i + 1}")(x)
    return keras.Model(inputs, x)
