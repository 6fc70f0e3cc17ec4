"""The right log first, readable, and nothing unpacked outside its folder."""

import io
import stat
import zipfile

import pytest
from server.lives import life

from submission import logs, storage
from submission.transport import Refused, Unreachable
from submission.unpack import unpack
from zoo.errors import UserError


@pytest.fixture
def ended(platform, client):
    """A submission that has ended so; returns its number."""
    def submit(*lives, phase=3, competition=2):
        platform.world.lives += [life(name)[-1:] for name in lives]
        key, _ = client.announce(competition, "a.zip", 5)
        number = client.create(key, phase)
        for row in platform.world.submissions.values():
            row.shown = len(row.children)
        return number
    return submit


def zipped(*members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in members:
            archive.writestr(name, text)
    return data


def test_the_participants_traceback_comes_first(client, ended):
    name, text = logs.explain(logs.fetch(client, ended("raises")))
    assert name == "prediction_ingestion_stderr"
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: boom in predict")
    assert "predictions.json" not in text


def test_the_order_of_the_platforms_list_does_not_matter(platform, client, ended, monkeypatch):
    number = ended("raises")
    details = client.details(number)
    details["logs"].reverse()
    monkeypatch.setattr(client, "details", lambda number: details)
    assert next(iter(logs.fetch(client, number))) == "prediction_ingestion_stderr"


def test_logs_are_fetched_without_the_token(platform, client, ended):
    logs.fetch(client, ended("raises"))
    to_storage = [r for r in platform.journal if r.server == "storage"]
    assert len(to_storage) == 8
    assert not any("authorization" in r.headers for r in to_storage)


def test_the_logs_of_a_running_submission_are_empty(platform, client):
    key, _ = client.announce(2, "a.zip", 5)
    assert logs.fetch(client, client.create(key, 3)) == {}
    assert logs.explain({}) == ("", "")


def test_a_parents_logs_are_those_of_its_children(client, ended):
    number = ended("good", "raises", phase=4, competition=3)
    found = logs.fetch(client, number)
    assert f"{number + 2}: prediction_ingestion_stderr" in found
    name, text = logs.explain(found)
    assert name.startswith(str(number + 2))
    assert "boom" in text


def test_without_a_traceback_the_last_lines_count():
    lines = "\n".join(f"line {i}" for i in range(100))
    name, text = logs.explain({"prediction_ingestion_stdout": lines, "scoring_stdout": "x"})
    assert name == "prediction_ingestion_stdout"
    assert text.splitlines()[-1] == "line 99"
    assert len(text.splitlines()) == logs.TAIL


def test_missing_predictions_without_a_traceback_were_probably_stopped():
    scoring = {"prediction_ingestion_stdout": "step 1", "scoring_stderr": logs.TRACEBACK + "x"}
    assert "time limit" in logs.hint(scoring)
    assert not logs.hint({**scoring, "prediction_ingestion_stderr": logs.TRACEBACK})
    assert not logs.hint({})


def test_hidden_logs_are_refused_with_the_reason(platform, client, ended):
    number = ended("raises", phase=7, competition=5)
    with pytest.raises(Refused, match="hide output"):
        logs.fetch(client, number)


def test_logs_cannot_steer_the_terminal():
    text = logs.printable("\x1b[2J\x1b]0;title\x07red\x1b[31m!\x00\r\nstep 1\rstep 2\r\n\x9b31m")
    assert text == "red!\nstep 2\n31m"


def test_logs_and_results_are_saved(client, ended, tmp_path):
    written = {str(p.relative_to(tmp_path)) for p in logs.save(client, ended("good"), tmp_path)}
    assert {"prediction_ingestion_stderr.txt", "scoring_stdout.txt",
            "prediction_result/predictions.json", "scoring_result/scores.json"} <= written
    assert (tmp_path / "scoring_result" / "scores.json").read_text() == '{"accuracy": 0.94}'


def test_results_that_do_not_exist_are_left_out(client, ended, tmp_path):
    """After a failed scoring its result is an empty file."""
    written = [p.name for p in logs.save(client, ended("raises"), tmp_path)]
    assert "model.py" in written
    assert "scores.json" not in written


def test_scores_are_saved_although_the_predictions_are_too_large(platform, client, ended, tmp_path,
                                                                 monkeypatch):
    """Beside the predictions lies the participant's own zip with its weights."""
    number = ended("good", "good", phase=4, competition=3)
    monkeypatch.setattr(logs, "LARGEST_RESULT", 10**4)
    platform.fault("GET", r"/prediction_result/", "flood", times=2)
    said = []
    written = {str(p.relative_to(tmp_path)) for p in
               logs.save(client, number, tmp_path, say=said.append)}
    assert {f"{number + i}-scoring_result/scores.json" for i in (1, 2)} <= written
    assert not [name for name in written if "prediction_result" in name]
    assert len(said) == 2
    assert f"prediction_result of submission {number + 1} is left out" in said[0]


def test_a_result_is_not_held_in_memory(client, ended, tmp_path, monkeypatch):
    number = ended("good")
    monkeypatch.setattr(storage, "download", lambda *words, **more: b"")
    assert "predictions.json" in [p.name for p in logs.save(client, number, tmp_path)]
    assert {p.name for p in tmp_path.iterdir()} == {"scoring_result", "prediction_result"}


def test_nothing_to_save_is_a_sentence(client, tmp_path):
    key, _ = client.announce(2, "a.zip", 5)
    with pytest.raises(UserError, match="no logs and no results yet"):
        logs.save(client, client.create(key, 3), tmp_path)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil",
                                  "a/..", "\\\\host\\evil"])
