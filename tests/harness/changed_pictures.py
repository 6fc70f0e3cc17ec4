"""Pictures changed as copies in data files are: re-encoded, shifted, turned, brightened."""

import io
from collections.abc import Callable

import numpy as np


def jpeg(picture: np.ndarray, quality: int = 60) -> np.ndarray:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def shifted(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moved; its border is repeated where nothing follows."""
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return picture[rows][:, columns]


def turned(picture: np.ndarray, orientation: int) -> np.ndarray:
    picture = np.rot90(picture, orientation % 4)
    return np.ascontiguousarray(picture[:, ::-1] if orientation >= 4 else picture)


def brighter(picture: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(np.round(picture * factor), 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG at 60": jpeg,
    "a pixel down": lambda p: shifted(p, 1, 0),
    "a pixel up and left": lambda p: shifted(p, -1, -1),
    **{f"orientation {k}": lambda p, k=k: turned(p, k) for k in range(1, 8)},  # type: ignore[misc]
    "5 % brighter": lambda p: brighter(p, 1.05),
    "5 % darker": lambda p: brighter(p, 0.95),
    "all of it": lambda p: jpeg(brighter(shifted(turned(p, 6), 1, -1), 1.05), 70),
}


def changed(pictures: np.ndarray, change: str) -> np.ndarray:
    return np.stack([CHANGES[change](p) for p in pictures])
