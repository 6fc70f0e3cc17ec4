"""Object storage by presigned address: never the API's token, never more than was asked for.

    upload(address, path, sha256)    one PUT, streamed, with exactly ``application/zip``
    download(address, limit)         bytes, at most ``limit`` of them
    save(address, file, limit)       the same, into an open file
    content_hash(address, sizes)     sha256, read only where the size is one of ``sizes``
"""

import contextlib
import hashlib
import io
import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests

from submission.transport import TIMEOUT, Refused, Unreachable, arriving, new_session
from submission.unpack import TooLarge
from zoo.errors import UserError

PIECE = 2**20
UPLOADS, DOWNLOADS = 4, 3                  # tries of each
MOVED = {301, 302, 303, 307, 308}
MOVED_UPLOADS = MOVED - {303}              # 303: it was taken, and something else lies there
# The second is for Azure's storage, which wants to be told; others pass over it.
HEADERS = {"Content-Type": "application/zip", "x-ms-blob-type": "BlockBlob"}
PASSING = (408, 429)                        # refusals that may be none the next time
Progress = Callable[[int, int], None]       # bytes sent so far, bytes in all


class Body:
    """A file as the body of a request: streamed, counted and hashed on the way."""

    def __init__(self, path: Path, progress: Progress) -> None:
        try:
            self.file = path.open("rb")
        except OSError as e:
            raise UserError(f"{path} can't be read any more ({e.strerror}). Nothing was "
                            "submitted; put it back and run the same command again.") from None
        self.size = os.fstat(self.file.fileno()).st_size
        self.progress = progress
        self.sent = 0
        self.digest = hashlib.sha256()

    def __len__(self) -> int:
        return self.size

    def read(self, size: int = -1) -> bytes:
        piece = self.file.read(min(size, PIECE) if size > 0 else PIECE)
        self.digest.update(piece)
        self.sent += len(piece)
        self.progress(self.sent, self.size)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(), b"")

    def close(self) -> None:
        self.file.close()


def upload(address: str, path: Path, sha256: str, *, progress: Progress = lambda sent, size: None,
           pause: float = 1.0) -> None:
    """PUT the file to a presigned address. A second PUT replaces the first, so it is tried again.

    Raises UserError where storage refuses, where the file changed meanwhile, and Unreachable
    after UPLOADS dropped connections.
    """
    status, reason = 0, ""
    for turn in range(UPLOADS):
        if turn:
            time.sleep(min(pause * 2 ** (turn - 1), 30.0))
        try:
            status, reason = _put(address, path, sha256, progress)
        except requests.exceptions.RequestException as e:
            if isinstance(e, ValueError):
                reason = f"its address can't be used ({type(e).__name__})"
                break
            reason = f"the connection broke ({type(e).__name__})"
            continue
        if status < 300:
            return
        if status < 500 and status not in PASSING:
            break
    else:
        raise Unreachable(f"The upload of {path.name} to {_host(address)} failed {UPLOADS} times: "
                          f"{reason}. Nothing was submitted; run the same command again.")
    advice = ("run the same command again" if status != 413 else
              "it takes no file so large. `harness submission --half` packs one of half the size")
    raise UserError(f"The storage at {_host(address)} refuses the upload of {path.name}: {reason}. "
                    f"Nothing was submitted; {advice}.")


def _put(address: str, path: Path, sha256: str, progress: Progress) -> tuple[int, str]:
    """One PUT -> status and reason. Follows a redirect: there is no credential to lose."""
    for _ in range(3):
        with (contextlib.closing(Body(path, progress)) as body, new_session(None).put(
                address, data=body, headers=HEADERS, stream=True, timeout=(30.0, 300.0),
                allow_redirects=False) as response):
            if response.status_code in MOVED_UPLOADS:
                address = _moved(address, response)
                continue
            if response.status_code < 300 and body.digest.hexdigest() != sha256:
                raise UserError(f"{path} changed while it was sent. Nothing was submitted; run "
                                "the same command again when nobody writes to it.")
            start = _start(response)
            if response.status_code < 300 and start.lstrip()[:5].lower() in (b"<html", b"<!doc"):
                return 502, "a web page answers in its place"    # of a proxy; nothing was stored
            return response.status_code, f"{response.status_code} {_reason(response, start)}"
    return 508, "it redirects in circles"


