"""Watching: an end counts when it is certain, whatever order the statuses come in."""

import pytest
from platform_helpers import SCALE, connect
from server.lives import Frame, life

from submission import watch as watching
from submission.codabench import Board, column_scores, parse_board, parse_row
from submission.transport import Refused
from submission.watch import Outcome, patience, watch

BOARD = Board(("accuracy", "n_rows"), "accuracy")


@pytest.fixture
def submitted(platform, client):
    """Submit something that lives so; returns its number."""
    def submit(*lives, phase=3, competition=2):
        platform.world.lives += [life(name) if isinstance(name, str) else name for name in lives]
        key, _ = client.announce(competition, "a.zip", 5)
        return client.create(key, phase)
    return submit


def seen_by(client, number, board=BOARD, **more):
    """The outcome, and the statuses on the way."""
    statuses = []
    outcome = watch(client, number, board, seen=lambda o: statuses.append(o.status),
                    **{"timeout": 20, "scale": SCALE, **more})
    return outcome, statuses


@pytest.mark.parametrize("name, state, score", [
    ("good", "scored", 0.94), ("scores late", "scored", 0.94), ("out of order", "scored", 0.94),
    ("crash after scores", "scored", 0.94), ("one column", "scored", 0.94),
    ("slow", "scored", 0.94), ("no scores ever", "unscored", None),
    ("finished, then failed", "failed", None), ("raises", "failed", None),
    ("failed with scores", "failed", 0.94), ("broken zip", "failed", None)])
def test_every_life_comes_to_its_end(client, submitted, name, state, score):
    outcome, _ = seen_by(client, submitted(name))
    assert (outcome.state, outcome.score) == (state, score)


def test_scores_that_follow_finished_are_waited_for(client, submitted):
    outcome, statuses = seen_by(client, submitted("scores late"))
    assert outcome.scores == {"accuracy": 0.94, "n_rows": 200.0}
    assert not outcome.note
    assert statuses.count("Finished") == 3


def test_a_column_that_never_comes_is_said(client, submitted):
    outcome, _ = seen_by(client, submitted("one column"))
    assert outcome.note == "no score for n_rows"


def test_finished_without_a_score_says_what_it_may_be(client, submitted):
    outcome, _ = seen_by(client, submitted("no scores ever"))
    assert "NaN" in outcome.note


def test_the_reason_of_a_failure_is_kept(client, submitted):
    outcome, _ = seen_by(client, submitted("finished, then failed"))
    assert "Could not find scores file" in outcome.details
    assert outcome.failed == (outcome.number,)


def test_doubled_score_rows_count_once(client, submitted):
    """After a crash of the worker every row is there twice."""
    frames = life("crash after scores")[-1:]
    number = submitted(frames)
    assert len(client.transport.get(f"/api/submissions/{number}/")["scores"]) == 4
    outcome, _ = seen_by(client, number)
    assert outcome.scores == {"accuracy": 0.94, "n_rows": 200.0}


def test_of_doubled_rows_that_differ_the_newest_counts():
    rows = [{"id": 9, "column_key": "a", "score": "0.7"}, {"id": 3, "column_key": "a",
                                                         "score": "0.5"}]
    assert column_scores(rows) == {"a": 0.7}


@pytest.mark.parametrize("value", ["nan", "inf", "good", None])
def test_scores_that_are_no_numbers_are_left_out(value):
    assert column_scores([{"id": 1, "column_key": "a", "score": value}, {"id": 2}]) == {}


def test_an_end_that_is_not_certain_at_the_timeout_is_not_an_end(client, submitted):
    outcome, _ = seen_by(client, submitted([Frame("Finished")]), timeout=0)
    assert (outcome.state, outcome.status) == ("running", "Finished")


def test_a_submission_that_an_organiser_must_start_says_so(client, submitted):
    outcome, _ = seen_by(client, submitted("good", phase=7, competition=5), timeout=0)
    assert outcome.state == "running"
    assert "by hand" in outcome.note


def test_a_stuck_submission_is_left_running_at_the_timeout(client, submitted):
    outcome, _ = seen_by(client, submitted("stuck"), timeout=0.1)
    assert (outcome.state, outcome.status) == ("running", "Preparing")


def test_a_cancelled_job_that_runs_on_is_seen_to_finish(platform, client, submitted):
    number = submitted("slow")
    platform.world.cancelling = "comes back"
    client.submission(number)
    assert client.cancel(number)
    outcome, statuses = seen_by(client, number, scale=0.01)
    assert "Cancelled" in statuses
    assert (outcome.state, outcome.score) == ("scored", 0.94)


