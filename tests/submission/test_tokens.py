"""Tokens: what may come in, several logins at once, and advice that helps."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from submission.codabench import Client
from submission.tokens import Token, find_token, forget_token, keep_token, read_token
from submission.transport import Transport
from zoo.errors import UserError

SECRET = "0123456789abcdef" * 2


@pytest.mark.parametrize("content", [
    SECRET.encode(), f"{SECRET}\n".encode(), f" {SECRET}\r\nmore\n".encode(),
    f"\ufeff{SECRET}\r\n".encode()])
def test_a_token_is_read_as_editors_write_it(content):
    assert read_token(io.BytesIO(content), "a test").header() == f"Token {SECRET}"


@pytest.mark.parametrize("content", [
    b"", b"\n", b"\xff" * 40, f"{SECRET}\n".encode("utf-16"), SECRET.encode() + b"\x80",
    b"x" * 100_000])
def test_what_holds_no_token_is_a_sentence(content):
    with pytest.raises(UserError, match="from a test is empty or holds"):
        read_token(io.BytesIO(content), "a test")


def test_a_line_without_end_is_not_read_whole():
    stream = io.BytesIO(b"x" * 10**7)
    with pytest.raises(UserError):
        read_token(stream, "a test")
    assert stream.tell() < 10**5


@pytest.mark.parametrize("feed", ["printf '\\377\\376' |", "exec <&-;"])
def test_a_standard_input_without_text_ends_the_login_with_a_sentence(platform, feed):
    done = subprocess.run(["sh", "-c", f"{feed} exec {sys.executable} -m harness.cli.main login "
                           f"--host {platform.host} --token-stdin"], timeout=60, text=True,
                          capture_output=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, "from standard input is empty" in done.stderr) == (2, True)


def test_logins_at_once_lose_no_token(tmp_path):
    code = ("import sys; from submission.tokens import Token, keep_token\n"
            f"for i in range(20): keep_token(f'https://{{sys.argv[1]}}-{{i}}', "
            f"Token('{SECRET}', 'x'))")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    running = [subprocess.Popen([sys.executable, "-c", code, str(n)], env=environment,
                                cwd=Path(__file__).parents[2]) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(json.loads((tmp_path / "shift-harness" / "tokens.json").read_text())) == 60


def test_a_login_that_cannot_lock_is_a_sentence(own_config, monkeypatch):
    def refuse(lock, **more):
        raise OSError(errno.ENOLCK, "no")
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(UserError, match="can't be written"):
        keep_token("https://a", Token(SECRET, "a test"))


def test_a_login_that_hangs_keeps_nobody_waiting_for_ever(own_config, monkeypatch):
    def busy(lock, timeout):
        assert 0 < timeout <= 60
        raise filelock.Timeout(lock.lock_file)
    monkeypatch.setattr(filelock.FileLock, "acquire", busy)
    with pytest.raises(UserError, match="Another `harness login`"):
        keep_token("https://a", Token(SECRET, "a test"))


def test_forgetting_where_nothing_was_kept_makes_no_folder(own_config):
    assert not forget_token("https://a")
    assert not own_config.parent.exists()


@pytest.mark.parametrize("variable", [True, False])
def test_a_refused_token_is_advised_on_where_it_came_from(platform, own_config, monkeypatch,
                                                          variable):
    """A new login alone changes nothing while the variable goes before it."""
    if variable:
        monkeypatch.setenv("CODABENCH_TOKEN", SECRET)
    else:
        keep_token(platform.host, Token(SECRET, "a test"))
    client = Client(Transport(platform.host, find_token(platform.host), pause=0.001))
    with pytest.raises(UserError, match="harness login --host") as refused:
        client.username()
    assert ("unset it" in str(refused.value)) == variable
