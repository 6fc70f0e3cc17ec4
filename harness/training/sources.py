"""Where a stage's batches come from: tables on disk, or views drawn on the fly."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.training.activations import Table, ahead
from harness.training.views import Views

BLOCK = 256          # rows read at once
CHUNK_BYTES = 192 << 20  # of rows that are shuffled together
EPOCHS = 10_000      # of a run, at most: so many views belong to each seed

Rows = tuple[np.ndarray, ...]  # a batch's columns, not yet cut into batches


@dataclass(frozen=True)
class Batch:
    """Whole batches: x (steps, batch, ...), and of each row (steps, batch) its picture, the one it
    is mixed with (itself in views that aren't mixed), and that one's share."""

    x: np.ndarray
    picture: np.ndarray
    partner: np.ndarray
    share: np.ndarray


class Tables:
    """Rows of cached views. An epoch shows every picture once, each block in another view."""

    def __init__(self, tables: tuple[Table, ...], order: np.ndarray, views: Views) -> None:
        self.tables, self.order, self.views = tables, order, views

    def epoch(self, number: int, allowed: np.ndarray, batch: int, seed: int) -> Iterator[Batch]:
        """The batches of one epoch; ``allowed`` (N,) marks the pictures that may be seen."""
        blocks = range(0, len(self.order), BLOCK)
        shift = np.random.default_rng([seed, 0]).permutation(len(blocks))
        rng = np.random.default_rng([seed, 1 + number])
        plan = [(int(b) * BLOCK, int(shift[b] + number) % len(self.tables))
                for b in rng.permutation(len(blocks))]
        gather = max(1, int(CHUNK_BYTES // (BLOCK * self.tables[0].row)))
        groups = [plan[i:i + gather] for i in range(0, len(plan), gather)]

        def load(group: list[tuple[int, int]]) -> Rows:
            pieces = []
            for first, view in group:
                x, picture = self.block(first, view, allowed)
                pieces.append((x, picture, *self.views.partners(picture, view)))
            return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))

        yield from batches(ahead(load, groups), batch, rng)

    def block(self, first: int, view: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        picture = self.order[first:first + BLOCK]
        keep = allowed[picture]
        return self.tables[view].rows(first, first + BLOCK)[keep], picture[keep]

    def read(self, view: int, allowed: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows, pictures) of one view, in the order on disk."""
        for first in range(0, len(self.order), BLOCK):
            yield self.block(first, view, allowed)


class Pictures:
    """Views rendered while training: every epoch of every seed shows each picture in a new one."""

    def __init__(self, views: Views, count: int) -> None:
        self.views, self.count = views, count

    def epoch(self, number: int, allowed: np.ndarray, batch: int, seed: int) -> Iterator[Batch]:
        rng = np.random.default_rng([seed, 1 + number])
        shuffled = rng.permutation(np.flatnonzero(allowed))
        size = BLOCK * 2
        groups = [shuffled[i:i + size] for i in range(0, len(shuffled), size)]
        # The first views are kept for judging, see ``read``; all seeds are judged on the same.
        view = self.count + 1 + number + EPOCHS * seed

        def load(group: np.ndarray) -> Rows:
            return (self.views.render(group, view), group, *self.views.partners(group, view))

        yield from batches(ahead(load, groups), batch, rng)

    def read(self, view: int, allowed: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        index = np.flatnonzero(allowed)
        for first in range(0, len(index), BLOCK):
            part = index[first:first + BLOCK]
            yield self.views.render(part, view), part


Source = Tables | Pictures


def batches(chunks: Iterator[Rows], batch: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Shuffle each chunk and cut it into whole batches; what is left goes into the next chunk.

    The rows left after the last chunk, fewer than a batch, are not shown in this epoch.
    """
    rows: Rows = ()
    for new in chunks:
        rows = tuple(map(np.concatenate, zip(rows, new, strict=True))) if rows else new
        steps = len(rows[0]) // batch
        if not steps:
            continue
        shuffled = rng.permutation(len(rows[0]))
        use, rest = shuffled[:steps * batch], shuffled[steps * batch:]
        yield Batch(*(column[use].reshape(steps, batch, *column.shape[1:]) for column in rows))
        rows = tuple(column[rest] for column in rows)