def test_a_cancellation_that_is_ignored_is_seen_to_finish(platform, client, submitted):
    platform.world.cancelling = "ignored"
    number = submitted("good")
    assert client.cancel(number)
    assert seen_by(client, number)[0].state == "scored"


def test_a_cancelled_submission_stays_cancelled(client, submitted):
    number = submitted("slow")
    assert client.cancel(number)
    assert not client.cancel(number)
    assert seen_by(client, number)[0].state == "cancelled"


def test_a_deleted_submission_is_gone(platform, client, submitted):
    number = submitted("good")
    del platform.world.submissions[number]
    assert seen_by(client, number)[0].state == "gone"


def test_a_submission_that_one_server_does_not_know_yet_is_not_gone(platform, client, submitted,
                                                                    monkeypatch):
    """Taken for deleted, its bytes would be sent again."""
    assert watching.PATIENCE["gone"] >= 5
    monkeypatch.setitem(watching.PATIENCE, "gone", 10 / SCALE)     # however slow this machine is
    number = submitted("good")
    row = platform.world.submissions.pop(number)
    platform.fault("GET", rf"^/api/submissions/{number}/", "call", skip=2,
                   call=lambda: platform.world.submissions.update({number: row}))
    outcome, _ = seen_by(client, number)
    assert outcome.state == "scored"


def test_maintenance_in_between_is_sat_out(platform, client, submitted):
    number = submitted("good")
    platform.fault("GET", r"^/api/submissions/\d+/", "html", times=12, skip=2)
    outcome, _ = seen_by(client, number)
    assert outcome.state == "scored"


def test_a_web_page_with_404_in_between_is_not_an_end(platform, client, submitted):
    """The platform says in JSON that it lacks an object; pages come from elsewhere."""
    number = submitted("good")
    platform.fault("GET", r"^/api/submissions/\d+/", "status", status=404, skip=2)
    outcome, _ = seen_by(client, number)
    assert outcome.state == "scored"
    platform.fault("GET", r"^/api/submissions/\d+/", "status", status=404)
    with pytest.raises(Refused, match="404"):
        watching.read(client, number, BOARD)


def test_a_parent_waits_for_its_children(client, submitted):
    outcome, statuses = seen_by(client, submitted("good", "slow", phase=4, competition=3),
                                Board(("accuracy",), "accuracy"))
    assert outcome.state == "scored"
    assert statuses[0] == "Submitting"
    assert outcome.scores == {"Binary task": {"accuracy": 0.94}, "Second task": {"accuracy": 0.94}}


def test_a_parent_is_finished_although_a_child_failed(client, submitted):
    number = submitted("good", "raises", phase=4, competition=3)
    outcome, _ = seen_by(client, number, Board(("accuracy",), "accuracy"))
    assert (outcome.status, outcome.state) == ("Finished", "failed")
    assert outcome.score is None
    assert outcome.failed == (number + 2,)
    assert "Second task" in outcome.note


def test_the_score_of_several_tasks_is_their_mean():
    def child(number, score):
        return parse_row({"id": number, "status": "Finished", "task": {"name": f"t{number}"},
                          "scores": [{"id": 1, "column_key": "a", "score": score}]})
    parent = parse_row({"id": 1, "status": "Finished", "has_children": True, "children": [2, 3]})
    outcome = watching.judge(parent, [child(2, "0.5"), child(3, "0.7")], Board(("a",), "a"))
    assert outcome.score == pytest.approx(0.6)


def test_a_child_that_runs_again_keeps_its_parent_running():
    parent = parse_row({"id": 1, "status": "Finished", "has_children": True, "children": [2]})
    child = parse_row({"id": 2, "status": "Running"})
    assert watching.judge(parent, [child], BOARD).state == "running"


def test_a_parent_that_failed_before_it_had_children_has_ended():
    parent = parse_row({"id": 1, "status": "Failed", "has_children": True, "children": []})
    assert watching.judge(parent, [], BOARD).state == "failed"


def test_incomplete_scores_are_waited_for_longer():
    whole, part = Outcome(1, "scored"), Outcome(1, "scored", missing=("x",))
    assert patience(part) == patience(Outcome(1, "unscored")) > 10 * patience(whole)


