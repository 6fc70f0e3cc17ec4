import importlib.metadata
import json

import pytest

from harness.cli import doctor
from harness.cli.main import main
from tests.harness.fake_store import make_store


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """A machine of its own: no weights, no token, an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_WEIGHTS", raising=False)
    monkeypatch.setattr("submission.tokens.token_file", lambda: tmp_path / "tokens.json")
    monkeypatch.delenv("CODABENCH_TOKEN", raising=False)


def examined(capsys, *words):
    """The rows of ``harness doctor`` by name, and what it printed."""
    main(["doctor", "--json", "doctor.json", *words])
    with open("doctor.json", encoding="utf-8") as f:
        return {row["what"]: row for row in json.load(f)}, capsys.readouterr().out


def test_it_names_versions_device_places_and_ends_with_the_next_command(capsys, tmp_path):
    rows, out = examined(capsys)
    assert rows["keras"]["found"] == importlib.metadata.version("keras")
    assert rows["number type"]["found"] in ("float32", "bfloat16")
    assert rows["engines"]["found"].startswith("tensorflow")
    assert rows["tensorboard"]["state"] in ("ok", "missing")
    assert rows["runs"]["found"].startswith(str(tmp_path / "runs"))
    assert str(tmp_path / "cache") in rows["cache"]["found"]
    assert rows["free disk for runs"]["found"].endswith(" GB")
    assert out.splitlines()[-1] == "Next: harness zoo"


def test_it_counts_finished_runs_and_lists_weights_that_are_here(capsys, tmp_path):
    make_store(tmp_path / "runs", 2)
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5").write_bytes(b"")
    rows, _ = examined(capsys, "--weights", str(folder))
    assert rows["runs"]["found"].endswith("2 finished")
    assert rows["pretrained"]["found"] == "VGG16"
    assert "ResNet50" in rows["pretrained"]["hint"]
    assert rows["pretrained"]["state"] == "missing"


def test_a_missing_extra_is_told_with_its_purpose_and_command(capsys, monkeypatch):
    version = importlib.metadata.version

    def without(name):
        if name == "optuna":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    rows, out = examined(capsys)
    assert rows["optuna"]["state"] == "missing"
    assert "optuna: only needed for harness search. pip install 'shift-harness[search]'" in out


def test_a_missing_necessity_ends_with_exit_code_2(capsys, monkeypatch):
    version = importlib.metadata.version

    def without(name):
        if name == "h5py":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 2
    assert "h5py: is not installed" in capsys.readouterr().out


def test_a_check_that_fails_is_a_row_not_a_traceback(capsys, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "much")
    with pytest.raises(SystemExit):
        main(["doctor", "--weights", "nowhere"])
    out = capsys.readouterr().out
    assert "places: HARNESS_CACHE_LIMIT must be a number of gigabytes" in out
    assert "weights: The folder of weights nowhere does not exist" in out


def test_a_folder_that_can_not_be_made_is_pointed_out(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 2
    assert "folder for cache: is no folder that you may write to" in capsys.readouterr().out


def test_a_full_disk_is_pointed_out(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "FREE", 1e18)
    rows, out = examined(capsys)
    assert rows["free disk for cache"]["state"] == "missing"
    assert "HARNESS_CACHE" in out


@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_token_is_found_and_never_shown(capsys, monkeypatch, tmp_path, how):
    secret = "0123456789abcdef0123"
    if how == "variable":
        monkeypatch.setenv("CODABENCH_TOKEN", secret)
    else:
        (tmp_path / "tokens.json").write_text(json.dumps({"host": secret}))
    rows, out = examined(capsys)
    assert rows["token"]["state"] == "ok"
    assert secret not in out
    assert secret not in (tmp_path / "doctor.json").read_text()
