"""The client and a platform that misbehaves: retries, refusals, redirects, secrets."""

import contextlib
import json
import logging
import pickle
import traceback

import pytest
from listeners import echo, listener
from platform_helpers import connect

from submission.codabench import Client, login
from submission.tokens import Token, find_token, forget_token, keep_token
from submission.transport import Refused, Transport, Unclear, Unreachable, explain, origin
from zoo.errors import UserError

PROFILE = r"^/api/my_profile/"


@pytest.mark.parametrize("kind, more", [
    ("drop before", {}), ("drop after", {}), ("cut", {}), ("html", {}),
    *[("status", {"status": status}) for status in (408, 429, 500, 502, 503, 504, 520, 524)]])
def test_reads_are_tried_again(platform, client, kind, more):
    platform.fault("GET", PROFILE, kind, times=3, **more)
    assert client.username() == "alice"
    assert platform.count("GET", PROFILE) == 4


def test_reads_end_with_a_sentence_when_nothing_helps(platform, client):
    platform.fault("GET", PROFILE, "html", times=99)
    with pytest.raises(Unreachable, match="maintenance"):
        client.username()
    assert platform.count("GET", PROFILE) == 5


@pytest.mark.parametrize("headers, wait", [
    ({"Retry-After": "7"}, 7.0), ({"Retry-After": "3600"}, 60.0), ({"Retry-After": "\xb2"}, 0.005),
    ({"Retry-After": "soon"}, 0.005),
    ({"Retry-After": "Fri, 01 Jan 2100 00:00:09 GMT", "date": "Fri, 01 Jan 2100 00:00:00 GMT"}, 9)])
def test_retry_after_is_obeyed(platform, client, monkeypatch, headers, wait):
    """In seconds or as a date, which is told by the server's clock."""
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    platform.fault("GET", PROFILE, "status", status=429, headers=headers)
    client.username()
    assert wait in waits


def test_nobody_there_is_a_sentence():
    client = Client(Transport("http://127.0.0.1:9", Token("x" * 40, "a test"), pause=0.001))
    with pytest.raises(Unreachable, match="can't be reached"):
        client.username()


def test_a_submission_is_posted_again_only_where_it_never_arrived(platform, client):
    platform.fault("POST", r"^/api/submissions/$", "drop before")
    with pytest.raises(Unclear):
        client.create("some-key", 1)
    assert platform.count("POST", r"^/api/submissions/$") == 1


@pytest.mark.parametrize("status, error", [
    (408, Unclear), (520, Unclear), (524, Unclear), (413, Unclear), (403, Refused),
    (404, Refused)])
def test_a_gateways_page_does_not_say_that_no_submission_exists(platform, client, status, error):
    platform.fault("POST", r"^/api/submissions/$", "status", status=status)
    with pytest.raises(error) as raised:
        client.create("some-key", 1)
    assert raised.value.status == status
    assert platform.count("POST", r"^/api/submissions/$") == 1


