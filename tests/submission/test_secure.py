"""The client over TLS and through proxies: what arrived, and what is safely sent again."""

import contextlib
import os
import ssl
from pathlib import Path

import pytest
from listeners import echo, hang_up, listener

from submission.codabench import Client
from submission.transport import Transport, Unclear, Unreachable
from zoo.errors import UserError

CERTIFICATE = Path(__file__).with_name("self_signed.pem")      # of localhost, for tests only


def hear_and_hang_up(connection, heard):
    """Agree on TLS, read the request, and go without an answer or a goodbye."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with contextlib.suppress(OSError):
        secure = context.wrap_socket(connection, server_side=True)
        heard.append(secure.recv(65536))
        os.close(secure.detach())


def secure_client(port):
    return Client(Transport(f"https://localhost:{port}", None, tries=3, pause=0.001))


def test_a_handshake_that_breaks_off_is_tried_again_even_for_a_submission():
    for call in (lambda c: c.submission(1), lambda c: c.create("some-key", 1)):
        with listener(hang_up) as (port, heard), pytest.raises(Unreachable, match="broke"):
            call(secure_client(port))
        assert len(heard) == 3


def test_who_speaks_no_https_is_told_apart():
    """localhost:8000 means https."""
    with listener(echo(400)) as (port, _), pytest.raises(UserError, match="write http://local"):
        secure_client(port).submission(1)


def test_a_proxy_that_refuses_is_named_and_not_its_password(monkeypatch):
    """What it refuses never arrived."""
    monkeypatch.setenv("no_proxy", "")
    with listener(echo(407)) as (port, heard):
        monkeypatch.setenv("https_proxy", f"http://user:secret-word@127.0.0.1:{port}")
        with pytest.raises(Unreachable, match="proxy on the way to https://localhost") as error:
            secure_client(9).create("some-key", 1)
    assert "secret-word" not in str(error.value)


def test_a_secure_connection_that_breaks_after_the_request_leaves_doubt(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with listener(hear_and_hang_up) as (port, heard):
        with pytest.raises(Unclear, match="broke"):
            secure_client(port).create("some-key", 1)
        assert len(heard) == 1
        assert heard[0].startswith(b"POST /api/submissions/")
        with pytest.raises(Unreachable, match="broke"):
            secure_client(port).submission(1)
    assert len(heard) == 4


def tunnel_and_hang_up(connection, heard):
    """What a proxy does whose server goes away: open the tunnel, and let the request vanish."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    hear_and_hang_up(connection, heard)


def test_a_request_that_vanishes_behind_a_proxy_leaves_doubt(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "")
    with listener(tunnel_and_hang_up) as (port, heard):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(Unclear):
            secure_client(9).create("some-key", 1)
    assert len(heard) == 1


def test_a_certificate_that_nobody_vouches_for_is_a_sentence_at_the_first_try():
    words = "certificate of https://localhost:.* not trusted"
    with listener(hear_and_hang_up) as (port, heard), pytest.raises(UserError, match=words):
        secure_client(port).create("some-key", 1)
    assert heard == []
