"""Views: what a network sees of a data set.

View 0 is untouched, every other one is augmented. Where views are mixed, those from ``MIXED`` on
are: what validation is judged on (see ``stages.Learner.judge``) stays pictures of one class.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import augment
from harness.augment.mixing import Mixing, Pairs, mix
from harness.data.dataset import Dataset
from zoo.files import content_hash

SAMPLE = 256  # pictures whose rendering stands for the code that renders
MIXED = 2     # the first view that is mixed: before it are the two that judge


@dataclass(frozen=True)
class Views:
    """A data set under an augmentation policy; (seed, picture, view) decides every pixel."""

    dataset: Dataset
    policy: str
    magnitude: float = 1.0
    seed: int = 0
    mixing: Mixing | None = None

    def render(self, index: np.ndarray, view: int) -> np.ndarray:
        """uint8 (len(index), H, W, 3): the pictures at ``index`` (n,) in this view."""
        pairs = self.pairs(index, view)
        if pairs is None:
            return self.augmented(index, view)
        return mix(self.augmented(index, view), self.augmented(pairs.partner, view), pairs)

    def augmented(self, index: np.ndarray, view: int) -> np.ndarray:
        if view == 0 or self.policy == "none":
            return self.dataset.images[index]
        return augment.render(self.dataset.images, index, self.policy, self.magnitude, self.seed,
                              view)

    def partners(self, index: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray]:
        """What the pictures at ``index`` (n,) are mixed with in this view, int64 (n,), and its
        share in them, float32 (n,): themselves and 0 where nothing is mixed."""
        pairs = self.pairs(index, view)
        if pairs is None:
            return index, np.zeros(len(index), np.float32)
        return pairs.partner, pairs.share

    def pairs(self, index: np.ndarray, view: int) -> Pairs | None:
        """The mixtures of this view; None where it isn't mixed."""
        if self.mixing is None or view < MIXED:
            return None
        return self.mixing.pairs(index, self.seed, view, self.dataset.images.shape[1:3])

    def key(self, view: int) -> list[Any]:
        """What identifies a view. Rendered pixels are part of it, so that a change of an operation
        can't be answered from the cache."""
        sample = np.linspace(0, len(self.dataset) - 1, min(SAMPLE, len(self.dataset)), dtype=int)
        named: list[Any] = []
        if view > 0 and self.policy != "none":
            named += [self.policy, self.magnitude, self.seed, view]
        if view >= MIXED and self.mixing is not None:
            named += [self.mixing.kind, content_hash(self.mixing.part), self.seed, view]
        return [self.dataset.content_hash, *named,
                content_hash(self.render(np.unique(sample), view))]
