"""Blur: what a lens, a hand, or a filter does to edges. Lengths grow with the picture."""

import numpy as np

from harness.augment import draws, geometry, pixels


def padded(images: np.ndarray, reach: int) -> np.ndarray:
    """Mirrored at the edges by ``reach`` pixels (H and W)."""
    return np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="symmetric")


def smoothed(images: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """float32 (n, H, W, 3) under a Gaussian of ``sigma`` pixels (n,), cut off at 2.5 sigma."""
    height, width = images.shape[1:3]
    reach = min(int(np.ceil(2.5 * float(sigma.max()))), height, width)
    distance = np.arange(reach + 1, dtype=np.float32)
    weights = np.exp(-0.5 * (distance / sigma[:, None]) ** 2)
    weights[distance > np.ceil(2.5 * sigma[:, None])] = 0
    # Added one after another, so that zeros behind a narrow kernel don't change its sum.
    weights /= 2 * np.cumsum(weights, axis=1)[:, -1:] - weights[:, :1]
    wide = padded(images, reach).astype(np.float32)
    tall = wide[:, reach:reach + height] * pixels.column(weights[:, 0])
    for step in range(1, reach + 1):
        pair = wide[:, reach - step:][:, :height] + wide[:, reach + step:][:, :height]
        pair *= pixels.column(weights[:, step])
        tall += pair
    result = tall[:, :, reach:reach + width] * pixels.column(weights[:, 0])
    for step in range(1, reach + 1):
        pair = tall[:, :, reach - step:][:, :, :width] + tall[:, :, reach + step:][:, :, :width]
        pair *= pixels.column(weights[:, step])
        result += pair
    return result


def averaged(image: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """uint8: the mean of ``image`` (H, W, 3) moved by each of ``steps`` int64 (k, 2)."""
    height, width = image.shape[:2]
    reach = int(np.abs(steps).max())
    wide = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    total = np.zeros(image.shape, np.uint16)
    for down, right in steps + reach:
        total += wide[down:down + height, right:right + width]
    return pixels.to_bytes(total * np.float32(1 / len(steps)))


def gaussian_blur(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A Gaussian of up to 2.8 of 96 pixels."""
    return pixels.to_bytes(smoothed(images, (2.8 * pixels.unit(images) * strength) + 0.2))


def motion_blur(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The mean along a line of up to 15 of 96 pixels, in any direction."""
    angle = draws.span(keys, "angle", 0, np.pi)
    length = 1 + 14 * pixels.unit(images) * strength
    result = np.empty_like(images)
    for i, image in enumerate(images):
        along = np.linspace(-0.5, 0.5, max(2, int(np.ceil(length[i])))) * length[i]
        line = np.stack([along * np.sin(angle[i]), along * np.cos(angle[i])], axis=1)
        result[i] = averaged(image, np.rint(line).astype(np.int64))
    return result


def defocus(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The mean over a disk of up to 4 of 96 pixels' radius."""
    radius = 0.8 + 3.2 * pixels.unit(images) * strength
    result = np.empty_like(images)
    for i, image in enumerate(images):
        reach = np.arange(-int(radius[i]), int(radius[i]) + 1)
        grid = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
        result[i] = averaged(image, grid[(grid**2).sum(axis=1) <= radius[i] ** 2])
    return result


def exchange(pile: list[np.ndarray], low: int, high: int) -> None:
    pile[low], pile[high] = (np.minimum(pile[low], pile[high]), np.maximum(pile[low], pile[high]))


# A network of compare-exchanges that leaves the median of nine in the middle (Paeth, Median
# finding on a 3x3 grid, Graphics Gems 1990, in the arrangement of Devillard 1998).
NETWORK = ((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3), (5, 8),
           (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2))


def median(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A 3x3 median, up to six times (per 96 pixels)."""
    passes = np.ceil(6 * pixels.unit(images) * strength).astype(int)
    result = images.copy()
    height, width = images.shape[1:3]
    for step in range(int(passes.max())):
        part = np.flatnonzero(passes > step)
        wide = padded(result[part], 1)
        pile = [wide[:, y:y + height, x:x + width] for y in range(3) for x in range(3)]
        for low, high in NETWORK:
            exchange(pile, low, high)
        result[part] = pile[4]
    return result


def sharpen(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Edges drawn up to four times as hard (an unsharp mask), with halos."""
    soft = smoothed(images, np.full(len(images), 1.2 * pixels.unit(images) + 0.1, np.float32))
    values = images.astype(np.float32)
    return pixels.to_bytes(values + (values - soft) * pixels.column(4 * strength))


def glass(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Seen through frosted glass: each pixel is taken from up to a few pixels away."""
    height, width = images.shape[1:3]
    far = (1.6 * pixels.unit(images) * strength).astype(np.float32)[:, None, None]
    jitter = [draws.noise(keys, way, height * width).reshape(-1, height, width) * far
              for way in ("down", "right")]
    rows = np.arange(height, dtype=np.float32)[None, :, None] + jitter[0]
    columns = np.arange(width, dtype=np.float32)[None, None, :] + jitter[1]
    return geometry.sample(images, rows, columns)


def zoom_blur(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Moved towards the lens while the shutter was open: the mean of eight zooms up to 1.35."""
    rows, columns, half = geometry.frame(images)
    total = images.astype(np.float32)
    for step in range(1, 8):
        scale = (1 / (1 + 0.35 * strength * step / 7)).astype(np.float32)[:, None, None]
        total += geometry.sample(images, half[0] + half[0] * rows * scale,
                                 half[1] + half[1] * columns * scale)
    return pixels.to_bytes(total * np.float32(1 / 8))
