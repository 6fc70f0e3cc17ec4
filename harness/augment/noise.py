"""Noise: what a sensor adds."""

import numpy as np

from harness.augment import draws, pixels


def grains(images: np.ndarray, keys: np.ndarray, grey: np.ndarray | None = None) -> np.ndarray:
    """float32, standard normal, shaped like ``images``; the same in all channels where ``grey``."""
    result = draws.noise(keys, "grains", images[0].size).reshape(images.shape)
    if grey is not None:
        result[grey] = result[grey][..., :1]
    return result


def gaussian_noise(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Normal noise of up to 50 grey levels; a third of the time without colour."""
    values = grains(images, keys, draws.uniform(keys, "grey") < 1 / 3)
    values *= pixels.column(50 * strength)
    values += images
    return pixels.to_bytes(values)


def shot_noise(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Noise that grows with the root of the light, as photons' does (normal approximation)."""
    values = grains(images, keys)
    values *= np.sqrt(images, dtype=np.float32) * pixels.column(4.5 * strength)
    values += images
    return pixels.to_bytes(values)


def speckle(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Noise in proportion to the light."""
    values = grains(images, keys)
    values *= pixels.column(0.4 * strength)
    values += 1
    values *= images
    return pixels.to_bytes(values)


def salt_pepper(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Up to an eighth of the pixels black or white."""
    from scipy.special import ndtri

    height, width = images.shape[1:3]
    values = draws.noise(keys, "grains", height * width).reshape(-1, height, width)
    bound = ndtri(1 - strength.astype(np.float64) / 16).astype(np.float32)[:, None, None]
    result = images.copy()
    result[values > bound] = 255
    result[values < -bound] = 0
    return result


def grain(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Coarse noise, in blotches of a few pixels."""
    height, width = images.shape[1:3]
    side = max(2, round(3 * pixels.unit(images)))
    rows, columns = -(-height // side), -(-width // side)
    coarse = draws.noise(keys, "grains", rows * columns * 3).reshape(-1, rows, columns, 3)
    values = coarse.repeat(side, axis=1)[:, :height].repeat(side, axis=2)[:, :, :width]
    values *= pixels.column(28 * strength)
    values += images
    return pixels.to_bytes(values)


def dither(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each value up to 1 (weak), 2 or 3 grey levels off: the last digits of a camera."""
    most = np.ceil(3 * strength).astype(np.int16)[:, None, None, None]
    values = draws.noise_bytes(keys, "digits", images[0].size).reshape(images.shape)
    values *= 2 * most + 1
    values >>= 8
    values -= most
    values += images
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def banding(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Rows or columns brighter or darker than their neighbours, by up to 40 grey levels."""
    height, width = images.shape[1:3]
    level = draws.noise(keys, "lines", max(height, width)) * (40 * strength)[:, None]
    down = (draws.uniform(keys, "axis") < 0.5)[:, None, None]
    lines = np.where(down, level[:, :height, None], level[:, None, :width])
    return pixels.to_bytes(images + lines[..., None].astype(np.float32))
