"""Real HTTP on loopback: two servers (API and storage), a journal of requests, and faults."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from server.api import Api
from server.storage import Reply, Storage
from server.world import World

MAINTENANCE = b"<!doctype html><html><head><title>Maintenance</title></head><body>Back soon</body>"


@dataclass
class Fault:
    """What goes wrong with requests of ``method`` whose path matches ``path``, ``times`` times.

    kind: "drop before" (closed without acting), "drop after" (acted upon, no answer), "status"
    (an HTML page with ``status``, without acting), "status after" (the same, after acting),
    "html" (200 with a web page), "redirect" (to ``location``), "cut" (half of the answer),
    "cut body" (the connection goes in the middle of the request's body), "flood" (an endless
    answer), "call" (``call`` runs first, "call after": runs instead of the answer).
    """

    method: str
    path: str
    kind: str
    times: int = 1
    status: int = 503
    location: str = ""
    wait: float = 0.0
    call: Callable[[], None] | None = None
    skip: int = 0                   # let so many pass first
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One line of the journal. Header names are lower case."""

    server: str
    method: str
    target: str
    headers: dict[str, str]


class Platform:
    """A running platform. Use as a context manager, or ``start`` and ``stop``."""

    def __init__(self) -> None:
        self.world = World()
        self.storage = Storage()
        self.api = Api(self.world, self.storage)
        self.faults: list[Fault] = []
        self.journal: list[Request] = []
        self.lock = threading.RLock()
        self._servers = [self._server("api", self.api.handle),
                         self._server("storage", self.storage.handle)]
        self.host, self.storage.address = (
            f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        self.api.host = self.host

    def _server(self, name: str, answer: Callable[..., Reply]) -> ThreadingHTTPServer:
        handler = type("Bound", (Handler,), {"platform": self, "name": name, "answer": answer})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        return server

    def start(self) -> "Platform":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> "Platform":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def fault(self, method: str, path: str, kind: str, **more: Any) -> Fault:
        """Arrange a fault; ``path`` is a regular expression."""
        fault = Fault(method, path, kind, **more)
        self.faults.append(fault)
        return fault

    def due(self, method: str, target: str) -> Fault | None:
        """The fault for this request, counted down."""
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == method and re.search(fault.path, target):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def count(self, method: str, path: str) -> int:
        """How many such requests arrived."""
        return sum(r.method == method and bool(re.search(path, r.target)) for r in self.journal)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 2**16                # one packet an answer
    platform: Platform
    name: str
    answer: Callable[..., Reply]

    def handle_any(self) -> None:
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.platform.journal.append(Request(self.name, self.command, self.path, headers))
        fault = self.platform.due(self.command, self.path)
        if fault and fault.kind == "cut body":
            self.rfile.read(int(headers.get("content-length", 0)) // 2)
            if fault.call:
                fault.call()
            return self.drop()
        body = self.rfile.read(int(headers.get("content-length") or 0))
        if fault is None:
            return self.send(self.act(headers, body))
        return self.go_wrong(fault, headers, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = handle_any

    def act(self, headers: dict[str, str], body: bytes) -> Reply:
        with self.platform.lock:
            return type(self).answer(self.command, self.path, headers, body)

    def go_wrong(self, fault: Fault, headers: dict[str, str], body: bytes) -> None:
        if fault.kind in ("drop after", "status after", "call after"):
            self.act(headers, body)
        if fault.call:
            fault.call()
        time.sleep(fault.wait)
        page = {"Content-Type": "text/html", **fault.headers}
        if fault.kind in ("drop before", "drop after", "call after"):
            return self.drop()
        if fault.kind in ("status", "status after"):
            return self.send(Reply(fault.status, page, MAINTENANCE))
        if fault.kind == "html":
            return self.send(Reply(200, page, MAINTENANCE))
        if fault.kind == "redirect":
            return self.send(Reply(fault.status, {"Location": fault.location}))
        if fault.kind == "flood":
            return self.flood()
        reply = self.act(headers, body)
        if fault.kind == "cut":
            self.send(reply, cut=True)
            return self.drop()
        return self.send(reply)

    def send(self, reply: Reply, cut: bool = False) -> None:
        self.send_response_only(reply.status)
        common = {"date": formatdate(usegmt=True), "server": "uvicorn"} if self.name == "api" else {
            "Date": formatdate(usegmt=True), "Connection": "keep-alive", "Keep-Alive": "timeout=5"}
        length = {} if reply.status == 204 else {"Content-Length": str(len(reply.body))}
        for key, value in {**common, **reply.headers, **length}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[:len(reply.body) // 2] if cut else reply.body)

    def flood(self) -> None:
        """An answer without end, as fast as it is read."""
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" " * 2**20)

    def drop(self) -> None:
        """Close the connection with a reset, as a crashed server does."""
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def running() -> Iterator[Platform]:
    """A platform for one test."""
    with Platform() as platform:
        yield platform
