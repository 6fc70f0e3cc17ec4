"""The platform's token: where it comes from, where it is kept, and that nobody sees it.

    Token                    the text, hidden from repr, logs and exceptions
    read_token(stream)       from a file's first line
    find_token(host)         from CODABENCH_TOKEN, else from the file of this machine
    keep_token(host, token)  into the file: folder mode 700, file mode 600
    forget_token(host)       out of it
"""

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import filelock
import platformdirs

from zoo import files
from zoo.errors import UserError

VARIABLE = "CODABENCH_TOKEN"
LONGEST_LINE = 10_000               # bytes of what may hold a token
SHAPE = re.compile(r"[A-Za-z0-9._~+/=-]{8,512}")


class Token:
    """A secret text. Only :meth:`header` gives it away, to the one who sends it."""

    def __init__(self, text: str, source: str) -> None:
        text = text.strip()
        if not SHAPE.fullmatch(text):
            raise UserError(f"The token from {source} is empty or holds characters that no token "
                            "has. Copy it again, or run `harness login`.")
        self._text = text
        self.source = source

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Token {self._text}"

    def redact(self, text: str) -> str:
        """``text`` without this token: some servers echo what they were sent."""
        return re.sub(re.escape(self._text), "[token]", text, flags=re.IGNORECASE)

    def __repr__(self) -> str:
        return f"<Token from {self.source}>"

    def __reduce__(self) -> str:
        raise TypeError("a token is not written to files")


def read_token(stream: IO[bytes], source: str) -> Token:
    """The token in the first line of ``stream``. Raises UserError where there is none."""
    line = stream.readline(LONGEST_LINE)
    return Token(line.decode("utf-8-sig", errors="replace"), source)


def token_file() -> Path:
    """The file that holds one token a host, readable by its owner only."""
    return platformdirs.user_config_path("shift-harness") / "tokens.json"


def find_token(host: str) -> Token:
    """The token for ``host``. Raises UserError where there is none, or others can read the file."""
    text = os.environ.get(VARIABLE, "")
    if text.strip():
        return Token(text, f"the variable {VARIABLE}")
    kept = _read(token_file())
    if host not in kept:
        raise UserError(f"There is no token for {host}. Run `harness login --host {host}`, or set "
                        f"the variable {VARIABLE}.")
    return Token(kept[host], str(token_file()))


def keep_token(host: str, token: Token) -> Path:
    """Keep ``token`` for ``host``; return the file. Nobody else can read it at any moment."""
    path = token_file()
    _read(path)                     # raises before anything is made
    with files.user_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _changing(path) as kept:
        kept[host] = token._text
    return path


def forget_token(host: str) -> bool:
    """Drop the token of ``host``. False where there was none."""
    path = token_file()
    if host not in _read(path):
        return False
    with _changing(path) as kept:
        kept.pop(host, None)
    return True


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, str]]:
    """What is kept, to be changed; another login waits, so that none loses the other's token."""
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    try:
        with files.user_errors(path):
            lock.acquire(timeout=60)
    except filelock.Timeout:
        raise UserError(f"Another `harness login` holds {path}. Wait until it has ended, then run "
                        "this one again.") from None
    try:
        kept = _read(path)
        yield kept
        _write(path, kept)
    finally:
        lock.release()


def _read(path: Path) -> dict[str, str]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise UserError(f"{path} can't be read ({e.strerror}). Make its folder readable, or set "
                        f"the variable {VARIABLE}.") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise UserError(f"Others can read {path}, which holds your token. Run "
                        f"`chmod 600 {path}`, and make a new token if you share this machine.")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        kept = None
    if not isinstance(kept, dict):
        raise UserError(f"{path} is damaged. Delete it and run `harness login`.")
    return {str(host): str(text) for host, text in kept.items()}


def _write(path: Path, kept: dict[str, str]) -> None:
    with files.atomic(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            json.dump(kept, f, indent=1)
