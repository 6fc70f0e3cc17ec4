"""Worlds: distorted test sets to forecast, and what of the stress suite a forecast may see.

Three kinds. A *family* world uses four families; the judged method sees no picture of them. A
*composition* world stacks operations of any family; the method sees no picture on which two of
those are stacked. A *foreign* world is distorted by code that is not in the registry at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.foreign import FOREIGN
from harness.augment import FAMILIES, OPERATIONS, draws

CHAINS = 24  # sequences of operations that a world may apply


@dataclass(frozen=True)
class World:
    """``chains``: what a picture may meet, one of these at random, operations in order;
    ``low``..``high``: strengths; ``hidden``: operations that the judged method must not see at all;
    ``tilt``: how far the classes' shares differ from the data's, 0 for not at all."""

    name: str
    chains: tuple[tuple[str, ...], ...]
    low: float
    high: float
    hidden: frozenset[str]
    tilt: float

    def render(self, images: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (n, H, W, 3): the pictures in this world."""
        keys = draws.key(seed, np.arange(len(images)))
        chain = draws.choice(keys, "chain", len(self.chains))
        result = images.copy()
        for i, names in enumerate(self.chains):
            rows = np.flatnonzero(chain == i)
            for step, name in enumerate(names):
                own = draws.fork(keys[rows], f"world step {step}")
                strength = draws.span(own, "strength", self.low, self.high)
                result[rows] = function(name)(result[rows], strength, own)
        return result

    def visible(self, operation: np.ndarray) -> np.ndarray:
        """bool (m,): the rows of a suite that the judged method may see."""
        return np.array([self.allows(name.split("+")) for name in operation.tolist()])

    def allows(self, names: list[str]) -> bool:
        """No hidden operation, and no two operations that a chain of this world stacks."""
        return self.hidden.isdisjoint(names) and not any(
            len(set(chain) & set(names)) > 1 for chain in self.chains)


def function(name: str) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    return FOREIGN[name] if name in FOREIGN else OPERATIONS[name].apply


def make_worlds(count: int, seed: int) -> list[World]:
    """``count`` worlds, the kinds in turn (every third one foreign at most); keyed by ``seed``."""
    kinds = ["family", "composition", "family", "composition", "family", "foreign"]
    return [make(kinds[i % len(kinds)], i, np.random.default_rng([seed, i])) for i in range(count)]


def make(kind: str, number: int, rng: np.random.Generator) -> World:
    """One world of a kind, drawn from ``rng``."""
    low, high = float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.7, 1.0))
    tilt = float(rng.choice([0.0, 0.0, 0.5]))
    names, lengths = list(OPERATIONS), (1, 2, 3)
    hidden: frozenset[str] = frozenset()
    if kind == "family":
        families = rng.choice(FAMILIES, 4, replace=False)
        names = [n for n, o in OPERATIONS.items() if o.family in families]
        hidden = frozenset(names)
    elif kind == "foreign":
        names, lengths = list(FOREIGN), (1, 2)
    else:
        lengths = (2, 3)
    chains = tuple(tuple(str(n) for n in rng.choice(names, size, replace=False))
                   for size in rng.choice(lengths, CHAINS))
    return World(f"{kind} {number}", chains, low, high, hidden, tilt)


def tilted(labels: np.ndarray, count: int, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """Positions (count,) of pictures to distort, with repetition where a class runs out."""
    classes = np.unique(labels)
    factor = np.exp(rng.normal(0, tilt, len(classes))) if tilt else np.ones(len(classes))
    weight = factor[np.searchsorted(classes, labels)]
    replace = bool(tilt) or count > len(labels)
    return rng.choice(len(labels), count, replace=replace, p=weight / weight.sum())
