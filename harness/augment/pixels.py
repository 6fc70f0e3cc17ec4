"""What several operations need: bytes and back, colour matrices, look-up tables, smooth fields."""

import functools

import numpy as np

from harness.augment import draws

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601
LEVELS = np.arange(256, dtype=np.float32)  # what a byte can be, for tables


def column(values: np.ndarray) -> np.ndarray:
    """(n,) -> float32 (n, 1, 1, 1), to meet pictures."""
    return np.asarray(values, np.float32)[:, None, None, None]


def to_bytes(values: np.ndarray) -> np.ndarray:
    """float32 -> uint8, rounded, inside 0..255. Works in place on ``values``."""
    values += np.float32(0.5)
    np.clip(values, 0, 255.5, out=values)
    return values.astype(np.uint8)


def unit(images: np.ndarray) -> float:
    """How many pixels one pixel of a 96-pixel picture is: lengths are multiples of it."""
    return min(images.shape[1:3]) / 96


def blend(images: np.ndarray, other: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """images + amount * (other - images) as bytes; ``amount`` and ``other`` broadcast."""
    values = images.astype(np.float32)
    return to_bytes(values + (other - values) * amount)


def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Three channels of ``source`` into ``target``. One by one: numpy is slow at runs of three."""
    for c in range(3):
        target[..., c] = source[..., c]


def cover(images: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """``colour`` (n, 3) where ``mask`` (n, H, W), the picture elsewhere."""
    result = images.copy()
    for c in range(3):
        np.copyto(result[..., c], colour[:, c, None, None], where=mask, casting="unsafe")
    return result


def tint(images: np.ndarray, colour: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """images + amount (n, H, W) * (colour (n, 3) - images) as bytes."""
    result = np.empty_like(images)
    amount = amount.astype(np.float32)
    for c in range(3):
        plane = images[..., c].astype(np.float32)
        plane += (colour[:, c, None, None].astype(np.float32) - plane) * amount
        result[..., c] = to_bytes(plane)
    return result


def shade(images: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """images * factor (n, H, W) as bytes."""
    result = np.empty_like(images)
    for c in range(3):
        result[..., c] = to_bytes(images[..., c] * factor.astype(np.float32))
    return result


def recolour(images: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Each pixel times its picture's ``matrix`` (n, 3, 3), whose rows are outputs."""
    matrix = matrix.astype(np.float32)[:, :, :, None, None]
    planes = [images[..., c].astype(np.float32) for c in range(3)]
    result = np.empty_like(images)
    for out in range(3):
        total = planes[0] * matrix[:, out, 0]
        total += planes[1] * matrix[:, out, 1]
        total += planes[2] * matrix[:, out, 2]
        result[..., out] = to_bytes(total)
    return result


def luma(images: np.ndarray) -> np.ndarray:
    """float32 (n, H, W): brightness as eyes weigh it."""
    total = images[..., 0] * GREY[0]
    total += images[..., 1] * GREY[1]
    total += images[..., 2] * GREY[2]
    return total


def look_up(images: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Bytes through a table for each picture: tables (n, 256), or (n, 3, 256) by channel."""
    tables = to_bytes(tables.astype(np.float32))
    result = np.empty_like(images)
    for i, (image, table) in enumerate(zip(images, tables, strict=True)):
        if table.ndim == 1:
            flat = image.tobytes().translate(table.tobytes())
            result[i] = np.frombuffer(flat, np.uint8).reshape(image.shape)
            continue
        for c in range(3):
            flat = image[..., c].tobytes().translate(table[c].tobytes())
            result[i, ..., c] = np.frombuffer(flat, np.uint8).reshape(image.shape[:2])
    return result


@functools.lru_cache(16)
def spline(length: int, knots: int) -> np.ndarray:
    """float32 (length, knots): cubic B-spline basis over ``length`` pixels, rows sum to 1."""
    place = np.linspace(1, knots - 2, length)[:, None] - np.arange(knots)[None, :]
    far = np.abs(place)
    near = 2 / 3 - far**2 + far**3 / 2
    return np.where(far < 1, near, np.maximum(2 - far, 0) ** 3 / 6).astype(np.float32)


def smooth_field(keys: np.ndarray, tag: str, shape: tuple[int, int], knots: int) -> np.ndarray:
    """float32 (n, H, W): a smooth random surface of about mean 0 and deviation 1 at its knots."""
    grid = draws.noise(keys, tag, knots * knots).reshape(-1, knots, knots)
    return spline(shape[0], knots) @ grid @ spline(shape[1], knots).T


def places(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """float32 (1, H, 1) and (1, 1, W): -1..1 from edge to edge."""
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[None, :, None]
    return rows, np.linspace(-1, 1, shape[1], dtype=np.float32)[None, None, :]
