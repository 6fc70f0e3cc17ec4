"""MixUp and CutMix: two pictures in one, their labels in the same proportion.

What is mixed is a view, before it passes the network. A network's activations of a mixed picture
are not the mixed activations of two (rectifiers, pooling and normalization lie between them, and a
convolution at a CutMix seam sees both sides), but those of a mixed *view* are cached like any
other view's, and its soft label is exact.

    Mixing       who is mixed with whom, in which way and proportion
    mix          the pictures of a view, mixed so

Partners come from a picture's own part of the data set. Every training set of a run is a union of
whole parts, so that no validation picture reaches training in a mixture, nor does a near-duplicate
of one: groups of these lie inside one part.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.augment import draws, pixels
from zoo.errors import UserError

KINDS = ("mixup", "cutmix", "both")
ALPHA = 0.3  # of MixUp's beta distribution: most mixtures are near one of the two pictures


@dataclass(frozen=True)
class Pairs:
    """For each of n pictures: ``partner`` int64 (n,), and its ``share`` float32 (n,) in the
    mixture; ``cut`` bool (n,): CutMix, with the rectangle ``box`` int64 (n, 4) of the partner (top,
    bottom, left, right), else MixUp."""

    partner: np.ndarray
    share: np.ndarray
    cut: np.ndarray
    box: np.ndarray


@dataclass(frozen=True)
class Mixing:
    """kind: "mixup" (Zhang et al. 2018), "cutmix" (Yun et al. 2019), or "both", either half of the
    time; part int64 (N,): the part of the data set that each picture is in.

    Raises UserError for another kind.
    """

    kind: str
    part: np.ndarray

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"There is no mixing {self.kind!r}. There are: {', '.join(KINDS)}.")

    @cached_property
    def places(self) -> tuple[np.ndarray, ...]:
        """Pictures part by part; then for each picture where its part begins in that order, its
        place in the part, and the part's size."""
        order = np.argsort(self.part, kind="stable")
        _, number, sizes = np.unique(self.part, return_inverse=True, return_counts=True)
        first = (np.cumsum(sizes) - sizes)[number]
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        return order, first, place - first, sizes[number]

    def pairs(self, index: np.ndarray, seed: int, view: int, shape: tuple[int, int]) -> Pairs:
        """The mixtures that the pictures at ``index`` (n,) are in ``view``; (seed, view, picture)
        decides each. shape: height and width. A picture alone in its part is its own partner."""
        keys = draws.fork(draws.key(seed, view, index), "mixing")
        order, *of_each = self.places
        first, place, size = (a[index] for a in of_each)
        step = 1 + np.floor(draws.uniform(keys, "partner") * (size - 1.0)).astype(np.int64)
        cut = {"mixup": np.zeros(len(index), bool), "cutmix": np.ones(len(index), bool),
               "both": draws.uniform(keys, "kind") < 0.5}[self.kind]
        box = boxes(keys, shape)
        area = (box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]) / (shape[0] * shape[1])
        share = np.where(cut, area, weights(keys)).astype(np.float32)
        return Pairs(order[first + (place + step) % size], share, cut, box)


def weights(keys: np.ndarray) -> np.ndarray:
    """MixUp's weights of the partner, (n,), from Beta(ALPHA, ALPHA)."""
    from scipy.special import betaincinv

    return np.asarray(betaincinv(ALPHA, ALPHA, draws.uniform(keys, "share").astype(np.float64)))


def boxes(keys: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """CutMix's rectangles, int64 (n, 4): top, bottom, left, right. They are drawn with an area even
    in 0..1 and may hang over the edge, where they are cut off."""
    half = np.sqrt(draws.uniform(keys, "area")) / 2
    centre = draws.uniform(keys, "centre", 2)
    edges = [np.clip(np.rint((centre[:, axis] + sign * half) * shape[axis]), 0, shape[axis])
             for axis in (0, 1) for sign in (-1, 1)]
    return np.stack(edges, axis=1).astype(np.int64)


def mix(images: np.ndarray, others: np.ndarray, pairs: Pairs) -> np.ndarray:
    """uint8 (n, H, W, 3): each of ``images`` mixed with its partner's picture in ``others``."""
    mixed = images.copy()
    rows = np.flatnonzero(~pairs.cut)
    mixed[rows] = pixels.blend(images[rows], others[rows].astype(np.float32),
                               pixels.column(pairs.share[rows]))
    for i in np.flatnonzero(pairs.cut):
        top, bottom, left, right = pairs.box[i]
        mixed[i, top:bottom, left:right] = others[i, top:bottom, left:right]
    return mixed
