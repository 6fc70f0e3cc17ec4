"""Numbers that describe pictures without any network, for finding copies and odd ones."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

BLOCK = 256         # pictures at once
GRID = 24           # pixels a side of the small pictures that descriptors are taken from
RINGS, SPOKES, HARMONICS = 8, 32, 5
BANDS = (0, .1, .4, .6, .9, 1)      # shares of a picture's pixels, the darkest first


def blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, min(n, start + BLOCK))


def shrink(images: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The pictures at ``index`` of uint8 (N, H, W, 3), averaged over areas: float32
    (n, GRID, GRID, 3)."""
    _, height, width, _ = images.shape
    result = np.empty((len(index), GRID, GRID, 3), np.float32)
    down, across = averaging(height, GRID), averaging(width, GRID)
    for part in blocks(len(index)):
        rows = down @ images[index[part]].reshape(-1, height, width * 3).astype(np.float32)
        result[part] = across @ rows.reshape(-1, GRID, width, 3)
    return result


def averaging(size: int, side: int) -> np.ndarray:
    """float32 (side, size): each row averages its share of ``size`` pixels."""
    edges = np.linspace(0, size, side + 1)
    pixel = np.arange(size)
    low = np.maximum(edges[:-1, None], pixel)
    high = np.minimum(edges[1:, None], pixel + 1)
    return (np.clip(high - low, 0, None) * side / size).astype(np.float32)


def invariants(small: np.ndarray) -> np.ndarray:
    """float32 (n, 2 * 3 * 8 * 5) of ``small`` (n, s, s, 3), the same however a picture is turned
    or mirrored: sizes of the angular harmonics of rings around the middle.

    The second half is of the contrasts' size, in which texture shows.
    """
    from scipy.ndimage import uniform_filter

    rough = np.abs(small - uniform_filter(small, (0, 3, 3, 0), mode="nearest"))
    return np.concatenate([harmonics(small), harmonics(rough)], 1)


def harmonics(small: np.ndarray) -> np.ndarray:
    side = small.shape[1]
    radius = (np.arange(RINGS) + .5) / RINGS * (side - 1) / 2
    angle = np.arange(SPOKES) * 2 * np.pi / SPOKES
    y = (side - 1) / 2 + radius[:, None] * np.sin(angle)
    x = (side - 1) / 2 + radius[:, None] * np.cos(angle)
    top, left = (np.clip(np.floor(a).astype(int), 0, side - 2) for a in (y, x))
    result = np.empty((len(small), 3 * RINGS * HARMONICS), np.float32)
    for part in blocks(len(small)):
        ring = np.zeros((len(small[part]), RINGS, SPOKES, 3), np.float32)
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            share = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
            ring += small[part][:, top + down, left + right] * share[..., None].astype(np.float32)
        sizes = np.abs(np.fft.rfft(ring, axis=2)[:, :, :HARMONICS]) / SPOKES
        result[part] = sizes.reshape(len(sizes), -1)
    return result


def percentiles(flat: np.ndarray) -> np.ndarray:
    """float (n, 5, 3) of pixels (n, p, 3)."""
    found: np.ndarray = np.percentile(flat, (5, 25, 50, 75, 95), axis=1).transpose(1, 0, 2)
    return found


def bands(flat: np.ndarray) -> np.ndarray:
    """float (n, 5, 3) of pixels (n, p, 3): means of the darkest tenth to the brightest one. Where
    pictures have two tones, percentiles jump from one to the other, but these don't."""
    ordered, edges = np.sort(flat, 1), np.round(np.array(BANDS) * flat.shape[1]).astype(int)
    return np.stack([ordered[:, a:b].mean(1) for a, b in pairwise(edges)], 1)


def statistics(small: np.ndarray, tones: Callable[[np.ndarray], np.ndarray] = percentiles
               ) -> np.ndarray:
    """float32 (n, 25) of ``small`` (n, s, s, 3): simple statistics, which show why one is odd.

    Means, spreads, and tones of the three colours; how much colours differ; how rough it is;
    where the dark part lies and how far it reaches.
    """
    flat = small.reshape(len(small), -1, 3)
    grey = flat.mean(2)
    dark = np.clip(np.median(grey, 1, keepdims=True) - grey, 0, None) + 1e-3
    weight = dark / dark.sum(1, keepdims=True)
    y, x = (np.indices(small.shape[1:3]).reshape(2, -1) - (small.shape[1] - 1) / 2)
    far = np.hypot(weight @ y, weight @ x)
    reach = np.sqrt(weight @ (y * y + x * x))
    rough = np.stack([np.abs(np.diff(small, axis=axis)).mean((1, 2, 3)) for axis in (1, 2)], 1)
    hue = np.abs(flat[..., 0] - flat[..., 2])
    columns = [flat.mean(1), flat.std(1), tones(flat).reshape(len(flat), -1),
               np.log1p(rough.mean(1)), np.log1p(hue.mean(1)), far, reach]
    return np.concatenate([c.reshape(len(flat), -1) for c in columns], 1).astype(np.float32)
