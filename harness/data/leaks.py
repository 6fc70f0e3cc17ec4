"""No picture may stand on both sides of a comparison."""

import hashlib

import numpy as np

from harness.data.dataset import Dataset
from zoo.errors import UserError

SHOWN = 3  # twins that the sentence names


def digests(images: np.ndarray) -> list[bytes]:
    """A hash of each picture's pixels."""
    return [hashlib.blake2b(np.ascontiguousarray(i).data, digest_size=16).digest() for i in images]


def check_leak(a: Dataset, b: Dataset, what_a: str, what_b: str) -> None:
    """Raise UserError, naming the twins, where a picture of ``a`` is in ``b`` as well."""
    place = {d: i for i, d in enumerate(digests(a.images))}
    twins = [(place[d], j) for j, d in enumerate(digests(b.images)) if d in place]
    if twins:
        named = ", ".join(f"{i} and {j}" for i, j in twins[:SHOWN])
        more = ", ..." if len(twins) > SHOWN else ""
        raise UserError(f"{len(twins):,} pictures are in {what_a} and in {what_b} (positions "
                        f"{named}{more}), so a score on the second would be a lie. Remove them "
                        "from one of the two.")
