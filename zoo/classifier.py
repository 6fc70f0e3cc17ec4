"""Classifier: one or several graphs with class names. Raw 0..255 RGB in, probabilities out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo import graph as graphs
from zoo.engines import Fastest, Program
from zoo.errors import UserError
from zoo.files import atomic, read_json, write_json, write_text
from zoo.graph import Graph
from zoo.rewrite import fast

# Test-time augmentation: how many of the square's eight symmetries are averaged.
TTA = {"none": 1, "flip": 2, "dihedral": 8}
BATCH = 64
LARGEST = 4 << 30  # bytes of weights that a folder may declare


@dataclass(frozen=True)
class Classifier:
    """The mean of its graphs' probabilities, over the views that ``tta`` names.

    shares: each graph's part in the mean, together 1; alike where they are not given.
    """

    graphs: tuple[Graph, ...]
    class_names: tuple[str, ...]
    tta: str = "none"
    shares: tuple[float, ...] = ()
    _members: list[Program] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.shares:
            object.__setattr__(self, "shares", (1 / len(self.graphs),) * len(self.graphs))

    def predict(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Probabilities, float32 (n, K), of pictures (n, H, W, 3), uint8 or float, n >= 0.

        Every batch is filled up to one size, so that nothing is traced twice. A picture's company
        doesn't matter, unless the graphs adapt to it (zoo/adapt.py).
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3:
            raise UserError(f"A classifier wants pictures of shape (n, height, width, 3), "
                            f"not {images.shape}.")
        out = np.empty((len(images), len(self.class_names)), "float32")
        for part, rows in batches(images, batch):
            out[rows] = self.call(part)[: rows.stop - rows.start]
        return out

    def call(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of one batch."""
        if not self._members:
            self._members.extend(Fastest(fast(graph)) for graph in self.graphs)
        views = [np.ascontiguousarray(t)
                 for t in symmetries(x.astype("float32", copy=False), TTA[self.tta])]
        parts = [member(view) * np.float32(share / len(views))
                 for member, share in zip(self._members, self.shares, strict=True)
                 for view in views]
        return np.sum(parts, axis=0, dtype="float32")

    @property
    def parameters(self) -> int:
        return sum(a.size for g in self.graphs for a in g.arrays.values())

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write graph*.json, weights*.npz and classifier.json into ``folder``."""
        folder = Path(folder)
        for i, graph in enumerate(self.graphs):
            with atomic(folder / f"weights{i}.npz") as temporary, temporary.open("wb") as f:
                np.savez(f, **dict[str, Any](graph.arrays))
            write_text(folder / f"graph{i}.json", graphs.to_json(graph))
        write_json(folder / "classifier.json", {
            "class_names": self.class_names, "tta": self.tta, "members": len(self.graphs),
            "shares": self.shares})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Classifier":
        """Read what :meth:`save` wrote. Nothing in the folder can run code.

        Raises UserError where the folder holds no whole classifier.
        """
        folder = Path(folder)
        about = read_json(folder / "classifier.json")
        try:
            names, tta = tuple(str(n) for n in about["class_names"]), str(about["tta"])
            if tta not in TTA:
                raise ValueError(f"unknown test-time augmentation {tta!r}")
            shares = tuple(float(s) for s in about.get("shares", ()))
            if about["members"] < 1:
                raise ValueError("it has no members")
            if shares and (len(shares) != about["members"] or min(shares) < 0
                           or not abs(sum(shares) - 1) < 1e-6):
                raise ValueError("its members' shares are not what they must be")
            for i in range(about["members"]):
                refuse_bomb(folder / f"weights{i}.npz")
            members = tuple(graphs.load(folder, str(i)) for i in range(about["members"]))
        except (OSError, ValueError, KeyError, TypeError, EOFError) as e:
            raise UserError(f"{folder} holds no whole classifier ({e}). Train the run again."
                            ) from e
        return cls(members, names, tta, shares)


def refuse_bomb(path: Path) -> None:
    """Raise ValueError where an npz declares more than it could honestly hold."""
    import zipfile

    from zoo.zips import METHODS, Zip

    try:
        with Zip(path) as z:
            declared = sum(i.file_size for i in z.infolist())
            if any(i.compress_type not in METHODS for i in z.infolist()):
                raise zipfile.BadZipFile
    except zipfile.BadZipFile as e:
        raise ValueError(f"{path.name} is damaged") from e
    if declared > max(LARGEST, 20 * path.stat().st_size):
        raise ValueError(f"{path.name} would expand to {declared >> 20} MiB")


def batches(images: np.ndarray, batch: int) -> Iterator[tuple[np.ndarray, slice]]:
    """(pictures, rows): pieces of exactly ``batch`` pictures, the last one filled with its own.

    Its own, not zeros, so that the statistics of the batch stay those of its pictures.
    """
    for start in range(0, len(images), batch):
        part = images[start:start + batch]
        rows = slice(start, start + len(part))
        yield np.resize(part, (batch, *part.shape[1:])), rows


def symmetries(x: Any, views: int) -> list[Any]:
    """The first ``views`` of: itself, mirrored, then both by quarter turns."""
    import tensorflow as tf

    turned = []
    for turns in range(max(1, views // 2)):
        y = tf.image.rot90(x, turns) if turns else x
        turned += [y, y[:, :, ::-1]][:views]
    return turned
