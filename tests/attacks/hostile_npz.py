"""Generators of hostile and damaged data files, each with a name that says what is wrong.

Some damage happens to leave a readable file; what must never happen is anything but a data set or
one sentence.
"""

import io
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

N, SIDE = 12, 16


def good_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"images": rng.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8),
            "labels": (np.arange(N) % 3)[:, None]}


def npz(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def archive(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """A zip of ``members``, whatever they hold, named as numpy does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as z:
        for name, content in members.items():
            z.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """An npy file with any header text at all."""
    text = header.encode("latin1", "replace") + b"\n"
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + body


def described(shape: str = f"({N}, {SIDE}, {SIDE}, 3)", descr: str = "'|u1'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.path),))


def cut_off() -> Iterator[tuple[str, bytes]]:
    for compressed in (False, True):
        whole = npz(compressed, **good_arrays())
        for share in range(40):
            end = len(whole) * share // 40
            yield f"cut off at {end}, compressed {compressed}", whole[:end]
        yield "its beginning is missing", whole[100:]
        yield "its middle is missing", whole[:1000] + whole[1500:]


def flipped(count: int = 160) -> Iterator[tuple[str, bytes]]:
    """Single bytes changed, mostly where zip and npy keep their headers."""
    rng = random.Random(0)
    for compressed in (False, True):
        whole = npz(compressed, **good_arrays())
        table = len(whole) - 250
        for i in range(count // 2):
            place = rng.choice([rng.randrange(200), rng.randrange(table, len(whole)),
                                rng.randrange(len(whole))])
            changed = bytearray(whole)
            changed[place] ^= 1 << rng.randrange(8)
            yield f"bit flipped at {place}, compressed {compressed}, {i}", bytes(changed)


def wrong_headers() -> Iterator[tuple[str, bytes]]:
    labels = npy(described(f"({N},)"), bytes(N))
    texts = {
        "huge shape": described("(1099511627776, 96, 96, 3)"),
        "overflowing shape": described("(4294967296, 4294967296, 4294967296, 3)"),
        "enormous number": described(f"({'9' * 4000}, 2)"),
        "negative shape": described("(-1, 16, 16, 3)"),
        "two negatives": described("(-4, -3, 16, 16, 3)"),
        "shape of words": described("('a', 16, 16, 3)"),
        "shape of floats": described("(12.0, 16, 16, 3)"),
        "shape of truths": described("(True, 16, 16, 3)"),
        "hundred axes": described(f"({'1, ' * 100})"),
        "objects": described(descr="'|O'"),
        "nested objects": described(descr="[('a', '|O'), ('b', '<i4')]"),
        "fields": described(descr="[('a', '|u1')]"),
        "words": described(descr="'<U16'"),
        "dates": described(descr="'<M8[s]'"),
        "complex": described(descr="'<c16'"),
        "nothing wide": described(descr="'|V0'"),
        "unknown type": described(descr="'|Z9'"),
        "empty type": described(descr="''"),
        "gigantic item": described(descr="'|V2147483647'"),
        "code": "__import__('os').mkdir('executed')",
        "no dictionary": "[1, 2, 3]",
        "no keys": "{}",
        "extra keys": described()[:-1] + "'more': 1}",
        "unfinished": "{'descr': '|u1', 'fortran_order'",
        "deep nesting": "(" * 3000 + ")" * 3000,
        "deep minus": "-" * 5000 + "1",
        "zero bytes": "\0" * 60,
        "long": described() + " " * 60_000,
    }
    for name, text in texts.items():
        yield f"header: {name}", archive(images=npy(text, bytes(N * SIDE * SIDE * 3)),
                                         labels=labels)
        yield f"labels' header: {name}", archive(
            images=npy(described(), bytes(range(256)) * (N * SIDE * SIDE * 3 // 256)),
            labels=npy(text, bytes(N)))
    for version in ((0, 0), (2, 0), (3, 0), (9, 9), (255, 255)):
        yield f"npy version {version}", archive(images=npy(described(), bytes(100), version),
                                                labels=labels)
    for content in (b"", b"\x93NUM", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff", b"no array"):
        yield f"array of {content!r}", archive(images=content, labels=labels)
    yield "goes on after its end", archive(images=npy(described(), bytes(N * SIDE * SIDE * 3 + 9)),
                                           labels=labels)


def wrong_arrays() -> Iterator[tuple[str, bytes]]:
    good = good_arrays()
    images, labels = good["images"], good["labels"]
    for name, value in {
            "no pictures": images[:0], "one axis": images.ravel(), "five axes": images[None],
            "no height": images[:, :0], "tiny": images[:, :2, :2], "two channels": images[..., :2],
            "four channels": np.concatenate([images, images], -1)[..., :4],
            "wide": np.zeros((2, 8, 5000, 3), np.uint8), "scalar": np.uint8(3),
            "words": np.full(N, "a"), "truths": images > 9, "complex": images.astype(complex),
            "NaN": np.where(images > 128, np.nan, images),
            "infinite": np.full(images.shape, np.inf), "fractions": images / 255,
            "negative": images.astype(np.int16) - 300, "large": images.astype(np.int64) << 40,
            "channels first": images.transpose(0, 3, 1, 2)}.items():
        yield f"pictures: {name}", npz(images=np.asarray(value), labels=labels)
    for name, value in {
            "huge": labels.astype(np.uint64) + 2 ** 63, "2^62": labels + 2 ** 62,
            "ten millions": labels * 10_000_000, "negative": labels - 1, "NaN": labels * np.nan,
            "infinite": labels * 1.0 + np.inf, "fractions": labels + 0.5,
            "words": labels.astype(str), "too few": labels[:-1],
            "too many": np.concatenate([labels, labels]), "none": labels[:0],
            "one-hot": np.eye(3)[labels[:, 0]], "scalar": np.int64(1), "one class": labels * 0,
            "bytes": labels.astype("S1"), "complex": labels * 1j,
            "1e300": labels * 1e300}.items():
        yield f"labels: {name}", npz(images=images, labels=np.asarray(value))
    yield "no labels", npz(images=images)
    yield "no pictures' key", npz(data=images, labels=labels)
    yield "no arrays", npz()
    yield "names that are missing", npz(images=images, labels=labels, class_names=np.array(["a"]))


def wrong_archives() -> Iterator[tuple[str, bytes]]:
    whole = npz(**good_arrays())
    yield "empty", b""
    yield "words", b"images and labels\n" * 50
    yield "zeros", bytes(5000)
    yield "LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    yield "gzip", b"\x1f\x8b\x08" + bytes(200)
    yield "png", b"\x89PNG\r\n\x1a\n" + bytes(200)
    yield "hdf5", b"\x89HDF\r\n\x1a\n" + bytes(200)
    yield "pickle", pickle.dumps(good_arrays())
    yield "single array", whole[whole.index(b"\x93NUMPY"):]
    yield "empty zip", archive()
    yield "twice the same name", twice()
    yield "encrypted", encrypted(whole)
    yield "unknown compression", method(whole, 99)
    yield "says it is smaller", resized(npz(True, **good_arrays()), 10)
    yield "says it is larger", resized(npz(True, **good_arrays()), 2 ** 31)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        for i in range(1200):
            z.writestr(f"a{i}.npy", b"")
    yield "many arrays", buffer.getvalue()
    escaping = io.BytesIO()
    with zipfile.ZipFile(escaping, "w") as z:
        z.writestr("../../images.npy", b"x")
        z.writestr("/labels.npy", b"x")
    yield "names that lead out", escaping.getvalue()


def twice() -> bytes:
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(buffer, "w") as z:
            for _ in range(2):
                z.writestr("images.npy", npy(described(), bytes(N * SIDE * SIDE * 3)))
    return buffer.getvalue()


def headers(whole: bytes) -> Iterator[tuple[int, int]]:
    """Places of zip headers, and how far into them the flags are."""
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = whole.find(mark)
        while place >= 0:
            yield place, offset
            place = whole.find(mark, place + 4)


def encrypted(whole: bytes) -> bytes:
    changed = bytearray(whole)
    for place, offset in headers(whole):
        changed[place + offset] |= 1
    return bytes(changed)


def method(whole: bytes, number: int) -> bytes:
    changed = bytearray(whole)
    for place, offset in headers(whole):
        changed[place + offset + 2:place + offset + 4] = struct.pack("<H", number)
    return bytes(changed)


def resized(whole: bytes, size: int) -> bytes:
    """The sizes that the archive states of its contents, replaced."""
    changed = bytearray(whole)
    for place, offset in headers(whole):
        changed[place + offset + 16:place + offset + 20] = struct.pack("<I", size)
    return bytes(changed)


def objects(trap: Path) -> bytes:
    """An array of Python objects that would create ``trap`` when it is unpickled."""
    values = np.empty(N, object)
    values[:] = [Trap(trap)] * N
    buffer = io.BytesIO()
    np.savez(buffer, images=values, labels=good_arrays()["labels"])
    return buffer.getvalue()


def every() -> Iterator[tuple[str, bytes]]:
    """All of them, but for those that need a path."""
    for kind in (cut_off, flipped, wrong_headers, wrong_arrays, wrong_archives):
        yield from kind()
