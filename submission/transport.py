"""HTTP with the platform's API: what is tried again, what is not, and every answer as a sentence.

    Transport.get / put / post     JSON in, JSON out
    Refused                        the server said no, and why
    Unreachable                    it could not be asked, after several tries
    Unclear                        a call that must not be repeated was sent, and no answer came
    arriving(response)             an answer's body as it comes, and not for ever

Reads, and calls that may safely be made twice, are tried again after dropped connections, 5xx,
408, 429 and web pages in the place of JSON. A call that must not happen twice is tried again only
where it certainly never reached the server, and counts as refused only where the server itself
said so.
"""

import datetime
import email.utils
import json
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.cookies import RequestsCookieJar

from submission.tokens import VARIABLE, Token
from zoo.errors import UserError

TIMEOUT = (10.0, 60.0)              # seconds to connect, seconds of silence
# An answer that keeps dripping never falls silent: so many bytes a second it must have brought, all
# in all, when it has lasted so many seconds.
SLOWEST, SOONEST = 1000, 60.0
LARGEST_ANSWER = 32 * 2**20         # bytes of JSON; the longest recorded answer has 0.3 MB
LONGEST_PAUSE = 60.0                # seconds, whatever Retry-After says
MOVED = {301, 307, 308}             # the call is made again as it was
MOVED_READS = {302, 303}            # a read, too; another call may have been carried out
LONGEST_REASON = 1000               # characters of what an answer says against us
DEEPEST_REASON = 5                  # lists and objects in each other
PAGES = (403, 404)                  # refusals that the server itself gives as web pages


