"""Near-duplicates: one shot of one thing, re-encoded, shifted a little, turned, or brightened.

Candidates are nearest neighbours of fingerprints (harness/data/fingerprints.py). They are then
turned onto each other and compared on their pixels: pictures of one shot agree in fine detail,
different cells don't, however similar they look.
"""

import numpy as np

from harness.data.fingerprints import Fingerprints, fingerprints, greys, turned

RADIUS = 0.1        # between fingerprints
NEIGHBOURS = 8      # of a picture, itself included
COARSE = 0.93       # correlation of 16x16 pictures, best orientation
FINE = 0.9          # correlation of fine detail, best shift ...
SURE = 0.97         # ... and that of one shot beyond doubt, where all pictures show much the same
SHIFT = 2           # pixels, each way
SIDE = 96           # pixels; larger pictures are compared at this size
DETAIL = (1 / 96, 4 / 96)   # of a side: structures between these widths are fine detail ...
SMALLEST = (0.5, 2.0)       # ... but in pixels not below these, which noise and JPEG disturb
CHUNK = 128
LEAST = 1e-3        # grey levels; a norm below it is that of nothing
LEAF = 64           # points in a leaf of the search tree; comparing them is cheaper than parting


def near_duplicates(images: np.ndarray) -> np.ndarray:
    """Pairs of positions i64 (P, 2), first below second, in pictures u8 (N, H, W, 3).

    Exact copies should be left out: each counts as a neighbour.
    """
    return compared(images)[0]


def compared(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The near-duplicates, and how alike each pair's fine detail is, f32 (P,), FINE to 1."""
    prints = fingerprints(images)
    pairs = candidates(prints, prints, NEIGHBOURS)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], 1), axis=0)
    return confirmed(images, prints, images, prints, pairs)


def twins(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pairs i64 (P, 2) of a picture in ``a`` and its near-duplicate in ``b``; sizes may differ."""
    of_a, of_b = fingerprints(a), fingerprints(b)
    return confirmed(a, of_a, b, of_b, candidates(of_a, of_b, NEIGHBOURS // 2))[0]


def grouped(n: int, pairs: np.ndarray) -> np.ndarray:
    """A group number i64 (n,) for each picture: the position of its group's first member."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, component = connected_components(links, directed=False)
    _, first = np.unique(component, return_index=True)
    return first[component].astype(np.int64)


def candidates(a: Fingerprints, b: Fingerprints, neighbours: int) -> np.ndarray:
    """Pairs whose fingerprints are close, i64 (P, 2)."""
    from scipy.spatial import KDTree

    in_a, in_b = np.flatnonzero(~a.flat), np.flatnonzero(~b.flat)
    if not len(in_a) or not len(in_b):
        return np.empty((0, 2), np.int64)
    _, found = KDTree(a.numbers[in_a], LEAF).query(b.numbers[in_b], k=[*range(1, neighbours + 1)],
                                                   distance_upper_bound=RADIUS, workers=-1)
    row, column = np.nonzero(found < len(in_a))
    return np.stack([in_a[found[row, column]], in_b[row]], 1)


def confirmed(a: np.ndarray, of_a: Fingerprints, b: np.ndarray, of_b: Fingerprints,
              pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs whose pixels agree, and how much."""
    orientation, likeness = oriented(of_a.thumbs, of_b.thumbs, pairs)
    close = likeness >= COARSE
    pairs, orientation = pairs[close], orientation[close]
    side = min(SIDE, max(a.shape[1:3]), max(b.shape[1:3]))
    likeness = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), CHUNK):
        part = slice(start, start + CHUNK)
        one, other = details(a, pairs[part, 0], side), details(b, pairs[part, 1], side)
        for i, k in enumerate(orientation[part]):
            other[i] = turned(other[i].copy(), k)
        likeness[part] = agreement(one, other)
    agree = likeness >= FINE
    return pairs[agree], likeness[agree]


def oriented(a: np.ndarray, b: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How to turn the second of each pair onto the first, 0..7, and how alike they are then."""
    alike = np.empty((len(pairs), 8), np.float32)
    for start in range(0, len(pairs), 4096):
        part = slice(start, start + 4096)
        one, other = a[pairs[part, 0]], b[pairs[part, 1]]
        for k in range(8):
            alike[part, k] = np.einsum("nij,nij->n", one, turned(other, k))
    return alike.argmax(1), alike.max(1) if len(pairs) else np.empty(0, np.float32)


def details(images: np.ndarray, wanted: np.ndarray, side: int) -> np.ndarray:
    """The fine detail f32 (n, side, side) of the wanted pictures: what is wider than noise and
    narrower than shading."""
    from scipy.ndimage import gaussian_filter1d

    each, place = np.unique(wanted, return_inverse=True)
    grey = greys(images[each], side)
    fine, coarse = (gaussian_filter1d(np.eye(side, dtype=np.float32), max(width * side, least),
                                      axis=0)
                    for width, least in zip(DETAIL, SMALLEST, strict=True))
    return (fine @ grey @ fine.T - coarse @ grey @ coarse.T)[place]


def agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation (n,) of the fine detail of pictures f32 (n, S, S), at the best small shift."""
    side = a.shape[1] - 2 * SHIFT
    middle = a[:, SHIFT:SHIFT + side, SHIFT:SHIFT + side]
    middle = middle - middle.mean((1, 2), keepdims=True)
    middle /= np.maximum(norms(middle), LEAST)[:, None, None]
    best = np.full(len(a), -1.0, np.float32)
    for y in range(2 * SHIFT + 1):
        for x in range(2 * SHIFT + 1):
            # The other's mean needn't be taken off for the product: the middle's is 0.
            moved = b[:, y:y + side, x:x + side]
            spread = np.sqrt(np.maximum(
                norms(moved) ** 2 - (side * moved.mean((1, 2))) ** 2, LEAST ** 2))
            best = np.maximum(best, np.einsum("nij,nij->n", middle, moved) / spread)
    return best


def norms(pictures: np.ndarray) -> np.ndarray:
    """The Euclidean norm (n,) of each picture (n, H, W)."""
    return np.sqrt(np.einsum("nij,nij->n", pictures, pictures))