def _moved(address: str, response: requests.Response) -> str:
    """Where a redirect leads."""
    try:
        return urljoin(address, response.headers.get("Location", ""))
    except ValueError as e:
        raise requests.exceptions.InvalidURL(e) from None


def _start(response: requests.Response) -> bytes:
    """The first few thousand bytes of an answer, as far as they can be read."""
    start = b""
    with contextlib.suppress(requests.exceptions.RequestException):
        for piece in arriving(response):
            start += piece
            if len(start) > 4000:
                break
    return start


def _reason(response: requests.Response, start: bytes) -> str:
    """The error code in a storage's XML, else the phrase of the status line."""
    _, _, rest = start.decode("utf-8", errors="replace").partition("<Code>")
    return rest.partition("</Code>")[0][:80] or response.reason or ""


def pieces(address: str, limit: int) -> Iterator[bytes]:
    """The content at a presigned address, piece by piece, without credentials.

    Raises TooLarge for more than ``limit`` bytes, Refused where storage says no, Unreachable where
    it can't be read.
    """
    size = 0
    try:
        with _open(address) as response:
            status = response.status_code
            if status >= 400:
                sentence = (f"The storage at {_host(address)} answers {status} "
                            f"{_reason(response, _start(response))}.")
                if status < 500 and status not in PASSING:
                    raise Refused(sentence, status)
                raise Unreachable(sentence)
            told = response.headers.get("Content-Length", "")
            too_large = TooLarge(f"A file at {_host(address)} is larger than the "
                                 f"{limit / 1e6:.0f} MB that are allowed; it was not kept.")
            if told.isdecimal() and int(told) > limit:
                raise too_large
            for piece in arriving(response):
                size += len(piece)
                if size > limit:
                    raise too_large
                yield piece
    except requests.exceptions.RequestException as e:
        raise Unreachable(f"The storage at {_host(address)} can't be read "
                          f"({type(e).__name__}).") from None


def _open(address: str) -> requests.Response:
    session = new_session(None)
    for _ in range(4):
        response = session.get(address, stream=True, timeout=TIMEOUT, allow_redirects=False)
        if response.status_code not in MOVED:
            return response
        response.close()
        address = _moved(address, response)
    raise Unreachable(f"The storage at {_host(address)} redirects in circles.")


def download(address: str, limit: int, *, pause: float = 1.0) -> bytes:
    """The content at a presigned address; at most ``limit`` bytes. Raises as ``pieces``."""
    file = io.BytesIO()
    save(address, file, limit, pause=pause)
    return file.getvalue()


def save(address: str, file: IO[bytes], limit: int, *, pause: float = 1.0) -> None:
    """Write the content at a presigned address into an empty file; at most ``limit`` bytes.

    Tried again where it can't be read, not where storage refuses. Raises as ``pieces``.
    """
    for turn in range(DOWNLOADS):
        try:
            for piece in pieces(address, limit):
                file.write(piece)
            return
        except Unreachable:
            if turn == DOWNLOADS - 1:
                raise
            file.seek(0)
            file.truncate()
            time.sleep(pause * 2**turn)


def content_hash(address: str, sizes: Collection[int]) -> str | None:
    """The sha256 of what lies there; None, unread, where its size is none of ``sizes``."""
    digest = hashlib.sha256()
    try:
        with _open(address) as response:
            length = response.headers.get("Content-Length", "")
            if response.status_code >= 400 or not length.isdecimal() or int(length) not in sizes:
                return None
            for piece in arriving(response):
                digest.update(piece)
    except requests.exceptions.RequestException as e:
        raise Unreachable(f"The storage at {_host(address)} can't be read "
                          f"({type(e).__name__}).") from None
    return digest.hexdigest()


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc.rpartition("@")[2] or "an address without a host"
    except ValueError:
        return "an address that nobody can read"
