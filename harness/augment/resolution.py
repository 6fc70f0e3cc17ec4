"""Compression and resolution: what a file format or a coarser sensor leaves of a picture."""

import io

import numpy as np
from PIL import Image
from PIL.Image import Resampling as Filter

from harness.augment import draws, pixels


def jpeg(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Through JPEG at quality 60 (weak) down to 7."""
    quality = np.rint(7 + 53 * (1 - strength) ** 1.5).astype(int)
    result = np.empty_like(images)
    for i, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(quality[i]))
        result[i] = np.asarray(Image.open(file))
    return result


def resized(image: np.ndarray, factor: float, down: int, up: int) -> np.ndarray:
    """Made ``factor`` times smaller and large again, with Pillow's filters ``down`` and ``up``."""
    height, width = image.shape[:2]
    small = max(2, round(width / factor)), max(2, round(height / factor))
    picture = Image.fromarray(image)
    shrunk = picture.resize(small, Filter(down))
    return np.asarray(shrunk.resize((width, height), Filter(up)))


def downscale(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Through a picture up to 5.5 times smaller, with one of several filters each way."""
    down = np.array([Filter.BOX, Filter.BILINEAR, Filter.NEAREST])[draws.choice(keys, "down", 3)]
    up = np.array([Filter.BILINEAR, Filter.BICUBIC, Filter.LANCZOS])[draws.choice(keys, "up", 3)]
    factor = 1 + 4.5 * strength
    return np.stack([resized(image, float(f), int(d), int(u))
                     for image, f, d, u in zip(images, factor, down, up, strict=True)])


def pixelate(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Squares of up to 7 of 96 pixels, each of one colour."""
    side = 1 + 6 * pixels.unit(images) * strength
    return np.stack([resized(image, float(s), Filter.BOX, Filter.NEAREST)
                     for image, s in zip(images, side, strict=True)])


def lost_blocks(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A damaged file: up to 45 % of the blocks of 8x8 pixels keep their mean colour alone."""
    height, width = images.shape[1:3]
    rows, columns = -(-height // 8), -(-width // 8)
    lost = draws.uniform(keys, "lost", rows * columns) < 0.45 * strength[:, None]
    result = images.copy()
    for i, block in np.argwhere(lost):
        y, x = 8 * (block // columns), 8 * (block % columns)
        part = images[i, y:y + 8, x:x + 8]
        result[i, y:y + 8, x:x + 8] = part.reshape(-1, 3).mean(axis=0)
    return result
