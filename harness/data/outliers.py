"""Odd pictures: how far each lies from what is usual for its kind.

The distance is Mahalanobis' to the nearest class, so that a wrong label alone makes no outlier.
The covariance is shared by the classes, shrunk (Ledoit and Wolf: A well-conditioned estimator
for large-dimensional covariance matrices, 2004), and fitted a second time without the farthest
pictures, so that outliers don't widen what is usual.
"""

import numpy as np

LISTED = 4.0        # robust deviations that are worth a look ...
DROPPED = 8.0       # ... and that only a picture of something else has
MATES = 5           # neighbours; a picture with so many near it is of a rare kind, and no outlier
NEAR = 0.25         # of the distance to the class: as near are those of a kind, however scattered
TRIMMED = 0.05      # share of the pictures that the second fit leaves out
FEW = 50            # pictures; with fewer nothing is known of what is usual
SAMPLE = 1000       # pictures that tell how far a fifth neighbour usually is
DIMENSIONS = 40     # at most, of the space in which distances are measured


def measured(described: np.ndarray, labels: np.ndarray, limit: float = DROPPED
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance float64 (n,) of each picture to the nearest class, how odd that is, and how odd its
    distance to its fifth neighbour is, each float64 (n,).

    described: float (n, d), statistics or a network's features; labels: int64 (n,), -1 where
    there is none; limit: the lowest oddness that anyone will ask about. Oddness is in robust
    deviations above the usual. Whatever is odd in the first sense only has company: hundreds of
    cells under a blue filter are far from the others, but near each other. Coloured cells among
    grey ones are so far that even their own kind seems far; they have company if it is much nearer
    than the class. The second is 0 for those, and where the first is so low that it doesn't matter.
    Both are 0 for fewer than 50 pictures, and where most pictures have the same statistics.
    """
    from scipy.spatial import KDTree

    lonely = np.zeros(len(described))
    space = reduced(described)
    if len(described) < FEW or not space.shape[1]:
        return lonely, lonely, lonely
    usual = np.ones(len(space), bool)
    for _ in range(2):
        far, precision = nearest(space, labels, usual)
        usual = far <= np.quantile(far, 1 - TRIMMED)
    oddness = deviations(far, far)
    maybe = np.flatnonzero(oddness > min(LISTED, limit))
    if len(maybe):
        white = space @ np.linalg.cholesky(precision)
        tree = KDTree(white)
        sample = np.random.default_rng(0).permutation(len(white))[:SAMPLE]
        around, alone = (tree.query(white[i], MATES + 1, workers=-1)[0][:, -1]
                         for i in (sample, maybe))
        lonely[maybe] = np.where(alone < NEAR * far[maybe], 0, deviations(alone, around))
    return far, oddness, lonely


def deviations(values: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """How many robust deviations ``values`` lie above the median of ``usual``, of the logarithms.

    Distances of real pictures have a far longer tail than the chi-squared distribution that
    normal data would give; their logarithm is nearly symmetrical, so that median and median
    absolute deviation describe it.
    """
    logs = np.log(usual[usual > 0]) if (usual > 0).any() else np.zeros(1)
    middle = np.median(logs)
    spread = 1.4826 * np.median(np.abs(logs - middle))
    if spread < 1e-9:
        return np.zeros(len(values))
    return (np.log(np.maximum(values, 1e-12)) - middle) / spread


def reduced(described: np.ndarray) -> np.ndarray:
    """The directions of largest spread, after every column got the same scale.

    Columns in which most pictures have one value are left out: they don't tell what is usual for
    the others, and any other value would seem infinitely far.
    """
    middle = np.median(described, 0)
    scale = np.median(np.abs(described - middle), 0) * 1.4826
    told = scale > 1e-6
    columns = (described - middle)[:, told].astype(np.float64) / scale[told]
    if columns.shape[1] <= DIMENSIONS:
        return columns
    # A few wild values must not choose the directions.
    _, vectors = np.linalg.eigh(np.cov(np.clip(columns, -5, 5).T))
    return columns @ vectors[:, -DIMENSIONS:]


def nearest(space: np.ndarray, labels: np.ndarray, usual: np.ndarray
            ) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest class, and the precision; the ``usual`` pictures tell both."""
    from sklearn.covariance import LedoitWolf

    kinds = [k for k in np.unique(labels) if (usual & (labels == k)).sum() >= 2]
    if not kinds:  # what is usual is known of all together at least
        labels, kinds = np.zeros_like(labels), [0]
    middles = {k: np.median(space[usual & (labels == k)], 0) for k in kinds}
    inner = [space[usual & (labels == k)] - middles[k] for k in kinds]
    precision = LedoitWolf(assume_centered=True).fit(np.concatenate(inner)).precision_
    squares = [np.einsum("nd,de,ne->n", space - middles[k], precision, space - middles[k],
                         optimize=True) for k in kinds]
    return np.sqrt(np.maximum(np.min(squares, 0), 0)), precision
