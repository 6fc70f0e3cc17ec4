"""npz files from strangers, read without trust.

Nothing is unpickled. The table of contents and the header of an array are read first; a size
that is absurd, that the archive doesn't hold, or that the memory can't take is refused before
anything is allocated.
"""

import contextlib
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from zoo.device import free_memory
from zoo.errors import UserError
from zoo.zips import Zip

SAFE = 512 << 20            # bytes; below this, expansion can hurt nobody
EXPANSION = 20              # times; pictures of cells shrink by 2 to 4, zip bombs by 1,000
MEMBERS = 1000              # arrays in one file
HEADER = 10_000             # bytes of an array's description
GUESS = 16 << 30            # bytes of free memory, where the system doesn't tell

Shape = tuple[int, ...]


class Npz:
    """The arrays of one npz file, read one at a time.

    Raises UserError, naming the file, for whatever is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with sentences(self.path):
            self.archive = Zip(self.path)
            self.members = self._members()

    def __enter__(self) -> "Npz":
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    @property
    def keys(self) -> list[str]:
        return list(self.members)

    @property
    def arrays(self) -> list[str]:
        """The keys of what is named as numpy names arrays."""
        return [key for key, info in self.members.items() if info.filename.endswith(".npy")]

    def _members(self) -> dict[str, zipfile.ZipInfo]:
        infos = self.archive.infolist()
        if len(infos) > MEMBERS:
            raise UserError(f"{self.path} claims to hold {len(infos):,} arrays; at most "
                            f"{MEMBERS:,} are read. It isn't a data file.")
        found: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            key = info.filename.removesuffix(".npy")
            if key in found:
                raise UserError(f"{self.path} holds two arrays named {key!r}, so it can't be "
                                "told which is meant. Write the file again with numpy.savez.")
            found[key] = info
        return found

    def read(self, key: str) -> np.ndarray:
        """The array called ``key``, whole."""
        info = self.members[key]
        self._check_expansion(key, info)
        with sentences(self.path, key), self.archive.open(info) as member:
            shape, fortran, dtype = header(member)
            self._check_size(key, shape, dtype, info.file_size - member.tell())
            flat = np.empty(int(np.prod(shape, dtype=object)), dtype)
            fill(member, flat)
        return flat.reshape(shape[::-1]).transpose() if fortran else flat.reshape(shape)

    def shape(self, key: str) -> tuple[Shape, np.dtype]:
        """Shape and type of an array, from its header alone."""
        with sentences(self.path, key), self.archive.open(self.members[key]) as member:
            shape, _, dtype = header(member)
        return shape, dtype

    def _check_expansion(self, key: str, info: zipfile.ZipInfo) -> None:
        packed = max(info.compress_size, 1)
        if info.file_size > SAFE and info.file_size > EXPANSION * packed:
            raise UserError(
                f"{self.path}: the array {key!r} would grow from {packed / 1e6:,.1f} MB to "
                f"{info.file_size / 1e6:,.0f} MB, more than {EXPANSION}-fold, as a zip bomb does. "
                "If you trust the file, write it again with numpy.savez (not compressed).")

    def _check_size(self, key: str, shape: Shape, dtype: np.dtype, held: int) -> None:
        if dtype.hasobject:
            raise UserError(f"{self.path}: the array {key!r} holds Python objects, which could run "
                            "code when read. Save it as a plain numeric array.")
        size = dtype.itemsize
        for n in shape:
            size *= n
        if any(n < 0 for n in shape) or size != held:
            stated = f"{shape} of {dtype}"
            raise UserError(f"{self.path}: the array {key!r} says it is {stated[:80]}, but the "
                            f"file holds {held:,} bytes of it. It is damaged or cut off; copy or "
                            "download it again.")
        if size > available_memory():
            raise UserError(f"{self.path}: the array {key!r} needs {size / 1e9:.1f} GB of memory "
                            f"and only {available_memory() / 1e9:.1f} GB are free. Use fewer or "
                            "smaller pictures, or a larger machine.")


def header(member: IO[bytes]) -> tuple[Shape, bool, np.dtype]:
    """Shape, column-major order, and type from an npy header."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member, max_header_size=HEADER)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(member, max_header_size=HEADER)
    raise ValueError(f"npy format {version[0]}.{version[1]}")


def fill(member: IO[bytes], flat: np.ndarray) -> None:
    """Read exactly the bytes of ``flat``; reading to the end also checks the checksum."""
    if not flat.nbytes:
        return
    view = flat.view(np.uint8).data.cast("B")
    done = 0
    while done < len(view):
        piece = member.read(min(1 << 24, len(view) - done))
        if not piece:
            raise EOFError("it ends too early")
        view[done:done + len(piece)] = piece
        done += len(piece)
    if member.read(1):
        raise ValueError("it goes on after its end")


@contextlib.contextmanager
def sentences(path: Path, key: str | None = None) -> Iterator[None]:
    """Turn what goes wrong inside a damaged archive into one sentence about ``path``."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as e:
        raise UserError(f"{path} does not exist. Check the path.") from e
    except PermissionError as e:
        raise UserError(f"{path} can't be read: you lack the permission.") from e
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, KeyError, OSError,
            NotImplementedError, RuntimeError, SyntaxError, OverflowError, MemoryError,
            struct.error, LookupError, RecursionError, tokenize.TokenError) as e:
        raise UserError(damage(path, key, e)) from e


def damage(path: Path, key: str | None, error: BaseException) -> str:
    """The sentence for a file that can't be read."""
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    if key is not None:
        return (f"{path}: the array {key!r} can't be read ({reason}). The file is damaged or no "
                "numpy archive; copy or download it again.")
    with contextlib.suppress(OSError):
        with path.open("rb") as f:
            start = f.read(64)
        if start.startswith(b"version https://git-lfs"):
            return (f"{path} is a Git LFS pointer, not the data itself. "
                    "Fetch it with: git lfs pull")
        if start.startswith(b"\x93NUMPY"):
            return (f"{path} is a single array (npy), not an npz with images and labels. Write "
                    "one with numpy.savez(FILE, images=..., labels=...).")
    return (f"{path} is not an npz file, or a damaged one ({reason}). "
            "Copy or download it again, or write it with numpy.savez.")


def available_memory() -> int:
    """Bytes of memory that can still be taken; where the system doesn't tell, a generous guess."""
    return free_memory() or GUESS
