"""Pictures as data addresses, so that the page needs no other file."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

THUMB = 96   # pixels: the longest side of a picture in the page
STRIP = 64   # the same for pictures in a strip
QUALITY = 80


def address(image: np.ndarray, side: int = THUMB) -> str:
    """A data: address of one picture uint8 (H, W, 3), made smaller where it is larger than side."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.uint8))
    picture.thumbnail((side, side))
    return _jpeg(picture)


def strip(images: np.ndarray) -> str:
    """A data: address of pictures uint8 (n, H, W, 3) side by side."""
    from PIL import Image

    small = []
    for image in images:
        picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.uint8))
        picture.thumbnail((STRIP, STRIP))
        small.append(np.asarray(picture))
    return _jpeg(Image.fromarray(np.concatenate(small, axis=1)))


def matrix(shares: np.ndarray) -> str:
    """A data: address of a (K, K) table of shares 0..1, one pixel a cell, dark where many are."""
    from PIL import Image

    grey = (255 * (1 - np.sqrt(np.clip(shares, 0, 1)))).astype(np.uint8)
    return _encoded(Image.fromarray(grey), "png", optimize=True)


def _jpeg(picture: "Image.Image") -> str:
    return _encoded(picture, "jpeg", quality=QUALITY, optimize=True)


def _encoded(picture: "Image.Image", kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