def test_a_name_that_leaves_the_folder_unpacks_nothing(tmp_path, name):
    folder = tmp_path / "inside"
    with pytest.raises(UserError, match="points outside"):
        unpack(zipped(("good.txt", "x"), (name, "x")), folder)
    assert not list(tmp_path.rglob("*.txt"))
    assert not list(tmp_path.rglob("*evil*"))


def test_a_link_in_a_zip_unpacks_nothing(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
    with pytest.raises(UserError, match="points outside"):
        unpack(data, tmp_path / "inside")


def test_a_link_in_the_folder_is_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="through a link"):
        unpack(zipped(("a/x", "x")), tmp_path / "inside")
    assert not list((tmp_path / "outside").iterdir())


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path):
    with pytest.raises(UserError, match="more than"):
        unpack(zipped(("a", "x" * 1001)), tmp_path / "inside", limit=1000)
    assert not (tmp_path / "inside").exists()


def test_a_zip_that_lies_about_its_sizes_is_stopped(tmp_path):
    data = bytearray(zipped(("a", "x" * 5000)).getvalue())
    central = data.index(b"PK\x01\x02")
    data[central + 24:central + 28] = (10).to_bytes(4, "little")
    data[22:26] = (10).to_bytes(4, "little")
    with pytest.raises(UserError):
        unpack(io.BytesIO(data), tmp_path / "inside", limit=1000)
    assert not (tmp_path / "inside" / "a").exists()


def test_what_is_no_zip_is_a_sentence_and_nothing_is_nothing(tmp_path):
    with pytest.raises(UserError, match="no readable zip"):
        unpack(io.BytesIO(b"PK, but no zip"), tmp_path)
    assert unpack(io.BytesIO(), tmp_path) == []


