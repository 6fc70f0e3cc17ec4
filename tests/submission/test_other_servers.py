"""Servers that answer otherwise than the recorded one: numbers as text, pages, null, new forms."""

import pytest
from platform_helpers import make_zip

from submission.codabench import Board, Competition, parse_competition, parse_row
from submission.ledger import Ledger
from submission.submit import Sender, _used, finish, inspect, send
from zoo.errors import UserError

CREATE = r"^/api/submissions/$"


@pytest.fixture
def answering(client, monkeypatch):
    """Let every answer pass through a function of the path and the JSON."""
    real = client.transport.call

    def arrange(change):
        monkeypatch.setattr(client.transport, "call", lambda method, path, **more: change(
            path, real(method, path, **more)))
        return client
    return arrange


def everywhere(change):
    """``change(key, value)`` for every field at any depth."""
    def walk(value):
        if isinstance(value, dict):
            return {k: change(k, walk(v)) for k, v in value.items()}
        return [walk(v) for v in value] if isinstance(value, list) else value
    return lambda path, value: walk(value)


def go(sender, parcel):
    found = sender.client.competition(1)
    return send(sender, parcel, found, found.phase(None), sender.client.username())


@pytest.mark.parametrize("change", [
    lambda key, value: str(value) if type(value) in (int, float) else value,
    lambda key, value: float(value) if type(value) is int else value])
def test_numbers_may_come_as_text_or_with_a_point(answering, sender, parcel, change):
    client = answering(everywhere(change))
    phase = client.competition(1).phase(None)
    assert (phase.per_day, phase.per_person, phase.used) == (2, 5, 0)
    assert finish(sender, go(sender, parcel)).score == 0.94
    assert client.board(1) == Board(("accuracy", "n_rows"), "accuracy")


def test_of_doubled_rows_the_newest_counts_although_numbers_are_text():
    rows = [{"id": "10", "column_key": "a", "score": "0.7"},
            {"id": "9", "column_key": "a", "score": "0.5"}]
    assert parse_row({"id": 1, "scores": rows}).scores == {"a": 0.7}


@pytest.mark.parametrize("field, change", [
    ("owner", lambda value: None), ("owner", lambda value: "Alice A."),
    ("parent", lambda value: value or 0), ("parent", lambda value: value or ""),
    ("filename", lambda value: f"private/dataset/2026-11-27/{value}")])
def test_rows_that_look_otherwise_are_found_not_repeated(platform, answering, sender, parcel, field,
                                                         change):
    """The file's name on the platform is this attempt's alone."""
    answering(everywhere(lambda key, value: change(value) if key == field else value))
    platform.fault("POST", CREATE, "drop after")
    assert go(sender, parcel).submission == 1
    assert platform.count("POST", CREATE) == 1


def test_who_has_no_name_sends_nothing(platform, answering, sender, parcel):
    answering(everywhere(lambda key, value: None if key == "username" else value))
    with pytest.raises(UserError, match="profile has an unknown form"):
        go(sender, parcel)
    assert not platform.count("POST", ".")


@pytest.fixture
def paged(platform, client, monkeypatch):
    """Lists come in pages of two, and the address of the next one names a host inside."""
    real = client.transport.call

    def call(method, path, params=None, **more):
        query = dict(params or {})
        page = int(query.pop("page", 1))
        value = real(method, path, params=query, **more)
        if not isinstance(value, list):
            return value
        following = f"http://inside:8000{path}?page={page + 1}&phase={query.get('phase', '')}"
        return {"count": len(value), "results": value[2 * page - 2:2 * page],
                "next": following if len(value) > 2 * page else None}
    monkeypatch.setattr(client.transport, "call", call)
    return client


def test_lists_in_pages_are_read_to_their_end(platform, paged, ledger, tmp_path):
    assert [number for number, _ in paged.competitions()] == [1, 2, 3, 4, 5]
    for i in range(5):
        key, _ = paged.announce(2, f"{i}.zip", 5)
        paged.create(key, 3)
    assert [row.id for row in paged.submissions("alice", phase=3)] == [5, 4, 3, 2, 1]


def test_a_submission_on_a_later_page_is_found_not_repeated(platform, paged, tmp_path):
    parcel = inspect(make_zip(tmp_path / "a.zip"))
    platform.world.competitions[1].phases[0].per_day = 9
    first = go(Sender(paged, Ledger(tmp_path / "1.jsonl"), scale=0.002), parcel)
    for i in range(3):
        key, _ = paged.announce(1, f"{i}.zip", 5)
        paged.create(key, 1)
    again = go(Sender(paged, Ledger(tmp_path / "2.jsonl"), scale=0.002), parcel)
    assert again.submission == first.submission


