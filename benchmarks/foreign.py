"""Distortions that the registry does not have, written apart from it: for measuring only.

Each: pictures uint8 (n, H, W, 3), strength (n,) in 0..1, keys uint64 (n,) -> uint8 of that shape.
"""

from collections.abc import Callable

import numpy as np

from harness.augment import draws

Distortion = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def swirl(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Turn the middle more than the edge, by up to 150 degrees."""
    from scipy.ndimage import map_coordinates

    n, height, width, _ = images.shape
    y, x = np.mgrid[:height, :width].astype("float32")
    dy, dx = y - height / 2, x - width / 2
    fall = np.exp(-np.hypot(dy, dx) / (0.35 * min(height, width)))
    result = np.empty_like(images)
    for i in range(n):
        angle = draws.sign(keys[i:i + 1], "swirl")[0] * strength[i] * 2.6 * fall
        where = [height / 2 + np.cos(angle) * dy - np.sin(angle) * dx,
                 width / 2 + np.sin(angle) * dy + np.cos(angle) * dx]
        for c in range(3):
            result[i, ..., c] = map_coordinates(images[i, ..., c], where, order=1, mode="nearest")
    return result


def emboss(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Blend with a relief of the picture, lit from one corner."""
    x = images.astype("float32")
    relief = 128 + 2 * (np.roll(x, (1, 1), (1, 2)) - np.roll(x, (-1, -1), (1, 2)))
    share = (0.9 * strength)[:, None, None, None]
    return np.clip((1 - share) * x + share * relief, 0, 255).astype(np.uint8)


def scanlines(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Move every second pair of rows sideways, as a camera that reads half pictures does."""
    result = images.copy()
    for i in range(len(images)):
        shift = round(float(10 * strength[i]))
        for start in (2, 3):
            result[i, start::4] = np.roll(images[i, start::4], shift, axis=1)
    return result


def moire(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Multiply by two gratings that beat against each other, one colour shifted."""
    n, height, width, _ = images.shape
    y, x = np.mgrid[:height, :width] / max(height, width)
    angle = draws.span(keys, "angle", 0, np.pi)[:, None, None]
    along = np.cos(angle) * x + np.sin(angle) * y
    wave = np.stack([np.sin(200 * along + shift) * np.sin(188 * x) for shift in (0, 1, 2)], -1)
    factor = 1 + 0.7 * strength[:, None, None, None] * wave
    return np.clip(images * factor, 0, 255).astype(np.uint8)


def kaleidoscope(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Exchange square tiles of the picture, more of them the stronger."""
    n, height, width, _ = images.shape
    side_y, side_x = max(1, height // 6), max(1, width // 6)
    result = images.copy()
    for i in range(n):
        rng = np.random.default_rng(int(keys[i]))
        for _ in range(round(float(6 * strength[i]))):
            (ya, yb), (xa, xb) = (side_y * rng.integers(0, 6, 2), side_x * rng.integers(0, 6, 2))
            result[i, ya:ya + side_y, xa:xa + side_x] = images[i, yb:yb + side_y, xb:xb + side_x]
    return result


def sunburn(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Fade the dark tones towards a drawn tint, as old slides do."""
    tint = np.stack([draws.span(keys, c, 90, 255) for c in "rgb"], -1)[:, None, None]
    share = 0.75 * strength[:, None, None, None] * (1 - images / 255.0)
    return np.clip((1 - share) * images + share * tint, 0, 255).astype(np.uint8)


FOREIGN: dict[str, Distortion] = {f.__name__: f for f in (
    swirl, emboss, scanlines, moire, kaleidoscope, sunburn)}
