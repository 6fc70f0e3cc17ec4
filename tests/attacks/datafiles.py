"""Data files that are damaged, absurd or hostile: hundreds of them, the same ones every time."""

import io
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np


def npz(**arrays: Any) -> bytes:
    """An npz file of arrays; raw bytes stand for an array's npy file as it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", array if isinstance(array, bytes) else npy(array))
    return out.getvalue()


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def header(description: str, body: bytes = b"") -> bytes:
    """An npy file with any description at all."""
    text = description.encode("latin-1").ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def hostile() -> Iterator[tuple[str, bytes]]:
    """(what is wrong with it, the file), each of which must be refused."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(12) % 3
    good = npz(images=images, labels=labels)
    for size in np.linspace(0, len(good) - 1, 100).astype(int):
        yield f"cut off after {size} bytes", good[:size]
    start = good.index(images.tobytes()[:64])
    for place in np.linspace(start, start + images.nbytes - 1, 60).astype(int):
        yield f"byte {place} flipped", flipped(good, int(place))
    for i in range(60):
        yield f"garbage {i}", rng.integers(0, 256, int(rng.integers(0, 4000)), np.uint8).tobytes()
    yield from shapes(labels)
    yield from wrong_labels(images)
    yield from wrong_images(images, labels)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1:]


def shapes(labels: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Headers whose words don't fit what follows."""
    for shape in ((10**9, 96, 96, 3), (2**62, 2**62, 2, 3), (-1, 8, 8, 3), (12, 0, 8, 3),
                  (0, 8, 8, 3), (12, 8, 8), (12, 8, 8, 4), (), (12,), (12, 8, 8, 3, 1),
                  (1 << 70, 8, 8, 3)):
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
        yield f"shape {shape}", npz(images=header(text, bytes(100)), labels=labels)
    for text in ("", "{}", "[1]", "{'descr': '|O', 'fortran_order': False, 'shape': (12,), }",
                 "{'descr': '|u1', 'shape': (1,), }", "__import__('os').abort()", "(" * 100,
                 "{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }",
                 "{'descr': '|V8', 'fortran_order': False, 'shape': (1,), }"):
        yield f"header {text[:30]!r}", npz(images=header(text, bytes(100)), labels=labels)


def wrong_labels(images: np.ndarray) -> Iterator[tuple[str, bytes]]:
    good = np.arange(12) % 3
    for name, labels in {
            "huge": good + 10**15, "beyond 64 bits": good.astype(np.uint64) + np.uint64(2**63),
            "negative": good - 1, "fractions": good + .5, "nan": np.full(12, np.nan),
            "words": good.astype(str), "objects": good.astype(object), "one-hot": np.eye(12),
            "too few": good[:5], "too many": np.arange(99) % 3, "one class": good * 0,
            "scalar": np.array(1), "complex": good + 1j, "dates": good.astype("M8[s]"),
            "a gap": good * 400}.items():
        yield f"labels: {name}", npz(images=images, labels=labels)


def wrong_images(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for name, wrong in {
            "objects": images.astype(object), "words": images.astype(str), "scaled": images / 255,
            "channels first": images.transpose(0, 3, 1, 2), "tiny": images[:, :2, :2],
            "infinite": np.full(images.shape, np.inf), "negative": images.astype(int) - 300,
            "complex": images + 0j, "too bright": images.astype(int) + 300,
            "flat": images.reshape(12, -1), "none": images[:0]}.items():
        yield f"images: {name}", npz(images=wrong, labels=labels[:len(wrong)])
    yield "no labels", npz(images=images)
    yield "no images", npz(labels=labels)
    yield "no array", npz()
    yield "a single array", npy(images)
    yield "a large-file pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    yield "a thousand and one arrays", npz(**{f"a{i}": labels for i in range(1001)})


def bomb(path: Any, size: int = 700 << 20) -> None:
    """A small file that would grow to ``size`` bytes."""
    n = size // (96 * 96 * 3)
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n}, 96, 96, 3), }}"
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("images.npy", "w") as member:
            member.write(header(text))
            left = n * 96 * 96 * 3
            while left:
                left -= member.write(zeros[:left])
        archive.writestr("labels.npy", npy(np.arange(n) % 3))
