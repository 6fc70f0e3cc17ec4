"""Overlay: another picture lies half transparent over this one."""

import numpy as np

from harness.augment import draws, pixels
from harness.augment.pixels import LEVELS


def mist(images: np.ndarray, keys: np.ndarray, knots: int) -> np.ndarray:
    """float32 (n, H, W), 0..1: clouds."""
    field = pixels.smooth_field(keys, "cloud", images.shape[1:3], knots)
    return np.clip(np.float32(0.5) + field, 0, 1)


def fog(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """White clouds that hide up to four fifths."""
    amount = (0.35 + 0.65 * mist(images, keys, 6)) * (0.8 * strength)[:, None, None]
    white = draws.span(keys, "white", 190, 255)[:, None].repeat(3, axis=1)
    return pixels.tint(images, white, amount)


def haze(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A veil of one colour, up to two thirds."""
    colour = draws.uniform(keys, "colour", 3) * 255
    return pixels.look_up(images, LEVELS + (colour[..., None] - LEVELS)
                          * (0.65 * strength)[:, None, None])


def smear(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Stain that was not washed off: clouds of one colour that multiply the light."""
    colour = draws.span(keys, "colour", 0.15, 1, 3)
    amount = mist(images, keys, 7) * strength[:, None, None]
    result = np.empty_like(images)
    for c in range(3):
        light = 1 + (colour[:, c, None, None] - 1) * amount
        result[..., c] = pixels.to_bytes(images[..., c] * light)
    return result


def shadow(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """One side of a soft edge darkened, down to a fifth of its light."""
    rows, columns = pixels.places(images.shape[1:3])
    angle = draws.span(keys, "angle", 0, 2 * np.pi)[:, None, None]
    edge = draws.span(keys, "edge", -0.6, 0.6)[:, None, None]
    soft = draws.span(keys, "soft", 1, 12)[:, None, None]
    dark = np.clip((rows * np.sin(angle) + columns * np.cos(angle) - edge) * soft + 0.5, 0, 1)
    return pixels.shade(images, 1 - dark * (0.8 * strength)[:, None, None])


def ghost(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A double picture: itself, flipped or not, moved by up to a third, up to half as present."""
    height, width = images.shape[1:3]
    move = np.rint(draws.span(keys, "move", -0.33, 0.33, 2) * (height, width)).astype(int)
    flipped = draws.uniform(keys, "flipped") < 0.5
    other = np.stack([np.roll(image[::-1] if f else image, (int(y), int(x)), axis=(0, 1))
                      for image, f, (y, x) in zip(images, flipped, move, strict=True)])
    return pixels.blend(images, other.astype(np.float32), pixels.column(0.5 * strength))


def stripes(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A wave of light and dark across the picture, as of interference, to 70 grey levels."""
    rows, columns = pixels.places(images.shape[1:3])
    angle = draws.span(keys, "angle", 0, np.pi)[:, None, None]
    waves = draws.span(keys, "waves", 6, 40)[:, None, None]
    phase = draws.span(keys, "phase", 0, 2 * np.pi)[:, None, None]
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * waves + phase)
    return pixels.to_bytes(images + wave[..., None] * pixels.column(70 * strength))


def strokes(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Marks and letters: a line of small strokes of one bright or dark colour."""
    height, width = images.shape[1:3]
    size = pixels.unit(images) * (5 + 9 * strength)
    count = (4 + np.rint(8 * strength)).astype(int)
    top = draws.span(keys, "top", 0.05, 0.8) * height
    left = draws.span(keys, "left", 0, 0.5) * width
    shape = draws.uniform(keys, "shape", 12 * 9).reshape(-1, 12, 3, 3) < 0.55
    colour = np.where(draws.uniform(keys, "colour", 3) < 0.5, 20, 235).astype(np.uint8)
    result = images.copy()
    for i in range(len(images)):
        cell = max(1, int(size[i] / 3))
        for j in range(count[i]):
            letter = shape[i, j].repeat(cell, axis=0).repeat(cell, axis=1)
            y, x = int(top[i]), int(left[i] + j * 4 * cell)
            part = result[i, y:y + 3 * cell, x:x + 3 * cell]
            part[letter[:part.shape[0], :part.shape[1]]] = colour[i]
    return result
