"""Where pretrained weights come from: a mirror folder, Keras' cache, or the download.

A mirror folder is the user's word: its files may be re-saved, so no hash is asked of them, only
that they are HDF5 files that hold something. Files in the cache and downloads must have the hash
that keras.applications states.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.errors import UserError
from zoo.files import atomic, file_hash, user_errors

MIRROR = "HARNESS_WEIGHTS"
TIMEOUT = (6.0, 30.0)  # seconds: to connect; between two pieces
ATTEMPTS = 6  # downloads that got further than the one before don't count
PIECE = 1 << 18

# Hosts that did not answer, so that eight backbones without a network wait once.
_silent: set[str] = set()


class NotFetched(Exception):
    """Why a download failed, in a few words."""


class NotHad(UserError):
    """Pretrained weights that are nowhere on this machine and can't be fetched."""


def find(file_name: str, address: str, hash: str, folder: str | os.PathLike[str] | None = None
         ) -> Path:
    """The file of pretrained weights that Keras calls ``file_name``.

    Looked for in ``folder`` (or in the folder that HARNESS_WEIGHTS names), then in Keras' cache,
    then fetched from ``address`` + ``file_name`` into that cache. ``hash`` is the md5 or sha256
    in hex, or "" where Keras states none. MobileNetV2's weights fit any input size, so any
    of its files will do.

    Raises NotHad where the file can't be had from anywhere, and another UserError where it is
    damaged or ``folder`` does not exist.
    """
    mirror = mirror_folder(folder)
    if mirror is not None:
        for path in variants(mirror, file_name):
            check_readable(path)
            return path
    for path in variants(keras_folder(), file_name):
        if intact(path, hash if path.name == file_name else ""):
            return path
    target = keras_folder() / file_name
    try:
        download(address + file_name, target, hash)
    except NotFetched as e:
        raise NotHad(sorry(address + file_name, target, mirror, str(e))) from e
    return target


def describe(path: Path) -> dict[str, str]:
    """What a run records about the weights it started from."""
    return {"origin": "imagenet", "file": path.name, "sha256": file_hash(path)}


def mirror_folder(folder: str | os.PathLike[str] | None) -> Path | None:
    """The mirror that was named, if one was. Raises UserError where it does not exist."""
    named = folder or os.environ.get(MIRROR)
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_dir():
        raise UserError(f"The folder of weights {path} does not exist. Name the folder that holds "
                        f"the .h5 files (--weights DIR, or {MIRROR}).")
    return path


def keras_folder() -> Path:
    """Where Keras keeps the weights that it fetched."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def variants(folder: Path, file_name: str) -> Iterator[Path]:
    """The file itself if it is in ``folder``, then the same network's for other input sizes."""
    if (folder / file_name).is_file():
        yield folder / file_name
    sized = re.fullmatch(r"(mobilenet_v2_.*_1\.0_)\d+(_no_top\.h5)", file_name)
    if sized and folder.is_dir():
        pattern = re.compile(re.escape(sized[1]) + r"\d+" + re.escape(sized[2]))
        others = [p for p in folder.iterdir() if pattern.fullmatch(p.name) and p.name != file_name]
        yield from sorted(others, key=lambda p: p.name, reverse=True)


def check_readable(path: Path) -> None:
    """Raise UserError unless ``path`` is a whole HDF5 file with arrays in it."""
    reason = damage(path)
    if reason:
        raise UserError(f"{path} is damaged ({reason}). Copy it again, or delete it so that it is "
                        "looked for elsewhere.")


def damage(path: Path) -> str:
    """What is wrong with an HDF5 file, "" where nothing is."""
    import h5py

    try:
        with h5py.File(path) as f:
            arrays: list[str] = []
            f.visititems(lambda name, item: arrays.append(name)
                         if isinstance(item, h5py.Dataset) else None)
    except PermissionError:
        return "it may not be read"
    except (OSError, RuntimeError, KeyError, ValueError) as e:
        return str(e).splitlines()[0][:100] if str(e) else type(e).__name__
    return "" if arrays else "it holds no arrays"


def intact(path: Path, hash: str) -> bool:
    """Whether a file has this hash, or, where none is stated, whether it can be read."""
    if not hash:
        return not damage(path)
    return file_hash(path, "md5" if len(hash) == 32 else "sha256") == hash.lower()


def download(url: str, target: Path, hash: str) -> None:
    """Fetch ``url`` into ``target``, going on where an earlier attempt was cut off.

    Raises NotFetched; what has come so far stays beside the target for the next attempt, unless
    it is wrong.
    """
    from filelock import FileLock

    part = target.with_name(f"{target.name}.part")
    with user_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{part}.lock"):
            if target.is_file() and intact(target, hash):
                return
            fetch(url, part)
            if not intact(part, hash):
                part.unlink()
                raise NotFetched("what came is damaged: its hash is not the stated one" if hash
                                 else "what came is no whole HDF5 file")
            with atomic(target) as temporary:
                os.replace(part, temporary)


def fetch(url: str, part: Path) -> None:
    """Append to ``part`` until the whole file is there. Raises NotFetched."""
    import requests
    import urllib3

    host = url.split("/")[2]
    if host in _silent:
        raise NotFetched(f"{host} did not answer before")
    attempt = 0
    while True:
        before = size(part)
        try:
            if append(url, part):
                return
            reason: object = "the connection was cut off"
        except (requests.RequestException, urllib3.exceptions.HTTPError) as e:
            reason = type(e).__name__
        grown = size(part) > before
        if not grown and not before:
            _silent.add(host)
            raise NotFetched(f"{host} does not answer: {reason}")
        attempt = 0 if grown else attempt + 1
        if attempt == ATTEMPTS:
            raise NotFetched(f"{reason}, {size(part) >> 20} MiB of it are kept for next time")


def size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def append(url: str, part: Path) -> bool:
    """Ask for the rest of a file and append it to ``part``; whether all of it is there now."""
    import requests

    have = size(part)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # nothing of it is left, or it is another file by now
            if answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                return True
            part.unlink()
            return False
        if answer.status_code not in (200, 206):
            raise NotFetched(f"the server answered {answer.status_code} {answer.reason}")
        resumed = answer.status_code == 206
        start = have if resumed else 0
        total = start + int(answer.headers.get("Content-Length", 0))
        with part.open("ab" if resumed else "wb") as f, progress(part.stem, start, total) as step:
            # Not iter_content, which loses the piece that a broken connection cuts short.
            while piece := answer.raw.read1(PIECE):
                f.write(piece)
                step(len(piece))
    return size(part) >= total


@contextlib.contextmanager
def progress(title: str, start: int, total: int) -> Iterator[Callable[[int], None]]:
    """A function that moves a progress bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
                  TimeRemainingColumn(), console=console, transient=True,
                  disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=total or None, completed=start)
        yield lambda n: shown.advance(task, n)


def sorry(url: str, target: Path, mirror: Path | None, reason: str) -> str:
    """The sentence for weights that can't be had."""
    wrong = " (the file there is damaged)" if target.is_file() else ""
    looked = f"in {mirror}, nor " if mirror else ""
    return (f"The pretrained weights {target.name} are not {looked}in {target.parent}{wrong}, and "
            f"fetching {url} failed: {reason}. Fetch that address on another machine and put the "
            f"file into {mirror or target.parent}.")
