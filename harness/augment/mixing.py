"""MixUp and CutMix: two pictures in one, their labels in the same proportion.

Both are for pictures. Neither is offered for cached activations: a network's activations of a mixed
picture are not the mixed activations of two, because rectifiers, pooling and normalisation lie
between them, and a convolution's output near a CutMix seam sees both sides.

    mix          a batch with its one-hot (or soft) labels, mixed
"""

import numpy as np

from harness.augment import draws, pixels
from zoo.errors import UserError

KINDS = ("none", "mixup", "cutmix", "both")
ALPHA = 0.3  # of MixUp's beta distribution: most mixtures are near one of the two pictures


def mix(images: np.ndarray, labels: np.ndarray, kind: str, seed: int, step: int
        ) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (n, H, W, 3) and float32 (n, K): each picture mixed with another one of the batch.

    labels (n, K): their rows' sums are kept where all are equal (as of one-hot ones).
    kind: "none", "mixup" (Zhang et al. 2018), "cutmix" (Yun et al. 2019), or "both", either half
    of the time; (seed, step) name the batch. Raises UserError for another kind.
    """
    if kind not in KINDS:
        raise UserError(f"There is no mixing {kind!r}. There are: {', '.join(KINDS)}.")
    labels = labels.astype(np.float32)
    if kind == "none" or len(images) < 2:
        return images, labels
    keys = draws.key(seed, step, np.arange(len(images)))
    order = np.argsort(draws.uniform(keys, "order"))
    partner = np.empty(len(images), np.int64)
    partner[order] = np.roll(order, 1)  # one ring through the batch: nobody meets itself
    cut = {"mixup": np.zeros(len(images), bool), "cutmix": np.ones(len(images), bool),
           "both": draws.uniform(keys, "kind") < 0.5}[kind]
    mixed = np.empty_like(images)
    share = np.empty(len(images), np.float32)
    for method, part in ((cutmix, np.flatnonzero(cut)), (mixup, np.flatnonzero(~cut))):
        mixed[part], share[part] = method(images[part], images[partner[part]], keys[part])
    return mixed, labels + share[:, None] * (labels[partner] - labels)


def mixup(images: np.ndarray, others: np.ndarray, keys: np.ndarray
          ) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means of two pictures, and the second one's weight (n,), from Beta(ALPHA, ALPHA)."""
    from scipy.special import betaincinv

    share = betaincinv(ALPHA, ALPHA, draws.uniform(keys, "share").astype(np.float64))
    share = share.astype(np.float32)
    return pixels.blend(images, others.astype(np.float32), pixels.column(share)), share


def cutmix(images: np.ndarray, others: np.ndarray, keys: np.ndarray
           ) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle of the second picture in the first, and its share (n,) of the pixels. It is drawn
    with an area even in 0..1 and may hang over the edge, where it is cut off."""
    height, width = images.shape[1:3]
    side = np.sqrt(draws.uniform(keys, "area"))
    centre = draws.uniform(keys, "centre", 2)
    mixed, share = images.copy(), np.empty(len(images), np.float32)
    for i in range(len(images)):
        (top, bottom), (left, right) = (
            np.clip(np.rint((c + np.array([-0.5, 0.5]) * side[i]) * length), 0, length).astype(int)
            for c, length in zip(centre[i], (height, width), strict=True))
        mixed[i, top:bottom, left:right] = others[i, top:bottom, left:right]
        share[i] = (bottom - top) * (right - left) / (height * width)
    return mixed, share
