"""Zips from strangers: looked into without running, and unpacked without leaving the folder."""

import io
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from zoo.errors import UserError
from zoo.files import user_errors
from zoo.zips import METHODS, Zip

ENTRIES = 2000          # files in one submission
TOTAL = 8 << 30         # bytes unpacked
EXPANSION = 100         # times, of anything larger than SAFE; weights shrink by less than 2
SAFE = 64 << 20         # bytes
TEXT = 4 << 20          # bytes of a text file that is read
LONGEST = 255           # bytes of a file's name
PIECE = 1 << 20
DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError,
           RuntimeError, struct.error, ValueError, LookupError, SyntaxError, MemoryError)


class Archive:
    """A submission's zip, opened for reading. Raises UserError where there is no such file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{path} does not exist or is a folder. Name the zip.")
        self.damage: str | None = None
        self.zip: Zip | None = None
        try:
            self.zip = Zip(self.path)
        except DAMAGES as e:
            self.damage = str(e) or type(e).__name__

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        if self.zip:
            self.zip.close()

    @cached_property
    def entries(self) -> list[zipfile.ZipInfo]:
        """Files, no folders; of an archive with too many, only as many as show that."""
        infos = self.zip.infolist() if self.zip else []
        found = [i for i in infos if not i.filename.endswith("/")][:ENTRIES + 1]
        for info in found:      # some programs write ./model.py, which lands at the root
            info.filename = str(PurePosixPath(info.filename))
        return found

    @cached_property
    def names(self) -> list[str]:
        return [i.filename for i in self.entries]

    @cached_property
    def sizes(self) -> dict[str, int]:
        return {i.filename: i.file_size for i in self.entries}

    @cached_property
    def infos(self) -> dict[str, zipfile.ZipInfo]:
        """By name; of two with the same name the last, which stays where both are unpacked."""
        return {i.filename: i for i in self.entries}

    def open(self, name: str) -> IO[bytes]:
        """A file for reading. Raises one of DAMAGES where there is none."""
        info = self.infos[name]
        return self.zip.open(info)  # type: ignore[union-attr]

    def read(self, name: str, most: int = TEXT) -> bytes:
        """The first ``most`` bytes of a file, b"" where it can't be read."""
        try:
            with self.open(name) as f:
                return f.read(most)
        except DAMAGES:
            return b""

    def text(self, name: str) -> str | None:
        """A file of code as Python would decode it, None where it can't."""
        content = self.read(name)
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            return content.decode(encoding)
        except (SyntaxError, ValueError, LookupError):
            return None

    @cached_property
    def model(self) -> str | None:
        """The text of model.py at the root, None where there is none that can be read."""
        return self.text("model.py") if "model.py" in self.names else None

    @cached_property
    def broken(self) -> str | None:
        """Which entry can't be unpacked whole, and why; None where all can."""
        for info in self.entries:
            if self.refusal(info) is None:
                if info.compress_type not in METHODS:
                    return (f"{info.filename} is compressed by a method other than Deflate, which "
                            "Python can't unpack, or not in bounded memory")
                try:
                    with self.zip.open(info) as f:  # type: ignore[union-attr]
                        while f.read(PIECE):
                            pass
                except DAMAGES:
                    return (f"{info.filename} can't be unpacked whole: its bytes or its checksum "
                            "are wrong")
        return None

    def refusal(self, info: zipfile.ZipInfo) -> str | None:
        """Why this entry must not be unpacked, None where it may."""
        if unsafe_name(info.filename):
            return f"{info.filename!r} would be written outside the folder"
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.create_system == 3 and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            return f"{info.filename!r} is a link or a device, not a file"
        if info.file_size > SAFE and info.file_size > EXPANSION * max(info.compress_size, 1):
            return (f"{info.filename!r} would grow from {info.compress_size / 1e6:.1f} to "
                    f"{info.file_size / 1e6:,.0f} MB")
        if info.flag_bits & 1:
            return f"{info.filename!r} is encrypted"
        path = PurePosixPath(info.filename)
        if any(len(os.fsencode(part)) > LONGEST for part in path.parts):
            return f"{info.filename[:40]!r}... is longer than a name may be, {LONGEST} bytes"
        if any(str(folder) in self.infos for folder in list(path.parents)[:-1]):
            return f"{info.filename!r} lies in what is a file, not a folder"
        return None

    @cached_property
    def bomb(self) -> str | None:
        """Why the archive as a whole is too much, None where it isn't."""
        total = sum(self.sizes.values())
        if len(self.entries) > ENTRIES:
            return f"it holds more than {ENTRIES:,} files"
        if total > TOTAL:
            return f"it would unpack to {total / 1e9:.1f} GB, more than {TOTAL / 1e9:.1f}"
        packed = self.path.stat().st_size   # what the entries say of it may lie, or overlap
        if total > max(SAFE, EXPANSION * packed):
            return f"it would grow from {packed / 1e6:.1f} to {total / 1e6:,.0f} MB"
        return None

    def refusals(self) -> Iterator[str]:
        if self.bomb:
            yield self.bomb
        for info in self.entries:
            reason = self.refusal(info)
            if reason:
                yield reason

    def unpack(self, folder: Path) -> None:
        """Write every file below ``folder``. Raises UserError, having written nothing bad."""
        reason = self.damage or next(self.refusals(), None)
        if reason:
            raise UserError(f"{self.path} is not unpacked: {reason}. `harness check` says more.")
        left = TOTAL
        for info in self.entries:
            target = folder.joinpath(*PurePosixPath(info.filename).parts)
            try:
                with user_errors(target):
                    left -= self._write(info, target, min(left, info.file_size))
            except DAMAGES as e:
                raise UserError(f"{self.path}: {info.filename} can't be unpacked ({e}). "
                                "The zip is damaged; make it again.") from e

    def _write(self, info: zipfile.ZipInfo, target: Path, most: int) -> int:
        """Unpack one file of at most ``most`` bytes; how many there were."""
        if not self.zip:
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        done = 0
        with self.zip.open(info) as source, target.open("wb") as f:
            while piece := source.read(PIECE):
                done += len(piece)
                if done > most:
                    raise ValueError("it is longer than it says")
                f.write(piece)
        return done


def unsafe_name(name: str) -> bool:
    """Whether unpacking ``name`` could write outside the folder, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts \
        or path.parts[0][1:2] == ":"
