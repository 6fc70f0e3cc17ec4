"""Object storage by presigned addresses: signature, expiry, method and content type are checked."""

import base64
import hashlib
import hmac
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from email.utils import formatdate

SECRET = b"storage-secret"
KEY = "storage-key"
LIFETIME = 5 * 24 * 3600


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Storage:
    """Files by path. ``address`` is where it is reached, ``received`` the headers of every PUT."""

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.received: list[dict[str, str]] = []
        self.lock = threading.Lock()

    def sign(self, path: str, method: str = "GET", content_type: str = "",
             expires: int | None = None) -> str:
        """A presigned address."""
        expires = int(time.time()) + LIFETIME if expires is None else expires
        query = {"AWSAccessKeyId": KEY, "Signature": signature(method, content_type, expires, path)}
        if content_type:
            query["content-type"] = content_type
        query["Expires"] = str(expires)
        return f"{self.address}{urllib.parse.quote(path)}?{urllib.parse.urlencode(query)}"

    def put(self, path: str, data: bytes, content_type: str = "text/plain") -> None:
        with self.lock:
            self.files[path], self.types[path] = data, content_type

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request; header names are lower case."""
        url = urllib.parse.urlsplit(target)
        path = urllib.parse.unquote(url.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if method == "PUT":
            self.received.append(headers)
        if "authorization" in headers:
            return error(400, "InvalidArgument", "Only one auth mechanism allowed",
                         ArgumentName="Authorization", ArgumentValue=headers["authorization"])
        expires = query.get("Expires", "0")
        if int(expires) < time.time():
            return error(403, "AccessDenied", "Request has expired")
        sent = headers.get("content-type", "")
        if query.get("Signature") != signature(method, sent, int(expires), path):
            return error(403, "SignatureDoesNotMatch", "The request signature we calculated does "
                         "not match the signature you provided. Check your key and signing method.",
                         AWSAccessKeyId=KEY, StringToSign=to_sign(method, sent, int(expires), path))
        if method == "PUT":
            self.put(path, body, sent)
            return Reply(200, {"ETag": etag(body), "Content-Type": "text/plain; charset=utf-8"})
        if path not in self.files:
            return error(404, "NoSuchKey", "The specified key does not exist.")
        data = self.files[path]
        return Reply(200, {"Accept-Ranges": "bytes", "Content-Type": self.types[path],
                           "Last-Modified": formatdate(usegmt=True), "ETag": etag(data)}, data)


def to_sign(method: str, content_type: str, expires: int, path: str) -> str:
    return f"{method}\n\n{content_type}\n{expires}\n{path}"


def signature(method: str, content_type: str, expires: int, path: str) -> str:
    """Version 2: method, content type, expiry and path, keyed."""
    text = to_sign(method, content_type, expires, path).encode()
    return base64.b64encode(hmac.new(SECRET, text, hashlib.sha1).digest()).decode()


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def error(status: int, code: str, message: str, **more: str) -> Reply:
    text = "".join(f"<{k}>{v}</{k}>" for k, v in {"Code": code, "Message": message, **more}.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'
    return Reply(status, {"Content-Type": "application/xml"}, body.encode())
