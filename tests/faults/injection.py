"""Faults of the file system: the n-th call fails, or the machine dies at it.

SQLite's method: run a scenario with the first call failing, then the second, and so on until it
ends without having met its fault. What must hold is checked after every one.
"""

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Iterator

KINDS = {"disk full": errno.ENOSPC, "broken disk": errno.EIO, "not allowed": errno.EACCES,
         "read-only": errno.EROFS}
CALLS = ("replace", "fsync", "open", "mkdir", "unlink", "rmdir", "link", "write")


class Died(BaseException):
    """The power went: nothing that comes after it happens, clean-up included."""


class Faults:
    """Counts the calls that change files below ``folder``; ``at`` is the one that fails."""

    def __init__(self, folder, at, kind):
        self.folder, self.at, self.kind = str(folder), at, kind
        self.count, self.met = 0, False

    def call(self, what, name=None):
        """One call. Raises if it is to fail, or if the machine is dead."""
        if self.met and self.kind == "power":
            raise Died
        if name is not None and not str(name).startswith(self.folder):
            return
        self.count += 1
        if self.count == self.at:
            self.met = True
            if self.kind == "power":
                raise Died
            code = KINDS[self.kind]
            raise OSError(code, os.strerror(code), str(name or what))


class File:
    """A file whose writes are counted; half of the failing one reaches the disk."""

    def __init__(self, file, faults):
        self._file, self._faults = file, faults

    def write(self, data):
        try:
            self._faults.call("write")
        except (OSError, Died):
            self._file.write(data[:len(data) // 2])
            self._file.flush()
            raise
        return self._file.write(data)

    def close(self):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __iter__(self):
        return iter(self._file)


@contextlib.contextmanager
def injected(folder, at: int, kind: str) -> Iterator[Faults]:
    """Let the ``at``-th call that changes something below ``folder`` fail with ``kind``."""
    faults = Faults(folder, at, kind)
    kept = {name: getattr(os, name) for name in CALLS}
    opened = builtins.open

    def wrapped(name):
        def call(*args, **kwargs):
            reading = name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if name in ("fsync", "write"):
                faults.call(name)
            elif not reading:
                faults.call(name, os.fspath(args[0]))
            return kept[name](*args, **kwargs)
        return call

    def opening(file, mode="r", *args, **kwargs):
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return opened(file, mode, *args, **kwargs)
        faults.call("open", os.fspath(file))
        made = opened(file, mode, *args, **kwargs)
        return File(made, faults) if str(file).startswith(faults.folder) else made

    for name in CALLS:
        setattr(os, name, wrapped(name))
    builtins.open = io.open = opening
    try:
        yield faults
    finally:
        for name, function in kept.items():
            setattr(os, name, function)
        builtins.open = io.open = opened