def test_a_missing_slash_is_made_good_as_the_same_call(platform, client):
    """Followed as browsers do it, the POST would become a GET that answers 200."""
    body = {"type": "submission", "competition": 1, "request_sassy_file_name": "a.zip",
            "file_name": "a.zip", "file_size": 3}
    answer = client.transport.post("/api/datasets", body, repeatable=False)
    assert set(answer) == {"key", "sassy_url"}
    assert [r.method for r in platform.journal if "datasets" in r.target] == ["POST", "POST"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_no_token(platform, client, status):
    platform.fault("GET", PROFILE, "redirect", status=status,
                   location=f"{platform.storage.address}/api/my_profile/")
    with pytest.raises(UserError, match="sends us on to"):
        client.username()
    assert not [r for r in platform.journal if r.server == "storage"]


@pytest.mark.parametrize("location", ["http://[bad", "ftp://elsewhere/", "http://a:b@elsewhere/"])
def test_a_redirect_to_no_address_is_a_sentence(platform, client, location):
    platform.fault("GET", PROFILE, "redirect", status=301, location=location)
    with pytest.raises(UserError, match="sends /api/my_profile/ nowhere"):
        client.username()


def test_a_moved_submission_may_have_been_carried_out(platform, client):
    platform.fault("POST", r"^/api/submissions/$", "redirect", status=302, location="/elsewhere/")
    with pytest.raises(Unclear):
        client.create("some-key", 1)


def test_redirects_in_circles_end(platform, client):
    platform.fault("GET", PROFILE, "redirect", status=301, location="/api/my_profile/", times=9)
    with pytest.raises(UserError, match="in circles"):
        client.username()


def test_no_cookie_is_ever_sent(platform, client):
    with pytest.raises(Refused):
        client.transport.get("/api/nope/")           # this page sets one
    client.username()
    assert not any("cookie" in request.headers for request in platform.journal)


def test_netrc_adds_no_credentials(platform, client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.username() == "alice"
    from submission import storage

    platform.storage.put("/private/x", b"12")
    assert storage.download(platform.storage.sign("/private/x"), 10) == b"12"


@pytest.mark.parametrize("call, status", [
    (lambda c: c.competition(9999), 404), (lambda c: c.may_submit(9999), 404),
    (lambda c: c.submission(9999), 404), (lambda c: c.create("abc", 1), 400),
    (lambda c: c.announce(1, "a" * 80 + ".zip", 5), 400), (lambda c: c.announce(1, "a", 0), 400)])
def test_refusals_are_sentences_with_their_status(client, call, status):
    with pytest.raises(Refused, match=str(status)) as refused:
        call(client)
    assert refused.value.status == status


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_is_told_as_such(platform, status):
    """The platform says 403 where others say 401."""
    client = Client(Transport(platform.host, Token("0" * 40, "a test"), pause=0.001))
    with pytest.raises(Refused, match="does not accept the token from a test.*harness login"):
        client.username()


def test_an_endless_answer_is_cut_off(platform, client):
    platform.fault("GET", PROFILE, "flood")
    with pytest.raises(UserError, match="short answer was expected"):
        client.username()


@pytest.mark.parametrize("body, words", [
    ({"detail": "No."}, "No."), ({"phase": ["This field is required."]}, "phase: This field"),
    ({"non_field_errors": ["All."]}, "All."), (["You already applied"], "You already applied"),
    ({"error": "x"}, "x"), ({"error_msg": "y"}, "y"),
    ({"file_size": "This field is required."}, "file_size: This field"),
    ({"detail": "\x1b[2Jred"}, " [2Jred"), ([[]] * 9 + ["x"], "x"),
    (json.loads("[" * 900 + "]" * 900), "...")])
def test_every_shape_of_error_becomes_a_sentence(body, words):
    assert words in explain(body)
    assert len(explain([body] * 999)) <= 1000


@pytest.mark.parametrize("text, expected", [
    ("codabench.org", "https://codabench.org"), ("http://localhost:8000/", "http://localhost:8000"),
    ("https://WWW.Codabench.org/competitions/1/?x=y", "https://www.codabench.org"),
    ("https://www.codabench.org:443", "https://www.codabench.org"),
    ("http://[::1]:8000/", "http://[::1]:8000")])
def test_hosts_are_brought_into_one_form(text, expected):
    assert origin(text) == expected


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "https://a:b@host", "http://x:99999",
                                  "http://[::1"])
def test_what_is_no_host_is_refused(text):
    with pytest.raises(UserError, match="no address"):
        origin(text)


def test_login_by_password(platform):
    anonymous = Transport(platform.host, None, pause=0.001)
    assert login(anonymous, "alice", "alice-secret") == platform.world.tokens["alice"]
    with pytest.raises(Refused, match="Unable to log in") as refused:
        login(anonymous, "alice", "wrong-secret")
    assert "wrong-secret" not in str(refused.value)


def test_the_token_is_kept_for_its_owner_alone(own_config):
    keep_token("https://a", Token("a" * 40, "a test"))
    keep_token("https://b", Token("b" * 40, "a test"))
    assert own_config.stat().st_mode & 0o777 == 0o600
    assert own_config.parent.stat().st_mode & 0o777 == 0o700
    assert find_token("https://a").header() == "Token " + "a" * 40
    assert forget_token("https://a")
    assert not forget_token("https://a")
    with pytest.raises(UserError, match="harness login"):
        find_token("https://a")
    assert find_token("https://b").header() == "Token " + "b" * 40


def test_the_environment_goes_before_the_file(own_config, monkeypatch):
    keep_token("https://a", Token("a" * 40, "a test"))
    monkeypatch.setenv("CODABENCH_TOKEN", f" {'e' * 40}\n")
    assert find_token("https://a").header() == "Token " + "e" * 40