def test_a_log_without_end_does_not_hide_the_others(platform, client, ended, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST_LOG", 2**20)
    number = ended("raises")
    platform.fault("GET", r"prediction_ingestion_stdout", "flood")
    found = logs.fetch(client, number)
    assert "larger" in found["prediction_ingestion_stdout"]
    assert "boom in predict" in logs.explain(found)[1]


@pytest.mark.parametrize("refused", [0, 1])
def test_a_log_too_large_is_told_of_whatever_else_is_refused(client, monkeypatch, refused):
    names = ["prediction_stderr", "prediction_stdout"]
    monkeypatch.setattr(client, "details", lambda number: {
        "logs": [{"name": n, "data_file": f"http://x/{n}"} for n in names]})

    def download(address, *words, **more):
        if address.endswith(names[refused]):
            raise Refused("The storage refuses it.", 403)
        raise logs.TooLarge("It is too large.")

    monkeypatch.setattr(storage, "download", download)
    assert logs.fetch(client, 1)[names[1 - refused]] == "It is too large."


def test_a_logs_name_cannot_steer_the_terminal(client, monkeypatch):
    steering = {"logs": [{"name": "\x1b[2Jlog", "data_file": "http://x/"}]}
    monkeypatch.setattr(client, "details", lambda number: steering)
    monkeypatch.setattr(storage, "download", lambda *words, **more: b"text")
    assert logs.fetch(client, 1) == {"log": "text"}


@pytest.mark.parametrize("address", ["http://[bad", "/relative", "ftp://x/", "5", "file:///x"])
def test_an_address_that_is_none_is_a_sentence(address, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"x")
    with pytest.raises(Unreachable, match="can't be read"):
        storage.download(address, 10, pause=0.001)
    with pytest.raises(UserError, match="address can't be used.*Nothing was submitted"):
        storage.upload(address, path, "", pause=0.001)


def test_a_download_is_tried_again(platform):
    platform.storage.put("/private/x", b"12345")
    address = platform.storage.sign("/private/x")
    platform.fault("GET", "/private/x", "cut")
    platform.fault("GET", "/private/x", "status", status=503)
    assert storage.download(address, 10, pause=0.001) == b"12345"
    platform.fault("GET", "/private/x", "drop before", times=3)
    with pytest.raises(Unreachable, match="can't be read"):
        storage.download(address, 10, pause=0.001)


@pytest.mark.parametrize("name, found", [("prediction_stdout", "prediction_ingestion_stderr"),
                                         ("prediction_ingestion_stderr", "scoring_stderr")])
@pytest.mark.parametrize("status", [403, 404])
def test_a_log_that_storage_lacks_hides_no_other(platform, client, ended, name, found, status):
    number = ended("raises")
    platform.fault("GET", f"/{name}.txt", "status", status=status, times=99)
    texts = logs.fetch(client, number)
    assert f"answers {status}" in texts[name]
    assert logs.explain(texts)[0] == found
    assert platform.count("GET", f"/{name}.txt") == 1       # asked again it would say the same
    platform.fault("GET", "/submission_details/", "status", status=status, times=99)
    with pytest.raises(Refused, match=f"answers {status}"):
        logs.fetch(client, number)


def test_what_cannot_be_read_is_shown_after_what_can(platform, client, ended):
    """Without a traceback the last lines of the first log count."""
    number = ended("good")
    platform.fault("GET", "/prediction_ingestion_stderr.txt", "status", status=404, times=99)
    name, text = logs.explain(logs.fetch(client, number))
    assert (name, "ingestion done" in text) == ("prediction_ingestion_stdout", True)


def test_a_result_that_storage_lacks_is_left_out_and_told(platform, client, ended, tmp_path):
    number = ended("good")
    platform.fault("GET", "/prediction_result/", "status", status=404, times=99)
    said = []
    written = logs.save(client, number, tmp_path / "logs", say=said.append)
    assert (tmp_path / "logs" / "scoring_result" / "scores.json") in written
    assert [f"prediction_result of submission {number} is left out" in s for s in said] == [True]


@pytest.mark.parametrize("fault", [("status", {"status": 503}), ("drop before", {}), ("cut", {})])
def test_a_log_that_comes_at_the_second_try_is_whole(platform, client, ended, fault):
    number = ended("raises")
    platform.fault("GET", "/prediction_ingestion_stderr.txt", fault[0], **fault[1])
    assert "boom in predict" in logs.explain(logs.fetch(client, number, pause=0.001))[1]
