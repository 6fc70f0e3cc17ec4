"""Answers that never end although they never fall silent, and those that are merely slow."""

import contextlib
import gzip
import time

import pytest
import requests
from listeners import listener
from platform_helpers import make_zip

from submission import storage, transport
from submission.codabench import Client
from submission.submit import inspect
from submission.transport import Transport, Unclear, Unreachable, arriving, new_session
from zoo.errors import UserError

PLAIN = b"Content-Length: 100000\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def dripping(head, drop, status=b"200 OK"):
    """A server whose answer comes drop by drop, without end."""
    def answer(connection, heard):
        heard.append(connection.recv(65536))
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n"
                               + head)
            for _ in range(400):
                connection.sendall(drop)
                time.sleep(0.02)
        connection.close()
    return answer


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "SOONEST", 0.2)


def client(port):
    return Client(Transport(f"http://127.0.0.1:{port}", None, tries=2, pause=0.001))


@pytest.mark.parametrize("head, drop", [(PLAIN, b" "), (CHUNKED, b"1\r\n \r\n")])
def test_an_answer_that_drips_for_ever_ends_in_a_sentence(head, drop):
    began = time.monotonic()
    with listener(dripping(head, drop)) as (port, _), pytest.raises(Unreachable, match="too slow"):
        client(port).username()
    with listener(dripping(head, drop)) as (port, heard):
        with pytest.raises(Unclear, match="too slow"):
            client(port).create("some-key", 1)
        assert len(heard) == 1
    with listener(dripping(head, drop)) as (port, _), pytest.raises(Unreachable):
        storage.download(f"http://127.0.0.1:{port}/x", 10**6, pause=0.001)
    assert time.monotonic() - began < 6


def test_a_refusal_that_drips_for_ever_keeps_no_upload_waiting(tmp_path):
    parcel = inspect(make_zip(tmp_path / "a.zip"))
    began = time.monotonic()
    with (listener(dripping(PLAIN, b" ", b"403 Forbidden")) as (port, _),
          pytest.raises(UserError, match="403 Forbidden. Nothing was submitted")):
        storage.upload(f"http://127.0.0.1:{port}/x", parcel.path, parcel.sha256, pause=0.001)
    assert time.monotonic() - began < 3


def test_an_answer_that_is_merely_slow_is_read_to_its_end():
    """Forty drops in twice the time after which an answer must keep up."""
    drop = b"x" * 200
    head = b"Content-Length: %d\r\n\r\n" % (40 * len(drop))
    with listener(dripping(head, drop)) as (port, _):
        assert storage.download(f"http://127.0.0.1:{port}/x", 10**6) == drop * 40


@pytest.mark.parametrize("head, body", [
    (b"Content-Length: 9\r\n\r\n", b"123"), (CHUNKED, b"5\r\n12345\r\n"), (CHUNKED, b"5\r\n123"),
    (CHUNKED, b"what\r\n"), (b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n", b"not gzip!")])
def test_an_answer_that_breaks_off_is_not_taken_for_whole(head, body):
    def answer(connection, heard):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + body)
        connection.close()
    with (listener(answer) as (port, _),
          pytest.raises(requests.exceptions.RequestException),
          new_session(None).get(f"http://127.0.0.1:{port}/", stream=True) as response):
        list(arriving(response))


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 300_000])
def test_whole_answers_arrive_whole_whatever_they_are_wrapped_in(content, chunked):
    packed = gzip.compress(content)

    def answer(connection, heard):
        connection.recv(65536)
        body = (b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (packed[:7], packed[7:])) +
                b"0\r\n\r\n" if chunked else packed)
        length = (b"Transfer-Encoding: chunked" if chunked
                  else b"Content-Length: %d" % len(packed))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + length
                           + b"\r\n\r\n" + body)
        connection.close()
    with (listener(answer) as (port, _),
          new_session(None).get(f"http://127.0.0.1:{port}/", stream=True) as response):
        assert b"".join(arriving(response)) == content
