"""Pictures a second: our policies beside Keras' RandAugment and a plain tf.image pipeline.

    python -m benchmarks.augmentation

All on the same 96x96 pictures (smooth colours with a little noise, as cells have), in turn in one
run, every processor allowed to each. Each is warmed up and then measured several times; the median
counts. Keras' layer, being slow, gets a quarter of the pictures a round.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.device import cores

IMAGES, SIZE, ROUNDS, BATCH = 1024, 96, 5, 64


def ours(policy: str) -> Callable[[np.ndarray, int], Any]:
    """Our policy, over all pictures at once, another view each round."""
    from harness.augment import render

    return lambda images, turn: render(images, np.arange(len(images)), policy, 1.0, 0, turn)


def rand_augment() -> Callable[[np.ndarray, int], Any]:
    """keras.layers.RandAugment with its defaults, on batches in tf.data."""
    import keras
    import tensorflow as tf

    layer = keras.layers.RandAugment(value_range=(0, 255))

    def run(images: np.ndarray, turn: int) -> None:
        data = tf.data.Dataset.from_tensor_slices(images).batch(BATCH)
        for _ in data.map(lambda x: layer(x, training=True), num_parallel_calls=tf.data.AUTOTUNE):
            pass

    return run


def tf_image() -> Callable[[np.ndarray, int], Any]:
    """Flip, crop, brightness, contrast, saturation, hue and noise for each picture, with tf.image
    in tf.data."""
    import tensorflow as tf

    def one(image: Any) -> Any:
        image = tf.image.random_flip_left_right(tf.cast(image, tf.float32) / 255)
        image = tf.image.random_crop(image, (SIZE * 5 // 6, SIZE * 5 // 6, 3))
        image = tf.image.resize(image, (SIZE, SIZE))
        image = tf.image.random_brightness(image, 0.2)
        image = tf.image.random_contrast(image, 0.7, 1.3)
        image = tf.image.random_saturation(image, 0.7, 1.3)
        image = tf.image.random_hue(image, 0.1)
        image += tf.random.normal(tf.shape(image), stddev=0.05)
        return tf.cast(tf.clip_by_value(image, 0, 1) * 255, tf.uint8)

    def run(images: np.ndarray, turn: int) -> None:
        data = tf.data.Dataset.from_tensor_slices(images)
        for _ in data.map(one, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH):
            pass

    return run


def pictures(count: int) -> np.ndarray:
    """uint8 (count, SIZE, SIZE, 3)."""
    from harness.augment import draws, pixels

    keys = draws.key(0, np.arange(count))
    colours = np.stack([pixels.smooth_field(keys, channel, (SIZE, SIZE), 9) for channel in "rgb"],
                       axis=-1)
    noise = draws.noise(keys, "noise", SIZE * SIZE * 3).reshape(colours.shape)
    return pixels.to_bytes(150 + 70 * colours + 4 * noise)


def measure() -> list[dict[str, Any]]:
    """[{"what", "images_per_second", "slowest", "fastest", "images", "size", "processors"}]."""
    images = pictures(IMAGES)
    runners = {"policy random": ours("random"), "policy report": ours("report"),
               "policy basic": ours("basic"), "Keras RandAugment": rand_augment(),
               "tf.image, seven steps": tf_image()}
    counts = {what: IMAGES // 4 if what.startswith("Keras") else IMAGES for what in runners}
    seconds: dict[str, list[float]] = {what: [] for what in runners}
    for turn in range(ROUNDS + 1):
        for what, run in runners.items():
            start = time.perf_counter()
            run(images[:counts[what]], turn)
            if turn:  # the first one warms up
                seconds[what].append(time.perf_counter() - start)
    return [{"what": what, "images_per_second": round(counts[what] / statistics.median(took)),
             "slowest": round(counts[what] / max(took)), "fastest": round(counts[what] / min(took)),
             "images": counts[what], "size": SIZE, "processors": cores()}
            for what, took in seconds.items()]


def main() -> None:
    from tabulate import tabulate

    print(tabulate(measure(), headers="keys"))


if __name__ == "__main__":
    main()
