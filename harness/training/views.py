"""Views: what a network sees of a data set. View 0 is untouched, every other one is augmented."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data.dataset import Dataset
from zoo.files import content_hash

SAMPLE = 256  # pictures whose rendering stands for the code that renders


@dataclass(frozen=True)
class Views:
    """A data set under an augmentation policy; (seed, picture, view) decides every pixel."""

    dataset: Dataset
    policy: str
    magnitude: float = 1.0
    seed: int = 0

    def render(self, index: np.ndarray, view: int) -> np.ndarray:
        """uint8 (len(index), H, W, 3): the pictures at ``index`` (n,) in this view."""
        from harness import augment

        if view == 0 or self.policy == "none":
            return self.dataset.images[index]
        return augment.render(self.dataset.images, index, self.policy, self.magnitude, self.seed,
                              view)

    def key(self, view: int) -> list[Any]:
        """What identifies a view. Rendered pixels are part of it, so that a change of an operation
        can't be answered from the cache."""
        sample = np.linspace(0, len(self.dataset) - 1, min(SAMPLE, len(self.dataset)), dtype=int)
        untouched = view == 0 or self.policy == "none"
        named = [] if untouched else [self.policy, self.magnitude, self.seed, view]
        return [self.dataset.content_hash, *named,
                content_hash(self.render(np.unique(sample), view))]
