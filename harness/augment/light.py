"""Light: brightness, contrast, gamma, and lamps that do not light evenly."""

import numpy as np

from harness.augment import draws, pixels
from harness.augment.pixels import LEVELS


def brightness(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Up to 100 grey levels more or less."""
    shift = 100 * strength * draws.sign(keys, "way")
    return pixels.look_up(images, LEVELS + shift[:, None])


def exposure(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The light times up to 2.1, clipped, or down to 1 / 2.8."""
    up = draws.uniform(keys, "way") < 0.4
    factor = np.exp2(np.where(up, 1.1, -1.5) * strength)
    return pixels.look_up(images, LEVELS * factor[:, None])


def contrast(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Distances from the mean down to a fifth, or up to 2.8 times."""
    up = draws.uniform(keys, "way") < 0.5
    factor = np.where(up, np.exp2(1.5 * strength), 1 - 0.8 * strength)[:, None]
    mean = images.reshape(len(images), -1).sum(axis=1, dtype=np.int64) / images[0].size
    return pixels.look_up(images, (LEVELS - mean[:, None]) * factor + mean[:, None])


def gamma(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Values to a power from 1/2.8 to 2.8."""
    power = np.exp2(1.5 * strength * draws.sign(keys, "way"))
    return pixels.look_up(images, 255 * (LEVELS / 255) ** power[:, None])


def curves(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Another camera: each channel through a random rising curve."""
    knots = 5
    steps = np.exp(draws.span(keys, "steps", -1.6, 1.6, 3 * knots) * strength.repeat(
        3 * knots).reshape(-1, 3 * knots)).reshape(-1, 3, knots)
    ends = draws.span(keys, "ends", -60, 60, 6).reshape(-1, 3, 2) * strength[:, None, None]
    low, high = ends[..., :1], 255 + ends[..., 1:]
    height = np.concatenate([np.zeros_like(low), np.cumsum(steps, axis=2)], axis=2)
    height = low + (high - low) * height / height[..., -1:]
    at = LEVELS * (knots / 255)
    before = np.minimum(at.astype(int), knots - 1)
    return pixels.look_up(images, height[..., before] + (at - before)
                          * (height[..., before + 1] - height[..., before]))


def histograms(images: np.ndarray) -> np.ndarray:
    """int64 (n, 3, 256): how often each value occurs in each channel."""
    return np.stack([[np.bincount(image[..., c].ravel(), minlength=256) for c in range(3)]
                     for image in images])


def autocontrast(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each channel stretched until up to 5 % of it clips at either end."""
    share = np.cumsum(histograms(images), axis=2) / (images.shape[1] * images.shape[2])
    cut = (0.05 * strength**2)[:, None, None]
    low = (share <= cut).sum(axis=2)
    high = np.maximum((share < 1 - cut).sum(axis=2), low + 1)
    tables = (LEVELS - low[..., None]) * (255 / (high - low)[..., None])
    amount = np.minimum(2 * strength, 1)[:, None, None]
    return pixels.look_up(images, LEVELS + (tables - LEVELS) * amount)


def equalize(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Towards channels in which every value is as frequent."""
    share = np.cumsum(histograms(images), axis=2) / (images.shape[1] * images.shape[2])
    return pixels.look_up(images, LEVELS + (255 * share - LEVELS) * strength[:, None, None])


def vignette(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Darker away from a point near the middle, to a tenth in the far corner."""
    rows, columns = pixels.places(images.shape[1:3])
    centre = draws.span(keys, "centre", -0.4, 0.4, 2)[:, :, None, None]
    far = (rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2
    far *= (0.9 * strength)[:, None, None] / far.max(axis=(1, 2), keepdims=True)
    return pixels.shade(images, 1 - far)


def gradient(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Lit from one side: times 1.8 there, times 0.2 on the other."""
    rows, columns = pixels.places(images.shape[1:3])
    angle = draws.span(keys, "angle", 0, 2 * np.pi)[:, None, None]
    ramp = (rows * np.sin(angle) + columns * np.cos(angle)) * np.float32(0.7)
    ramp *= (0.8 * strength)[:, None, None]
    ramp += 1
    return pixels.shade(images, ramp)


def clahe(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Brightness equalized within each of 4x4 tiles, the tables blended between their centres,
    peaks of the histograms cut off (contrast-limited adaptive equalization)."""
    height, width = images.shape[1:3]
    grey = pixels.luma(images)
    row, column = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    tile = row[:, None] * 4 + column[None, :]
    at_y = np.clip((np.arange(height) + 0.5) * 4 / height - 0.5, 0, 3)
    at_x = np.clip((np.arange(width) + 0.5) * 4 / width - 0.5, 0, 3)
    result = np.empty_like(images)
    for i in range(len(images)):
        level = grey[i].astype(np.int64)
        counts = np.bincount((tile * 256 + level).ravel(), minlength=4096).reshape(16, 256)
        limit = counts.sum(axis=1, keepdims=True) * 6 / 256
        cut = np.minimum(counts, limit)
        cut += (counts.sum(axis=1, keepdims=True) - cut.sum(axis=1, keepdims=True)) / 256
        tables = np.cumsum(cut, axis=1) * 255 / np.maximum(cut.sum(axis=1, keepdims=True), 1)
        new = sum(tables[y[:, None] * 4 + x[None, :], level] * wy[:, None] * wx[None, :]
                  for y, wy in ends(at_y) for x, wx in ends(at_x))
        gain = 1 + (new / np.maximum(grey[i], 1) - 1) * strength[i]
        result[i] = pixels.to_bytes((images[i] * gain[..., None]).astype(np.float32))
    return result


def ends(at: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The whole numbers around ``at`` in 0..3 and their weights."""
    low = np.minimum(at.astype(np.int64), 2)
    return [(low, 1 - (at - low)), (low + 1, at - low)]
