"""What near-duplicates are searched by: a few numbers a picture that its copies share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from harness.data.features import averaging
from zoo.device import cores

SIDE = 32       # pixels of the reduced picture that the numbers are taken from
THUMB = 16      # pixels of the one that tells the orientation
ORDER = 5       # spatial frequencies below this order
FLAT = 0.5      # grey levels; pictures with a smaller standard deviation show nothing
CHUNK = 256


@dataclass(frozen=True)
class Fingerprints:
    """numbers f32 (N, 14): equal for all eight orientations, whatever brightness and contrast.

    thumbs f32 (N, 16, 16): mean 0, norm 1; flat bool (N,): nothing to compare.
    """

    numbers: np.ndarray
    thumbs: np.ndarray
    flat: np.ndarray


def fingerprints(images: np.ndarray) -> Fingerprints:
    """Reduce pictures u8 (N, H, W, 3).

    A perceptual hash that isn't rounded to bits: low-frequency coefficients of the discrete
    cosine transform, divided by the picture's contrast. Mirroring changes their signs and
    transposing swaps the two frequencies, so that the larger and the smaller magnitude of each
    such pair stay the same for every orientation.
    """
    grey = greys(images, SIDE)
    grey -= grey.mean((1, 2), keepdims=True)
    spread = np.sqrt(np.square(grey).mean((1, 2)))
    cosines = basis(SIDE, ORDER)
    coefficients = np.abs(cosines @ grey @ cosines.T)
    u, v = np.triu_indices(ORDER)
    wanted = (u + v > 0) & (u + v < ORDER)
    u, v = u[wanted], v[wanted]
    one, other = coefficients[:, u, v], coefficients[:, v, u]
    numbers = np.concatenate([np.maximum(one, other), np.minimum(one, other)[:, u != v]], 1)
    numbers /= np.maximum(spread * SIDE, 1e-6)[:, None]
    block = SIDE // THUMB
    thumbs = grey.reshape(-1, THUMB, block, THUMB, block).mean((2, 4))
    norm = np.sqrt(np.square(thumbs).sum((1, 2), keepdims=True))
    return Fingerprints(numbers, thumbs / np.maximum(norm, 1e-6), spread < FLAT)


def basis(side: int, order: int) -> np.ndarray:
    """Orthonormal cosines f32 (order, side), the constant one first."""
    angle = np.pi * (np.arange(side) + 0.5) * np.arange(order)[:, None] / side
    cosines = np.cos(angle) * np.sqrt(2 / side)
    cosines[0] /= np.sqrt(2)
    return cosines.astype(np.float32)


def greys(images: np.ndarray, side: int) -> np.ndarray:
    """Grey square pictures f32 (N, side, side), averaged over areas: a mirrored picture gives the
    mirrored average, which Pillow's box filter does not."""
    from PIL import Image

    _, height, width, _ = images.shape
    down, across = averaging(height, side), averaging(width, side).T
    found = np.empty((len(images), side, side), np.float32)

    def reduce(start: int) -> None:
        for i in range(start, min(start + CHUNK, len(images))):
            grey = np.asarray(Image.fromarray(images[i]).convert("L"))
            found[i] = down @ grey.astype(np.float32) @ across

    in_threads(reduce, range(0, len(images), CHUNK))
    return found


def in_threads(work: Callable[[int], None], pieces: range) -> None:
    """Do ``work`` for each piece, on as many threads as this process has cores."""
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, pieces))


def turned(pictures: np.ndarray, orientation: int) -> np.ndarray:
    """Square pictures (..., S, S) in one of the eight orientations, 0..7."""
    turned = np.rot90(pictures, orientation % 4, axes=(-2, -1))
    return turned[..., ::-1] if orientation >= 4 else turned