def test_a_list_of_pages_without_end_is_a_sentence(answering):
    client = answering(lambda path, value: {"results": [], "next": "?page=2"})
    with pytest.raises(UserError, match="unknown form"):
        client.competitions()


@pytest.mark.parametrize("body", [
    {"tasks": [5]}, {"tasks": {"a": 1}}, {"tasks": [{"columns": [{"title": "x"}]}]},
    {"tasks": [{"columns": [{"key": "a", "index": "first"}]}]}, {"tasks": 7}, []])
def test_a_board_of_an_unknown_form_is_a_board_without_columns(answering, body):
    """A submission must still be watched to its end."""
    assert answering(lambda path, value: body).board(1) == Board()


@pytest.mark.parametrize("quota", [{"quota": "lots"}, {"quota": 15, "storage_used": [1]},
                                   {"quota": 10**400}])
def test_a_storage_of_an_unknown_form_is_a_sentence(answering, quota):
    with pytest.raises(UserError, match="quota has an unknown form"):
        answering(lambda path, value: quota).storage()


@pytest.mark.parametrize("number", [float("inf"), float("nan"), "x", None])
def test_a_number_that_is_none_is_a_sentence(answering, number):
    client = answering(everywhere(lambda key, value: number if key == "id" else value))
    for call in (lambda: client.competition(1), client.competitions):
        with pytest.raises(UserError, match="unknown form"):
            call()


def test_a_score_too_large_for_a_number_is_left_out():
    assert parse_row({"id": 1, "scores": [{"column_key": "a", "score": 10**400}]}).scores == {}


def test_two_open_phases_are_told_as_such():
    phases = [{"id": i, "name": f"p{i}", "status": "Current"} for i in (1, 2)]
    found: Competition = parse_competition({"id": 1, "title": "t", "phases": phases})
    with pytest.raises(UserError, match="has several open phases.*p1 .1, open.*--phase"):
        found.phase(None)


def test_who_may_submit_without_being_registered_is_not_refused(answering, sender, parcel):
    """A robot's account, or a server that doesn't say who takes part."""
    answering(lambda path, value: {k: v for k, v in value.items() if k != "participant_status"}
              if path == "/api/competitions/1/" else value)
    assert go(sender, parcel).submission == 1


def phase_of(**fields):
    return parse_competition({"id": 1, "phases": [{"id": 1, **fields}]}).phases[0]


@pytest.mark.parametrize("status", [None, "", "Final"])
@pytest.mark.parametrize("start, end, expected", [
    ("2020-01-01T00:00:00Z", None, "Current"), ("2020-01-01T00:00:00.123456Z", "", "Current"),
    ("2020-01-01 00:00", "2999-01-01T00:00:00+02:00", "Current"),
    ("2999-01-01T00:00:00Z", None, "Next"), ("2020-01-01T00:00:00Z", "2020-02-01", "Previous")])
def test_a_phase_without_a_status_is_judged_by_its_times(status, start, end, expected):
    assert phase_of(status=status, start=start, end=end).status == expected


@pytest.mark.parametrize("start", [None, "", "soon", 7])
def test_a_phase_that_says_nothing_is_not_taken_for_open(start):
    assert not phase_of(start=start).open
    assert phase_of(status="Current", start=start).open
    assert not phase_of(status="Previous", start="2020-01-01T00:00:00Z").open


@pytest.mark.parametrize("per_day, per_person, words", [
    (0, 5, "0 of 5 in all"), (2, None, "0 of 2 today"), (2, 5, "0 of 2 today, 0 of 5 in all"),
    (0, 0, "no limits")])
def test_no_limit_is_not_shown_as_one(per_day, per_person, words):
    phase = phase_of(has_max_submissions=True, max_submissions_per_day=per_day,
                     max_submissions_per_person=per_person)
    assert _used(phase) == words


def test_a_phase_whose_name_is_another_ones_number_is_not_taken_for_it(platform, sender, parcel):
    """Looked up again after the upload, by its number."""
    first, second = platform.world.competitions[1].phases
    second.name = str(first.id)
    assert go(sender, parcel).submission == 1
    found = sender.client.competition(1)
    assert found.phase(first.id).id == first.id
    assert found.phase(str(second.id)).id == second.id
    with pytest.raises(UserError, match="no single phase"):
        found.phase(str(first.id))
