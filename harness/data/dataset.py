"""Dataset: what every room after the sources is handed."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from zoo.files import content_hash

BLOOD_CELLS = ("basophil", "eosinophil", "erythroblast", "immature granulocytes",
               "lymphocyte", "monocyte", "neutrophil", "platelet")


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures.

    images: uint8 (N, H, W, 3), raw 0..255 RGB; labels: int64 (N,), 0..K-1, or -1 everywhere
    where a file has no labels; class_names: K words; provenance: where they come from, for
    people ("demo", a path); role: "competition" or the name of a benchmark whose splits must
    never train an entry; unreadable: positions of pictures that could not be read (they are
    black here, and cleaning drops them).
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    provenance: str
    role: str = "competition"
    unreadable: tuple[int, ...] = ()

    @cached_property
    def content_hash(self) -> str:
        """sha256 of images and labels: the data set's identity in every record."""
        return content_hash(self.images, self.labels)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labelled(self) -> bool:
        return bool(len(self.labels)) and bool((self.labels >= 0).all())

    def readable(self) -> "Dataset":
        """The pictures that could be read."""
        return self.subset(np.setdiff1d(np.arange(len(self)), self.unreadable))

    def subset(self, index: np.ndarray) -> "Dataset":
        """The pictures at ``index`` (positions or a mask), in that order."""
        kept = np.arange(len(self))[index]
        bad = tuple(int(i) for i in np.flatnonzero(np.isin(kept, self.unreadable)))
        return replace(self, images=self.images[index], labels=self.labels[index], unreadable=bad)