def test_computed_and_hidden_columns_are_not_expected():
    columns = [{"key": "mean", "index": 0, "computation": "avg"},
               {"key": "b", "index": 2, "hidden": True}, {"key": "a", "index": 1}]
    assert parse_board(columns, 0) == Board(("a",), "a")
    assert parse_board([], 0) == Board((), None)


def test_the_ranking_column_is_the_primary_one(client, platform):
    assert client.board(1) == Board(("accuracy", "n_rows"), "accuracy")
    assert parse_board([{"key": "x", "index": 0}, {"key": "y", "index": 1}], 1).primary == "y"


def test_what_ranks_from_the_smallest_is_told_and_is_no_score():
    """An error of 0.06, learned from as an accuracy, would spoil the forecasts."""
    columns = [{"key": "error", "index": 0, "sorting": "asc"}, {"key": "f1", "sorting": "desc",
                                                                "index": 1}]
    assert parse_board(columns, 1) == Board(("error", "f1"), "f1")
    board = parse_board(columns, 0)
    row = {"id": 1, "status": "Finished", "scores": [
        {"id": i, "column_key": c["key"], "index": i, "score": "0.06"} for i, c in
        enumerate(columns)]}
    outcome = watching.judge(parse_row(row), [], board)
    assert (outcome.state, outcome.score) == ("scored", None)
    assert outcome.scores == {"error": 0.06, "f1": 0.06}
    assert "error is 0.06, and the smallest ranks first" in outcome.note
    parent = parse_row({"id": 9, "status": "Finished", "has_children": True, "children": [1]})
    assert watching.judge(parent, [parse_row(row)], board).score is None


@pytest.mark.parametrize("value, share", [("0", True), ("1", True), ("0.94", True), ("94.2", False),
                                          ("-0.1", False), ("1.01", False)])
def test_a_score_that_nothing_is_learned_from_says_so(value, share):
    """Forecasts are shares; a platform may count percent."""
    row = parse_row({"id": 1, "status": "Finished", "scores": [
        {"id": 1, "column_key": "accuracy", "score": value}]})
    outcome = watching.judge(row, [], Board(("accuracy",), "accuracy"))
    assert (outcome.state, outcome.score) == ("scored", float(value))
    assert ("not compared" in outcome.note) == (not share)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_where_the_columns_are_unknown_the_first_column_counts(order):
    """Whatever order the scoring program wrote the scores in."""
    rows = [{"id": order[0], "index": 0, "column_key": "accuracy", "score": "0.9"},
            {"id": order[1], "index": 1, "column_key": "seconds", "score": "0.5"}]
    row = parse_row({"id": 1, "status": "Finished", "scores": rows})
    assert watching.judge(row, [], Board()).score == 0.9


def test_a_parent_is_known_by_its_children():
    """Else the last of their scores would be taken for its own."""
    scores = [{"id": i, "column_key": "a", "score": f"0.{i}"} for i in (4, 8)]
    parent = parse_row({"id": 1, "status": "Finished", "children": [2, 3], "scores": scores})
    children = [parse_row({"id": i, "status": "Finished", "scores": [score]})
                for i, score in zip((2, 3), scores, strict=True)]
    assert watching.judge(parent, children, Board(("a",), "a")).score == pytest.approx(0.6)


def test_columns_are_known_although_the_board_is_hidden(client):
    assert client.transport.get("/api/competitions/5/")["leaderboards"] == []
    assert client.board(7).primary == "accuracy"


def test_a_platform_without_columns_still_gives_scores(client, submitted):
    outcome, _ = seen_by(client, submitted("good"), Board())
    assert outcome.state == "scored"
    assert outcome.score == 0.94


def test_a_board_that_cannot_be_read_has_no_columns(platform, client):
    platform.fault("GET", r"/get_leaderboard/", "status", status=500, times=99)
    assert client.board(1) == Board()
    assert client.board(9999) == Board()


def test_patience_begins_anew_with_every_change(client, submitted):
    """Finished, Running, Finished: the first end is not believed."""
    frames = [Frame("Finished"), Frame("Running"), Frame("Finished"),
              Frame("Finished", None, (("accuracy", 0.5), ("n_rows", 1.0)))]
    assert seen_by(client, submitted(frames))[0].score == 0.5


def test_another_user_does_not_see_it(platform, submitted):
    number = submitted("good")
    assert seen_by(connect(platform, "bob"), number)[0].state == "gone"
