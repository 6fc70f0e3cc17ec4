"""Unpack a stranger's zip inside one folder, or not at all.

    unpack(file, folder)     the names written; UserError for anything that would leave the folder
"""

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from submission.archive import DAMAGES
from zoo import files
from zoo.errors import UserError
from zoo.zips import Zip

LARGEST = 2 * 10**9                 # bytes unpacked
MOST = 10_000                       # files


class TooLarge(UserError):
    """More than is allowed; nothing of it was kept."""


def unpack(file: IO[bytes], folder: Path, limit: int = LARGEST) -> list[str]:
    """Write the files of a zip below ``folder`` and return their names; an empty file has none.

    Every name is looked at before the first file is written. Raises UserError for a damaged zip,
    a name that points outside, and a link; TooLarge for too many files or bytes.
    """
    if not file.seek(0, os.SEEK_END):
        return []
    try:
        with Zip(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            targets = [_target(folder, member) for member in members]
            _check_sizes(members, limit)
            for member, target in zip(members, targets, strict=True):
                limit -= _write(archive, member, target, limit)
    except DAMAGES as e:
        raise UserError(f"A result of the platform is no readable zip ({e}).") from None
    return [member.filename for member in members]


def _target(folder: Path, member: zipfile.ZipInfo) -> Path:
    name = member.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    linked = stat.S_ISLNK(member.external_attr >> 16)
    if linked or not parts or name.startswith("/") or ".." in parts or ":" in name or "\0" in name:
        raise UserError(f"A zip from the platform holds {member.filename!r}, which points outside "
                        "its folder. Nothing was unpacked.")
    target = folder.joinpath(*parts)
    if not target.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target} leads out of {folder} through a link. Choose an empty folder.")
    return target


def _check_sizes(members: list[zipfile.ZipInfo], limit: int) -> None:
    if len(members) > MOST or sum(member.file_size for member in members) > limit:
        raise TooLarge(f"A zip from the platform unpacks to more than {limit / 1e6:.0f} MB or "
                       f"{MOST} files. Nothing was unpacked.")


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Write one file, counting what really comes out: the sizes in a zip may lie."""
    size = 0
    with (archive.open(member) as source, files.atomic(target) as temporary,
          temporary.open("wb") as f):
        while piece := source.read(2**20):
            size += len(piece)
            if size > limit:
                raise UserError(f"A zip from the platform unpacks to more than it says "
                                f"({member.filename}). It was left there.")
            f.write(piece)
    return size