def test_a_token_file_that_others_can_read_is_refused(own_config):
    keep_token("https://a", Token("a" * 40, "a test"))
    own_config.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        find_token("https://a")


@pytest.mark.parametrize("text", ["", "short", "two words here", "line\nbreak-in-it", "ä" * 20])
def test_what_is_no_token_is_refused_without_showing_it(text):
    with pytest.raises(UserError) as error:
        Token(text, "a test")
    assert not text or text not in str(error.value)


def test_the_token_shows_up_nowhere(platform, caplog, capsys):
    """Not in repr, logs, output, exceptions with their traceback, nor in a pickle."""
    caplog.set_level(logging.DEBUG)
    secret = platform.world.tokens["alice"]
    client = connect(platform)
    seen = [repr(client.transport.token), str(client.transport.token), str(vars(client)),
            str(vars(client.transport)), str(vars(client.transport.session))]
    platform.fault("GET", PROFILE, "drop before", times=9)
    for call in (client.username, lambda: client.competition(9999)):
        with pytest.raises(UserError) as error:
            call()
        seen += traceback.format_exception(error.value)
    with pytest.raises(TypeError):
        pickle.dumps(client.transport.token)
    seen += [caplog.text, *capsys.readouterr()]
    assert len(caplog.text) > 100
    assert not [text for text in seen if secret in text]


def test_a_server_that_echoes_the_token_does_not_get_it_into_the_sentence(platform, client):
    """Nor into any field of an answer, from where it would go on to tables and files."""
    secret = platform.world.tokens["alice"]
    error = client.transport._refusal(400, {"detail": f"bad {secret}"}, "GET", "/x/")
    assert secret not in str(error)
    platform.world.competitions[1].title = secret
    assert client.competition(1).title == "[token]"
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in secret)
    assert client.transport._parse(f'["{escaped}"]'.encode()) == ["[token]"]
    platform.fault("GET", PROFILE, "redirect", status=301, location=f"http://{secret}.test/")
    with pytest.raises(UserError, match="sends us on to") as moved:
        client.username()
    assert secret not in str(moved.value)
    for status in (400, 503):
        with listener(echo(status)) as (port, _):
            other = Client(Transport(f"http://127.0.0.1:{port}", client.transport.token, pause=0))
            with pytest.raises(UserError) as told:
                other.username()
        assert "[token]" in str(told.value)
        assert secret not in str(told.value)


def test_half_a_surrogate_pair_is_left_at_the_door(platform, client):
    """No file could hold it."""
    platform.world.competitions[1].title = "a\ud800 \U0001f600"
    assert client.competition(1).title == "a? \U0001f600"


@pytest.mark.parametrize("host, variables", [
    ("http://a..b", {}), ("https://localhost:9", {"REQUESTS_CA_BUNDLE": "/absent"}),
    ("http://localhost:9", {"http_proxy": "http://[bad", "no_proxy": ""})])
def test_what_cannot_even_be_asked_is_a_sentence(monkeypatch, host, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="can't be asked"):
        Client(Transport(host, None, pause=0.001)).username()


@pytest.mark.parametrize("answer", [[], {}, {"id": None}, {"id": 1, "phases": 3}, {"phases": [1]},
                                    {"id": 1, "phases": [{}]}, {"id": 1, "scores": 5},
                                    {"id": 1, "children": ["x"]}, 7, None])
def test_answers_of_an_unknown_form_are_sentences(client, monkeypatch, answer):
    monkeypatch.setattr(client.transport, "call", lambda *words, **more: answer)
    for call in (client.competition, client.submission, client.board, client.details):
        with contextlib.suppress(UserError):    # some are fine for one call; none is a crash
            call(1)
    with pytest.raises(UserError, match="unknown form|gave no address"):
        client.announce(1, "a", 1)


def test_children_of_others_and_strangers_are_left_out(platform):
    """An organiser's list shows everybody's."""
    platform.world.competitions[3].participants |= {"alice": "approved", "bob": "approved"}
    for user in ("alice", "bob"):
        client = connect(platform, user)
        key, _ = client.announce(3, "a.zip", 5)
        client.create(key, 4)
    organiser = connect(platform, "organiser")
    assert len(organiser.transport.get("/api/submissions/", phase=4)) == 6
    assert organiser.submissions("organiser", phase=4) == []
    own = connect(platform).submissions("alice", phase=4)
    assert [row.owner for row in own] == ["alice"]
    assert own[0].parent is None