class Refused(UserError):
    """The answer is no. ``status`` is the HTTP status, ``body`` the JSON; None for a web page."""

    def __init__(self, sentence: str, status: int, body: Any = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.body = body

    @property
    def missing(self) -> bool:
        """Whether the object isn't there: the server says so in JSON, but unknown paths in HTML."""
        return self.status == 404 and isinstance(self.body, dict) and "detail" in self.body


class Unreachable(UserError):
    """No usable answer after all tries. Nothing was changed that may not be changed twice."""


class Unclear(UserError):
    """The call was sent and no usable answer came: it may have happened. ``status`` or None."""

    def __init__(self, sentence: str, status: int | None) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Trouble(Exception):
    """One try that failed for a reason that may pass."""

    sentence: str
    arrived: bool                   # may the server have acted on it?
    status: int | None = None
    wait: float = 0.0


class HiddenToken(requests.auth.AuthBase):
    """Puts the token on a request; without one keeps .netrc and the like from adding any."""

    def __init__(self, token: Token | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = self._token.header()
        return request


class NoCookies(RequestsCookieJar):
    """Keeps nothing: a session cookie beside a token makes the server ask for a CSRF token."""

    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> None:
        return None


class Session(requests.Session):
    """Leaves redirects alone, and raises nothing but what ``requests`` promises to raise."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: even unfollowed, a redirect would be parsed here, and its body read whole."""

    def request(self, *args: Any, **more: Any) -> requests.Response:
        try:
            return super().request(*args, **more)
        except requests.exceptions.RequestException:
            raise
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            # Hosts and proxies that nobody can parse, a bundle of certificates that isn't there.
            raise requests.exceptions.RequestException(e) from e


def new_session(token: Token | None) -> requests.Session:
    """A session that sends ``token`` (or no credentials at all) and no cookies."""
    session = Session()
    session.auth = HiddenToken(token)
    session.cookies = NoCookies()
    session.headers["User-Agent"] = "shift-harness"
    return session


def arriving(response: requests.Response) -> Iterator[bytes]:
    """The body of an answer, decompressed, in pieces as they come.

    Raises RequestException where it breaks off, its Timeout where it is silent or too slow.
    """
    began, size = time.monotonic(), 0
    try:
        while piece := response.raw.read1(65536, decode_content=True):
            size += len(piece)
            yield piece
            if time.monotonic() - began > SOONEST + size / SLOWEST:
                raise TimeoutError(f"only {size} bytes came in more than {SOONEST:.0f} s")
    except (TimeoutError, urllib3.exceptions.ReadTimeoutError) as e:
        raise requests.exceptions.ReadTimeout(e) from None
    except (urllib3.exceptions.HTTPError, OSError) as e:
        raise requests.exceptions.ConnectionError(e) from None


def origin(address: str) -> str:
    """``scheme://host[:port]`` of an address; https where no scheme is given.

    Raises UserError where that is no web address.
    """
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        usual = {"http": 80, "https": 443}[parts.scheme]
        good = bool(parts.hostname) and parts.port != 0 and parts.username is None
    except (ValueError, KeyError):
        good = False
    if not good:
        raise UserError(f"{address!r} is no address of a platform. Write it like "
                        "https://www.codabench.org.")
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(f':{usual}')}"


class Transport:
    """One host, one token. ``tries`` and ``pause`` (seconds, doubled each time) rule retries."""

    def __init__(self, host: str, token: Token | None, *, tries: int = 5, pause: float = 1.0,
                 say: Callable[[str], None] = lambda sentence: None) -> None:
        self.host = origin(host)
        self.token = token
        self.tries = tries
        self.pause = pause
        self.say = say
        self.session = new_session(token)

    def get(self, path: str, **params: Any) -> Any:
        """Read. Raises Refused or Unreachable."""
        return self.call("GET", path, params=params, repeatable=True)

    def put(self, path: str) -> Any:
        """A PUT without body; the API's PUTs may be made twice."""
        return self.call("PUT", path, repeatable=True)

    def post(self, path: str, body: dict[str, Any], *, repeatable: bool) -> Any:
        """A POST of JSON. Raises Refused, Unreachable, and Unclear where not ``repeatable``."""
        return self.call("POST", path, body=body, repeatable=repeatable)

    def call(self, method: str, path: str, *, params: dict[str, Any] | None = None,
             body: Any = None, repeatable: bool) -> Any:
        """Make one call, with the tries that are safe, and return its JSON."""
        trouble = None
        for turn in range(self.tries):
            if trouble:
                wait = min(max(trouble.wait, self.pause * 2 ** (turn - 1)), LONGEST_PAUSE)
                if turn > 1:        # the first is common: servers close idle connections
                    self.say(f"{trouble.sentence} Trying again in {wait:.0f} s.")
                time.sleep(wait)
            try:
                return self._once(method, path, params, body)
            except Trouble as e:
                trouble = e
                if e.arrived and not repeatable:
                    raise Unclear(e.sentence, e.status) from None
            except Refused as e:
                # A gateway's page doesn't tell what the server behind it did.
                if not repeatable and e.body is None and e.status not in PAGES:
                    raise Unclear(str(e), e.status) from None
                raise
        sentence = trouble.sentence if trouble else f"{self.host} was not asked."
        raise Unreachable(f"{sentence} {self.tries} tries failed. Try again later.")

    def _once(self, method: str, path: str, params: dict[str, Any] | None, body: Any) -> Any:
        url = self.host + path
        for _ in range(3):
            response = self._send(method, url, params, body)
            if response.status_code not in MOVED | (MOVED_READS if method == "GET" else set()):
                return self._read(response, method, path)
            response.close()
            try:
                target = urljoin(url, response.headers.get("Location", ""))
                where = self._clean(origin(target))
            except (ValueError, UserError):
                raise UserError(f"{self.host} sends {path} nowhere. Is it the platform's "
                                "address?") from None
            if where != self.host:
                raise UserError(f"{self.host} sends us on to {where}. The token was not sent "
                                f"there; if that is the platform, use `--host {where}`.")
            # A moved call was not carried out, so it is made again as it was, not as a GET.
            url, params = target, None
        raise UserError(f"{self.host} sends {path} round in circles. Is it the platform's address?")

    def _send(self, method: str, url: str, params: dict[str, Any] | None,
              body: Any) -> requests.Response:
        if method != "GET":
            # The server closes idle connections; a call on a dead one leaves doubt.
            self.session.close()
        try:
            return self.session.request(
                method, url, params=params, json=body, timeout=TIMEOUT, stream=True,
                allow_redirects=False, headers={"Accept": "application/json"})
        except requests.exceptions.ConnectTimeout:
            raise Trouble(f"{self.host} does not answer.", arrived=False) from None
        except requests.exceptions.ConnectionError as e:
            causes = list(_causes(e))
            if any(isinstance(c, ssl.SSLCertVerificationError) for c in causes):
                raise UserError(f"The certificate of {self.host} is not trusted "
                                f"({self._clean(e)}).") from None
            if any("WRONG_VERSION_NUMBER" in str(c) for c in causes):
                raise UserError(f"{self.host} does not speak https. If it is a server without "
                                f"encryption, write http{self.host.removeprefix('https')}."
                                ) from None
            arrived = not any(_before_the_request(c) for c in causes)
            if isinstance(e, requests.exceptions.ProxyError):
                raise Trouble(f"The proxy on the way to {self.host} can't be used; look at "
                              "HTTPS_PROXY and HTTP_PROXY.", arrived=arrived) from None
            if any(isinstance(c, urllib3.exceptions.NewConnectionError) for c in causes):
                raise Trouble(f"{self.host} can't be reached.", arrived=False) from None
            raise Trouble(f"The connection to {self.host} broke.", arrived=arrived) from None
        except requests.exceptions.Timeout:
            raise Trouble(f"{self.host} fell silent.", arrived=True) from None
        except requests.exceptions.RequestException as e:
            raise UserError(f"{self.host} can't be asked ({self._clean(e)}).") from None

    def _read(self, response: requests.Response, method: str, path: str) -> Any:
        status, reason = response.status_code, self._clean(response.reason)
        data = self._data(response)
        if status in (408, 429) or status >= 500:
            raise Trouble(f"{self.host} answers {status} ({reason}).",
                          arrived=status != 429, status=status, wait=_retry_after(response))
        if status == 204 or (not data and status < 300):
            return None
        try:
            body = self._parse(data)
        except (ValueError, RecursionError):
            if status >= 400:
                raise Refused(f"{self.host}{path} answers {status} ({reason}) with a page in the "
                              "place of data; --host may be no Codabench server.",
                              status) from None
            raise Trouble(f"{self.host} answers with a web page in the place of data; it may be "
                          "under maintenance.", arrived=True, status=status) from None
        if status < 300:
            return body
        raise self._refusal(status, body, method, path)

    def _data(self, response: requests.Response) -> bytes:
        data = bytearray()
        try:
            for piece in arriving(response):
                data += piece
                if len(data) > LARGEST_ANSWER:
                    raise UserError(f"{self.host} sent more than {LARGEST_ANSWER >> 20} MiB where "
                                    "a short answer was expected.")
        except requests.exceptions.Timeout:
            raise Trouble(f"{self.host} answers too slowly.", arrived=True) from None
        except requests.exceptions.RequestException:
            raise Trouble(f"The connection to {self.host} broke.", arrived=True) from None
        finally:
            response.close()
        return bytes(data)

    def _parse(self, data: bytes) -> Any:
        """The JSON of an answer, without the token, and without what no file can hold."""
        body = json.loads(data.decode(json.detect_encoding(data), errors="replace"))
        # Written anew first: escapes can hide the token, and halves of surrogate pairs.
        text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace").decode()
        return json.loads(self._clean(text))

    def _refusal(self, status: int, body: Any, method: str, path: str) -> Refused:
        reason = self._clean(explain(body))
        if status in (401, 403) and ("token" in reason.lower() or "credentials" in reason.lower()):
            source = self.token.source if self.token else "nowhere"
            advice = (f"Run `harness login --host {self.host}`." if VARIABLE not in source else
                      "Put a valid one into it, or unset it and run `harness login --host "
                      f"{self.host}`.")
            return Refused(f"{self.host} does not accept the token from {source}: {reason} "
                           f"{advice}", status, body)
        advice = " Is the number right, and may you see it?" if status == 404 else ""
        return Refused(f"{self.host} refuses {method} {path} ({status}): {reason}{advice}", status,
                       body)

    def _clean(self, text: Any) -> str:
        text = str(text)
        return self.token.redact(text) if self.token else text


def explain(body: Any) -> str:
    """One sentence from any of the five shapes of the API's error bodies, and not a long one."""
    return _explain(body, DEEPEST_REASON)[:LONGEST_REASON]


def _explain(body: Any, depth: int) -> str:
    if isinstance(body, dict | list) and not depth:
        return "..."
    if isinstance(body, dict):
        texts = [(key, _explain(value, depth - 1)) for key, value in body.items()]
        return " ".join(text if key in ("detail", "error", "error_msg", "non_field_errors")
                        else f"{key}: {text}" for key, text in texts)
    if isinstance(body, list):
        return " ".join(_explain(value, depth - 1) for value in body)
    return "".join(c if c.isprintable() else " " for c in str(body)[:500])


def _causes(e: BaseException) -> Iterator[BaseException]:
    """An error of requests and all that it wraps."""
    yield e
    for inner in (*e.args, getattr(e, "reason", None), getattr(e, "original_error", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def _before_the_request(e: BaseException) -> bool:
    """Whether nothing of the request can have been sent: there was no connection yet, a proxy made
    none, or TLS was still being agreed on."""
    return (isinstance(e, urllib3.exceptions.NewConnectionError)
            or "Tunnel connection failed" in str(e)
            or any(frame.f_code.co_name == "do_handshake"
                   for frame, _ in traceback.walk_tb(e.__traceback__)))


def _retry_after(response: requests.Response) -> float:
    """Seconds to wait, which the header gives as such or as a date; 0 where it gives neither.

    A date is set against the server's own clock: ours may be wrong.
    """
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    now = response.headers.get("Date") or email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC))
    try:
        then, now_there = map(email.utils.parsedate_to_datetime, (text, now))
        return max(0.0, (then - now_there).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
