"""The run store: only what is whole is believed."""

import multiprocessing
from pathlib import Path

import pytest

from harness.records import reading
from harness.runs import Store, identity
from zoo import UserError
from zoo.files import write_json


def finished(store: Store, words: str, **config: object) -> str:
    key = identity(dict(config))
    with store.new(words, key) as folder:
        assert folder is not None
        write_json(folder / "config.json", {**config, "identity": key})
    return key


def test_runs_and_ledger_lie_in_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                               ) -> None:
    from harness.cli.remote import open_ledger

    monkeypatch.setenv("HOME", str(tmp_path))
    open_ledger("~/runs").append("a", state="begun")
    assert (tmp_path / "runs" / "ledger.jsonl").is_file()
    assert [e.attempt for e in Store("~/runs").ledger.entries()] == ["a"]


def test_a_run_is_believed_only_when_its_block_ended_well(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.new("vgg16", "ab" * 32):
        raise RuntimeError
    assert store.finished() == []
    key = finished(store, "vgg16", backbone="vgg16")
    assert [r.config["backbone"] for r in store.finished()] == ["vgg16"]
    assert store.made(key).finished


def test_what_an_interrupted_attempt_left_is_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = identity({"backbone": "vgg16"})
    left = tmp_path / f"20250101-000000-vgg16-{key[:8]}"
    left.mkdir()
    (left / "metrics.json").write_text("{")
    finished(store, "vgg16", backbone="vgg16")
    assert not left.exists()
    assert len(store.finished()) == 1


def test_a_finished_run_is_not_made_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = finished(store, "vgg16", backbone="vgg16")
    with store.new("vgg16", key) as folder:
        assert folder is None
    assert len(store.finished()) == 1


def make(folder: Path) -> None:
    import time

    store = Store(folder)
    with store.new("vgg16", "cd" * 32) as path:
        if path is not None:
            time.sleep(0.3)
            write_json(path / "config.json", {"identity": "cd" * 32})


def test_two_processes_at_one_configuration_make_one_run(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=make, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(Store(tmp_path).finished()) == 1


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finished(store, "vgg16", backbone="vgg16")
    id = store.finished()[0].id
    assert store.run(id[:-3]).id == id
    with pytest.raises(UserError, match="Did you mean"):
        store.run(id[1:])
    with pytest.raises(UserError, match="make one with"):
        Store(tmp_path / "other").run("x")


def test_a_damaged_record_gets_a_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finished(store, "vgg16", backbone="vgg16")
    run = store.finished()[0]
    (run.folder / "predictions.npz").write_bytes(b"PK\x03\x04rubbish")
    with pytest.raises(UserError, match="predictions.npz.*train it again"):
        run.predictions()
    (run.folder / "metrics.json").write_text("[1]")
    with pytest.raises(UserError, match="metrics.json"):
        _ = run.metrics


def test_a_record_that_is_nested_too_deeply_gets_a_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finished(store, "vgg16", backbone="vgg16")
    run = store.finished()[0]
    (run.folder / "environment.json").write_text('{"a":' * 900 + "0" + "}" * 900)
    with pytest.raises(UserError, match="environment.json"):
        _ = run.environment


def test_how_a_source_was_read_is_what_this_version_can_do_again() -> None:
    known = {"images_key": "x", "drop": [3]}
    assert reading({"reading": {**known, "of_a_later_version": 1}}) == known
    assert reading({}) == {}
