"""The stress suite: validation pictures under every operation of the registry, and under several.

The pictures depend on the given ones and the budget alone, so that all runs validated on
the same pictures meet the same suite; only what counts as held out depends on a run's policy.
"""

from dataclasses import dataclass

import numpy as np

from harness.augment import OPERATIONS, draws, trained_on
from zoo.errors import UserError

CLEAN = "clean"
LEVELS = 5           # strengths 1..5 are fifths of an operation's range
STRENGTHS = tuple(range(1, LEVELS + 1))
LARGEST = 4          # operations in a composition
SEED = 0             # of every suite, so that runs can be compared
# Shares of the budget: untouched pictures, one operation; the rest goes to compositions.
UNTOUCHED, SINGLE = 0.06, 0.47


@dataclass(frozen=True)
class Suite:
    """images uint8 (m, H, W, 3); source (m,): position in the given pictures; label (m,);
    operation (m,): "clean", a name, or "a+b+c" in order of application; strength (m,): 1..5, 0 for
    clean; held_out bool (m,): at least one operation was never shown in training."""

    images: np.ndarray
    source: np.ndarray
    label: np.ndarray
    operation: np.ndarray
    strength: np.ndarray
    held_out: np.ndarray


def make_suite(images: np.ndarray, labels: np.ndarray, policy: str, budget: int = 2000
               ) -> Suite:
    """``budget`` distorted copies of images (n, H, W, 3) uint8, each picture equally often.

    policy: the augmentation that the judged run was trained under. Raises UserError for an unknown
    policy, or where there is no picture.
    """
    if not len(images):
        raise UserError("A stress suite needs at least one validation picture.")
    known = trained_on(policy)
    operation, strength = plan(SEED, budget)
    order = np.argsort(draws.uniform(draws.key(SEED, np.arange(len(images))), "suite order"))
    source = order[np.arange(budget) % len(images)]
    keys = draws.key(SEED, source, np.arange(budget))
    return Suite(distort(images[source], operation, strength, keys), source,
                 np.asarray(labels).reshape(-1)[source], operation, strength,
                 held_out(operation, known))


def plan(seed: int, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """What happens to each of ``budget`` pictures: names <U (budget,), strengths int64 (budget,).

    Operations, strengths and sizes of compositions are dealt as evenly as the budget allows.
    """
    rng = np.random.default_rng([seed, budget])
    clean, single = round(UNTOUCHED * budget), round(SINGLE * budget)
    several = budget - clean - single
    pairs = [(name, level) for name in OPERATIONS for level in STRENGTHS]
    dealt = [pairs[i] for i in deal(len(pairs), single, rng)]
    sizes = 2 + deal(LARGEST - 1, several, rng)
    levels = 1 + deal(LEVELS, several, rng)
    dealt += [(compose(int(size), rng), int(level))
              for size, level in zip(sizes, levels, strict=True)]
    dealt += [(CLEAN, 0)] * clean
    dealt = [dealt[i] for i in rng.permutation(budget)]
    return (np.array([name for name, _ in dealt], dtype=np.str_),
            np.array([level for _, level in dealt], dtype="int64"))


def deal(kinds: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` of 0..kinds-1, each as often as any other, but for one."""
    rounds = [rng.permutation(kinds) for _ in range(-(-count // kinds))]
    return np.concatenate([*rounds, np.empty(0, int)])[:count]


def compose(size: int, rng: np.random.Generator) -> str:
    """A composition of ``size`` operations of different families, in random order."""
    members: dict[str, list[str]] = {}
    for name, row in OPERATIONS.items():
        members.setdefault(row.family, []).append(name)
    families = rng.choice(sorted(members), size, replace=False)
    return "+".join(str(rng.choice(members[family])) for family in families)


def distort(images: np.ndarray, operation: np.ndarray, strength: np.ndarray, keys: np.ndarray
            ) -> np.ndarray:
    """The pictures (n, H, W, 3) under their operations; they may be overwritten."""
    steps = [names.split("+") if names != CLEAN else [] for names in operation.tolist()]
    shares = (strength / LEVELS).astype("float32")
    for step in range(max((len(s) for s in steps), default=0)):
        names = np.array([s[step] if step < len(s) else "" for s in steps])
        for name in np.unique(names[names != ""]):
            rows = np.flatnonzero(names == name)
            images[rows] = OPERATIONS[str(name)].apply(
                images[rows], shares[rows], draws.fork(keys[rows], f"suite step {step}"))
    return images


def held_out(operation: np.ndarray, known: frozenset[str]) -> np.ndarray:
    """bool (n,): whether an operation that is not ``known`` takes part."""
    return np.array([name != CLEAN and not known.issuperset(name.split("+"))
                     for name in operation.tolist()], dtype=bool)


def families(operation: str) -> tuple[str, ...]:
    """The families that take part, each once: () for clean or for names that are not known."""
    names = operation.split("+") if operation != CLEAN else []
    return tuple(dict.fromkeys(OPERATIONS[n].family for n in names if n in OPERATIONS))
