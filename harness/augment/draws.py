"""Random numbers that are named, not consumed.

A draw is a hash of (key, what it is for, which one): no state, so that a picture's draws are the
same alone, inside a batch, and on any number of threads, processes and machines. The hash is the
finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).

    key(seed, *parts)            uint64 keys from whole numbers and arrays of them
    fork(keys, tag)              other keys, for one purpose
    uniform, span                one value, or ``count`` of them, for each key
    sign, choice                 one value for each key
    noise, noise_bytes           many values for each key, fast
"""

import functools
import zlib

import numpy as np

GOLDEN, FIRST, SECOND = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9,
                                                0x94D049BB133111EB))
BANK = 1 << 20  # values in the bank of normal noise


def scramble(x: np.ndarray) -> np.ndarray:
    """SplitMix64's step: uint64 in, uint64 out, every bit of one depending on all of the other."""
    x = x + GOLDEN
    x = (x ^ (x >> np.uint64(30))) * FIRST
    x = (x ^ (x >> np.uint64(27))) * SECOND
    return x ^ (x >> np.uint64(31))


def key(seed: int, *parts: int | np.ndarray) -> np.ndarray:
    """Keys uint64 (n,); parts are (n,) or whole numbers of any sign and size."""
    result = scramble(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
    for part in parts:
        number = np.uint64(part & 0xFFFFFFFFFFFFFFFF) if isinstance(part, int) else (
            part.astype(np.int64).view(np.uint64))
        result = scramble(result ^ number)
    return result


@functools.cache
def tag_hash(tag: str) -> np.uint64:
    return np.uint64(zlib.crc32(tag.encode()) << 32 | len(tag))


def fork(keys: np.ndarray, tag: str) -> np.ndarray:
    """Keys for the purpose ``tag``: unrelated to ``keys`` and to those of other purposes."""
    return scramble(keys ^ tag_hash(tag))


def uniform(keys: np.ndarray, tag: str, count: int = 0) -> np.ndarray:
    """float32 in [0, 1): (n,), or (n, count) where a count is given."""
    forked = fork(keys, tag)
    if count:
        forked = forked[:, None] + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
    return (scramble(forked) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def span(keys: np.ndarray, tag: str, low: float, high: float, count: int = 0) -> np.ndarray:
    """float32 in [low, high)."""
    return np.float32(low) + np.float32(high - low) * uniform(keys, tag, count)


def sign(keys: np.ndarray, tag: str) -> np.ndarray:
    """float32 (n,): 1 or -1, either half of the time."""
    return np.where(uniform(keys, tag) < 0.5, np.float32(-1), np.float32(1))


def choice(keys: np.ndarray, tag: str, options: int) -> np.ndarray:
    """int64 (n,) in 0..options-1."""
    return (uniform(keys, tag) * options).astype(np.int64)


@functools.cache
def bank() -> np.ndarray:
    """float32 (2 * BANK,): normal values and, after them, the same ones, so that a slice wraps."""
    from scipy.special import ndtri

    counter = np.arange(BANK, dtype=np.uint64) + GOLDEN
    values = ndtri(((scramble(counter) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
    return np.tile(values.astype(np.float32), 2)


@functools.cache
def byte_bank() -> np.ndarray:
    """int16 (2 * BANK,): 0..255 at random, twice."""
    counter = np.arange(BANK, 2 * BANK, dtype=np.uint64) + GOLDEN
    return np.tile((scramble(counter) >> np.uint64(56)).astype(np.int16), 2)


def stretch(values: np.ndarray, keys: np.ndarray, tag: str, size: int) -> np.ndarray:
    """(n, size): consecutive ``values`` of a doubled bank, begun at a place drawn by key."""
    start = (fork(keys, tag) % np.uint64(BANK)).astype(np.int64)
    if size > BANK:
        return np.stack([values.take(np.arange(s, s + size) % BANK) for s in start])
    result = np.empty((len(keys), size), values.dtype)
    for row, s in zip(result, start, strict=True):
        row[:] = values[s:s + size]
    return result


def noise(keys: np.ndarray, tag: str, size: int) -> np.ndarray:
    """float32 (n, size), standard normal: a stretch of the bank.

    Two pictures' noise can overlap in the bank, shifted against each other; never within a
    picture of up to BANK values.
    """
    return stretch(bank(), keys, tag, size)


def noise_bytes(keys: np.ndarray, tag: str, size: int) -> np.ndarray:
    """int16 (n, size): 0..255, each as likely; a stretch of a bank, as in ``noise``."""
    return stretch(byte_bank(), keys, tag, size)
