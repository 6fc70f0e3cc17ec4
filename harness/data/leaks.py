"""No picture, and no near-duplicate of one, may stand on both sides of a comparison."""

import hashlib

import numpy as np

from harness import terminal
from harness.data.dataset import Dataset
from zoo.errors import UserError

SHOWN = 10      # twins that the sentence names
SIMPLE = 0.05   # share of a set's pictures with near-duplicates in it; more aren't all copies
CHANCE = 2      # times that share: as many near-duplicates between two sets may be chance


def digests(images: np.ndarray) -> list[bytes]:
    """A hash of each picture's pixels."""
    return [hashlib.blake2b(np.ascontiguousarray(i).data, digest_size=16).digest() for i in images]


def check_leak(a: Dataset, b: Dataset, what_a: str, what_b: str) -> Dataset:
    """``b``, where no picture of ``a`` is in it as well. Raises UserError, naming the twins.

    Copies that were re-encoded, shifted a little, turned, mirrored, brightened or resized count.
    Where pictures are so simple that the different ones of ``a`` are near-duplicates themselves,
    such a twin may be no copy; those of ``b`` are left out then, which is said.
    """
    exact, near = leaked(a.images, b.images)
    if not len(exact) and not len(near):
        return b
    if not len(exact) and len(near) < len(b) and by_chance(a.images, len(near) / len(b)):
        terminal.warn(f"{len(near):,} of {len(b):,} pictures of {what_b} are left out, because "
                      f"{what_a} holds pictures that are hardly different. Many of its own are as "
                      "alike, so that these may be copies or not.")
        return b.subset(np.setdiff1d(np.arange(len(b)), near[:, 1]))
    found = np.concatenate([exact, near])
    named = ", ".join(f"{i} and {j}" for i, j in found[:SHOWN].tolist())
    alike = f", {len(near):,} of them changed a little" if len(near) else ""
    raise UserError(f"{len(found):,} pictures are in {what_a} and in {what_b}{alike} (positions "
                    f"{named}{', ...' if len(found) > SHOWN else ''}), so a score on the second "
                    "would be a lie. Remove them from one of the two.")


def by_chance(images: np.ndarray, share: float) -> bool:
    """Whether near-duplicates are so frequent among different ``images`` that their being a
    ``share`` of another set is no sign of a leak."""
    from harness.data.duplicates import near_duplicates

    different = images[list(first_places(images).values())]
    own = len(np.unique(near_duplicates(different))) / len(different)
    return own > SIMPLE and share <= CHANCE * own


def leaked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures u8 of ``b`` that are in ``a``: pairs i64 (P, 2) of equal and of similar ones."""
    from harness.data.duplicates import twins

    place, rest, exact = first_places(a), [], []
    for digest, j in first_places(b).items():
        if digest in place:
            exact.append((place[digest], j))
        else:
            rest.append(j)
    in_a, in_b = np.array(list(place.values()), np.int64), np.array(rest, np.int64)
    pairs = twins(a[in_a], b[in_b]) if len(in_a) and len(in_b) else np.empty((0, 2), np.int64)
    near = np.stack([in_a[pairs[:, 0]], in_b[pairs[:, 1]]], 1) if len(pairs) else pairs
    _, once = np.unique(near[:, 1], return_index=True)
    return np.array(exact, np.int64).reshape(-1, 2), near[once]


def first_places(images: np.ndarray) -> dict[bytes, int]:
    """The first position of each content."""
    found: dict[bytes, int] = {}
    for i, digest in enumerate(digests(images)):
        found.setdefault(digest, i)
    return found
