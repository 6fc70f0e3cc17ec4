"""Files that are whole or not there: the one place that writes.

Every writer goes through :func:`atomic`: a temporary name in the same folder,
flush, fsync, rename, fsync of the folder where it can be had. A reader never sees half a
file, and a crash leaves at most a ``.tmp`` file that nobody believes.
"""

import contextlib
import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UserError

# What a file system says to a path that can't be written, beside that it is full.
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
           errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ENOLCK)
# What it says where folders can't be flushed: some network drives, FUSE, folders of others.
UNFLUSHED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)

CACHE = "HARNESS_CACHE"


def cache_folder() -> Path:
    """Where things lie that can be computed again: what HARNESS_CACHE names, or this user's."""
    import platformdirs

    return Path(os.environ.get(CACHE) or platformdirs.user_cache_dir("shift-harness")).expanduser()


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; when the block ends well it becomes ``path``, else it goes.

    Raises UserError where the disk is full, the folder can't be written, or no file is named.
    """
    path = Path(path)
    if not path.name:
        raise UserError(f"{str(path)!r} names no file to write. Give the file's name, too.")
    if os.path.exists(path) and not (path.is_file() or path.is_dir()):
        # A device would be replaced by the file, for every program, where one may.
        raise UserError(f"{path} is no ordinary file, so it can't be written whole or not at all. "
                        "Name a file.")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with user_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            fsync(temporary)
            os.replace(temporary, path)
            fsync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def user_errors(path: Path) -> Iterator[None]:
    """Turn the file system's refusals into sentences that name ``path``."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"The disk is full: {path} was not written. "
                            "Free some space, or choose another folder, and run it again.") from e
        if e.errno == errno.ENOENT:
            raise UserError(f"{path} can't be written: its folder does not exist and can't be "
                            "made, or was removed. Name another folder.") from e
        if e.errno in REFUSED:
            raise UserError(f"{path} can't be written ({os.strerror(e.errno)}). "
                            "Choose a folder that you may write to.") from e
        raise


def fsync(path: Path) -> None:
    """Flush one file to the disk, or one folder where the file system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as e:
        if e.errno not in UNFLUSHED or not path.is_dir():
            raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8, atomically.

    Half a surrogate pair, as in a file name that is no UTF-8, is written as JSON writes it.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as readable JSON, atomically. numpy scalars and arrays become plain."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, default=plain) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON. Raises UserError where the file is missing or is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise UserError(f"{path} does not exist.") from e
    except (ValueError, OSError, RecursionError) as e:
        raise UserError(f"{path} can't be read as JSON ({e}).") from e


def write_arrays(path: str | os.PathLike[str], **arrays: np.ndarray) -> None:
    """Write arrays as a compressed npz, atomically."""
    with atomic(path) as temporary, temporary.open("wb") as f:
        np.savez_compressed(f, **dict[str, Any](arrays))


def plain(value: Any) -> Any:
    """What the json module calls for values it doesn't know: numpy's."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def file_hash(path: str | os.PathLike[str], kind: str = "sha256") -> str:
    """The hex digest of a file, read in pieces."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, kind).hexdigest()


def content_hash(*parts: Any) -> str:
    """The sha256 (hex) of arrays (type, shape and bytes) and of JSON-able values, in order."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True, default=plain).encode())
        digest.update(b"\0")
    return digest.hexdigest()
