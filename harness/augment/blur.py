"""Blur: what a lens, a hand, or a filter does to edges. Lengths grow with the picture."""

import numpy as np

from harness.augment import draws, geometry, pixels


def padded(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """uint16 (H + 2 down, W + 2 right, 3): an image with itself mirrored around it."""
    height, width = image.shape[:2]
    wide = np.empty((height + 2 * down, width + 2 * right, 3), np.uint16)
    middle = wide[:, right:right + width]
    middle[down:down + height] = image
    middle[:down] = image[:down][::-1]
    middle[down + height:] = image[height - down:][::-1]
    wide[:, :right] = middle[:, :right][:, ::-1]
    wide[:, right + width:] = middle[:, width - right:][:, ::-1]
    return wide


def smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    """uint8 (H, W, 3) under a Gaussian of ``sigma`` pixels, whose weights are 256ths."""
    distance = np.arange(1, min(int(2.5 * sigma) + 2, *image.shape[:2]))
    sides = np.exp(-0.5 * (distance / sigma) ** 2)
    sides = np.rint(256 * sides / (1 + 2 * sides.sum())).astype(np.uint16)
    sides = sides[sides > 0]
    reach = len(sides)
    centre = np.uint16(256 - 2 * sides.sum())
    for axis in (0, 1):
        length = image.shape[axis]
        wide = padded(image, *((reach, 0) if axis == 0 else (0, reach)))
        crops = [wide[k:k + length] if axis == 0 else wide[:, k:k + length]
                 for k in range(2 * reach + 1)]
        total = crops[reach] * centre
        for k, weight in enumerate(sides, start=1):
            pair = crops[reach - k] + crops[reach + k]
            pair *= weight
            total += pair
        total += np.minimum(128, 65535 - total)
        image = (total >> 8).astype(np.uint8)
    return image


def gaussian_blur(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A Gaussian of up to 2.8 of 96 pixels."""
    sigma = 2.8 * pixels.unit(images) * strength + 0.2
    return np.stack([smoothed(image, float(s)) for image, s in zip(images, sigma, strict=True)])


def motion_blur(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The mean along a line of up to 15 of 96 pixels, in any direction."""
    angle = draws.span(keys, "angle", 0, np.pi)
    length = 1 + 14 * pixels.unit(images) * strength
    height, width = images.shape[1:3]
    result = np.empty_like(images)
    for i, image in enumerate(images):
        along = np.linspace(-0.5, 0.5, max(2, int(np.ceil(length[i])))) * length[i]
        line = np.rint(np.stack([along * np.sin(angle[i]), along * np.cos(angle[i])], axis=1))
        reach = int(np.abs(line).max())
        wide = padded(image, reach, reach)
        total = np.zeros(image.shape, np.uint32 if len(line) > 257 else np.uint16)
        for down, right in line.astype(int) + reach:
            total += wide[down:down + height, right:right + width]
        result[i] = pixels.to_bytes(total * np.float32(1 / len(line)))
    return result


def defocus(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The mean over a disk of up to 4 of 96 pixels' radius."""
    radius = 0.8 + 3.2 * pixels.unit(images) * strength
    return np.stack([disk_mean(image, float(r)) for image, r in zip(images, radius, strict=True)])


def disk_mean(image: np.ndarray, radius: float) -> np.ndarray:
    """uint8 (H, W, 3): row by row of the disk, from sums over ever longer stretches of a row."""
    height, width = image.shape[:2]
    reach = min(int(radius), height, width)
    halves = [int(np.sqrt(radius**2 - down**2)) for down in range(reach + 1)]
    count = 2 * sum(2 * half + 1 for half in halves) - (2 * halves[0] + 1)
    wide = padded(image, reach, reach)
    total = np.zeros(image.shape, np.uint32 if count > 257 else np.uint16)
    stretch: np.ndarray = wide[:, reach:reach + width].astype(total.dtype)
    for half in range(reach + 1):
        if half:
            stretch += wide[:, reach - half:][:, :width]
            stretch += wide[:, reach + half:][:, :width]
        for down in (d for d in range(-reach, reach + 1) if min(halves[abs(d)], reach) == half):
            total += stretch[reach + down:][:height]
    return pixels.to_bytes(total * np.float32(1 / count))


def median(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A 3x3 median, up to five times (per 96 pixels)."""
    passes = np.ceil(5 * pixels.unit(images) * strength).astype(int)
    result = images.copy()
    for step in range(int(passes.max())):
        part = np.flatnonzero(passes > step)
        result[part] = median_of_nine(result[part])
    return result


def median_of_nine(images: np.ndarray) -> np.ndarray:
    """Each pixel's 3x3 neighbourhood's median: that of the largest of the columns' least, the
    middle of their middles, and the least of their largest (Smith, Implementing median filters in
    XC4000E FPGAs, 1996)."""
    height, width = images.shape[1:3]
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    a, b, c = (wide[:, k:k + height] for k in range(3))
    a, b = np.minimum(a, b), np.maximum(a, b)
    b, c = np.minimum(b, c), np.maximum(b, c)
    a, b = np.minimum(a, b), np.maximum(a, b)
    low, middle, high = ([level[:, :, k:k + width] for k in range(3)] for level in (a, b, c))
    return median_of_three(np.maximum(np.maximum(low[0], low[1]), low[2]),
                           median_of_three(*middle),
                           np.minimum(np.minimum(high[0], high[1]), high[2]))


def median_of_three(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def sharpen(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Edges drawn up to four times as hard (an unsharp mask), with halos."""
    sigma = 1.2 * pixels.unit(images) + 0.1
    soft = np.stack([smoothed(image, sigma) for image in images])
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
