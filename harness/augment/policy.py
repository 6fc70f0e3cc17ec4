"""Policies: which operations a picture meets in training, drawn for each picture and view anew.

    POLICIES                     none, basic, report, random
    render                       pictures of a data set as one view shows them
    trained_on                   names of the operations that a policy can draw

A picture's draws are keyed by (seed, position, view): any call, batch or process renders it alike.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from harness.augment import draws
from harness.augment.operations import OPERATIONS
from zoo.device import cores
from zoo.errors import UserError

CHUNK = 1024  # pictures that a thread renders at once: enough to group them by operation
SHARE = 32  # fewer pictures than this are not worth another thread
NAMES = tuple(OPERATIONS)


@dataclass(frozen=True)
class Policy:
    """``always``'s operations in this order; then as many of ``weights``'s, each at most once, in
    random order, as ``counts`` says (probabilities of 0, 1, 2, ...). Strengths are even up to
    ``strongest``."""

    name: str
    always: tuple[str, ...] = ()
    strongest: float = 1.0
    weights: dict[str, float] = field(default_factory=dict)
    counts: tuple[float, ...] = (1.0,)

    def draw(self, keys: np.ndarray, magnitude: float) -> tuple[np.ndarray, np.ndarray]:
        """Operations int64 (n, steps), places in NAMES, -1 for none, and strengths (n, steps)."""
        chosen = np.tile([NAMES.index(name) for name in self.always], (len(keys), 1)).astype(int)
        if self.weights:
            chosen = np.concatenate([chosen, self._choose(keys)], axis=1)
        strength = draws.uniform(keys, "strength", max(1, chosen.shape[1]))[:, :chosen.shape[1]]
        return chosen, np.minimum(strength * np.float32(magnitude * self.strongest), 1)

    def _choose(self, keys: np.ndarray) -> np.ndarray:
        """(n, len(counts) - 1): drawn without replacement, as the largest u^(1/weight) are
        (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006)."""
        names = np.array([NAMES.index(name) for name in self.weights])
        weights = np.array(list(self.weights.values()))
        score = np.log(draws.uniform(keys, "choice", len(names)) + 1e-9) / weights
        most = len(self.counts) - 1
        first = names[np.argsort(-score, axis=1, kind="stable")[:, :most]]
        count = np.searchsorted(np.cumsum(self.counts)[:-1], draws.uniform(keys, "count"), "right")
        return np.where(np.arange(most) < count[:, None], first, -1)


# What ``random`` never shows, at least one a family, so that a forecast can be made on distortions
# that training has not seen.
HELD_OUT = ("glass", "zoom_blur", "banding", "lost_blocks", "clahe", "false_colour", "barrel",
            "dust", "stripes", "strokes")
ALWAYS = ("flip", "turn", "dither")
SHARES = {"colour": 2.2, "light": 1.6, "geometry": 1.6, "occlusion": 1.4, "blur": 1.2,
          "noise": 1.2, "resolution": 1.0, "overlay": 0.8}


def shared_out(shares: dict[str, float]) -> dict[str, float]:
    """Weight of each operation that may be drawn: its family's share, split evenly."""
    members = {family: [name for name, operation in OPERATIONS.items()
                        if operation.family == family and name not in HELD_OUT
                        and name not in ALWAYS] for family in shares}
    return {name: share / len(members[family]) for family, share in shares.items()
            for name in members[family]}


POLICIES = {policy.name: policy for policy in (
    Policy("none"),
    # The report's two: what most teams began with, and its aggressive one.
    Policy("basic", ("flip", "rotate", "zoom"), 0.3),
    Policy("report", ("flip", "translate", "rotate", "zoom", "brightness", "contrast",
                      "saturation", "hue", "gaussian_noise", "erase"), 0.4),
    # Ours: breadth. No picture is without an operation, so that no two views are the same; weak
    # strengths keep some of them nearly clean, and the dither tells any two apart.
    Policy("random", ALWAYS, 1.0, shared_out(SHARES), (0.0, 0.3, 0.3, 0.25, 0.15)),
)}


def find(policy: str) -> Policy:
    """The policy of this name. Raises UserError if there is none."""
    if policy not in POLICIES:
        raise UserError(f"There is no augmentation policy {policy!r}. "
                        f"There are: {', '.join(POLICIES)}.")
    return POLICIES[policy]


def trained_on(policy: str) -> frozenset[str]:
    """Names of the operations that ``policy`` can draw. Raises UserError for an unknown policy."""
    return frozenset(find(policy).always) | frozenset(find(policy).weights)


def render(images: np.ndarray, index: np.ndarray, policy: str, magnitude: float, seed: int,
           view: int) -> np.ndarray:
    """uint8 (len(index), H, W, 3): images[index] (of (N, H, W, 3)) as ``view`` shows them.

    magnitude multiplies every strength (which end at 1). Raises UserError for an unknown policy.
    """
    plan = find(policy)
    index = np.asarray(index, np.int64)
    keys = draws.key(seed, view, index)
    result = np.empty((len(index), *images.shape[1:]), np.uint8)

    workers = min(cores(), -(-len(index) // SHARE))
    chunk = max(1, min(CHUNK, -(-len(index) // max(1, workers))))

    def fill(start: int) -> None:
        part = slice(start, start + chunk)
        result[part] = distort(images[index[part]], plan, magnitude, keys[part])

    starts = range(0, len(index), chunk)
    if workers < 2:
        for start in starts:
            fill(start)
        return result
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fill, starts))
    return result


def distort(images: np.ndarray, policy: Policy, magnitude: float, keys: np.ndarray) -> np.ndarray:
    """The pictures after the operations that ``policy`` draws for their keys.

    At each turn the operation that most pictures wait for is applied to all of these: pictures do
    not wait for each other, and calls are few.
    """
    chosen, strength = policy.draw(keys, magnitude)
    chosen = np.concatenate([chosen, np.full((len(keys), 1), -1)], axis=1)
    at, every = np.zeros(len(keys), np.int64), np.arange(len(keys))
    while True:
        following = chosen[every, at]
        waiting = np.bincount(following[following >= 0], minlength=1)
        if not waiting.any():
            return images
        number = int(waiting.argmax())
        part = np.flatnonzero(following == number)
        images[part] = OPERATIONS[NAMES[number]].apply(images[part], strength[part, at[part]],
                                                       draws.fork(keys[part], NAMES[number]))
        at[part] += 1
