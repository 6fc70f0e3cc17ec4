"""Uploads to storages, and proxies before them, that answer otherwise than the recorded one."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from platform_helpers import make_zip

from submission import storage
from submission.submit import inspect
from submission.transport import Unreachable
from zoo.errors import UserError


@contextlib.contextmanager
def answering(*answers):
    """A storage that gives these (status, headers, body) one after another, then the last again;
    yields its address and what came: (path, headers, body)."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, headers, content = answers[min(len(came), len(answers)) - 1]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", came
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def parcel(tmp_path):
    return inspect(make_zip(tmp_path / "a.zip", "x" * 50_000))


def upload(address, parcel):
    storage.upload(f"{address}/a.zip?Signature=secret", parcel.path, parcel.sha256, pause=0.001)


@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize("kind, content", [
    ("text/html; charset=UTF-8", b""), ("application/json", b"{}"),
    ("application/xml", b"<?xml version='1.0'?><Done/>")])
def test_whatever_says_yes_has_taken_it(parcel, status, kind, content):
    """One storage calls its empty answers HTML."""
    with answering((status, {"Content-Type": kind}, b"" if status == 204 else content)) as (
            address, came):
        upload(address, parcel)
    assert [body for _, _, body in came] == [parcel.path.read_bytes()]


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Log in</title>", b"\n <HTML>Back soon"])
def test_a_web_page_in_the_place_of_storage_has_not_taken_it(parcel, page):
    """A submission without its file would fail, minutes later."""
    stored = (200, {}, b"")
    with answering((200, {"Content-Type": "text/html"}, page), stored) as (address, came):
        upload(address, parcel)
        assert len(came) == 2
    with (answering((200, {}, page)) as (address, came),
          pytest.raises(Unreachable, match="a web page answers.*Nothing was submitted") as error):
        upload(address, parcel)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_upload_follows_a_redirect_as_the_same_call(parcel, status):
    with answering((status, {"Location": "/elsewhere"}, b""), (200, {}, b"")) as (address, came):
        upload(address, parcel)
    assert [(path, body) for path, _, body in came] == [
        ("/a.zip?Signature=secret", parcel.path.read_bytes()),
        ("/elsewhere", parcel.path.read_bytes())]


def test_a_storage_that_asks_for_the_kind_of_file_is_told(parcel):
    """Azure's refuses an upload that doesn't say so."""
    with answering((201, {}, b"")) as (address, came):
        upload(address, parcel)
    (_, headers, _), = came
    assert headers["x-ms-blob-type"] == "BlockBlob"
    assert headers["content-type"] == "application/zip"


def test_a_file_that_is_too_large_for_a_proxy_is_advised_on(parcel):
    with (answering((413, {}, b"<html>413")) as (address, came),
          pytest.raises(UserError, match="413.*Nothing was submitted.*--half")):
        upload(address, parcel)
    assert len(came) == 1
