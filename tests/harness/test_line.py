"""The whole line, from a dirty file to a zip that was tried."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness import load_classifier, load_data, read_leaderboard
from harness.runs import Store
from tests.harness.conftest import SMALL, harness, tiny_contest
from zoo.files import read_json


def test_the_sweep_ends_with_a_table_a_leaderboard_and_the_next_command(line: Path) -> None:
    output = (line / "output.txt").read_text(encoding="utf-8")
    assert "60 of 65 pictures are kept" in output
    assert "MobileNetV2" in output
    assert "Next: harness submission" in output
    text = (line / "leaderboard.md").read_text(encoding="utf-8")
    assert "| 1 " in text
    assert "random" in text
    assert "First Homework Report" in text


def test_the_facts_are_the_leaderboards_records(line: Path) -> None:
    facts = read_json(line / "facts.json")
    assert sorted(f["backbone"] for f in facts) == ["MobileNetV2", "small CNN, 2 convolutions"]
    for row in facts:
        assert row["gap"] == pytest.approx(row["validation"] - row["test"])
        assert 0 <= row["low"] <= row["forecast"] <= row["high"] <= 1
    assert [f["run"] for f in facts] == [r["run"] for r in read_leaderboard(line / "runs")]


def test_the_reported_validation_is_the_kept_classifiers(line: Path) -> None:
    images = load_data(str(line / "contest.npz")).images
    for run in Store(line / "runs").finished():
        found = run.predictions()
        sample = run.sample()
        predicted = load_classifier(run.id, line / "runs").predict(sample["images"])
        assert np.allclose(predicted, found["validation"][sample["position"]], atol=2e-2)
        right = found["validation"].argmax(1) == found["validation_labels"]
        assert right.mean() == pytest.approx(run.metrics["validation"]["accuracy"])
        assert any((image == sample["images"][0]).all() for image in images)


def test_the_same_command_trains_nothing_again(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(line)
    monkeypatch.setenv("HARNESS_CACHE", str(line / "cache"))
    before = {r.id: (r.folder / "done").stat().st_mtime_ns for r in Store("runs").finished()}
    result = harness("zoo", "--data", "contest.npz", "--test", "shifted.npz", "--backbones",
                     "smallcnn2 mobilenetv2", "--weights", "none", *SMALL)
    assert result.exit_code == 0, result.output
    assert result.output.count("finished before") == 2
    assert before == {r.id: (r.folder / "done").stat().st_mtime_ns
                      for r in Store("runs").finished()}


def test_the_best_run_becomes_a_zip_that_predicts_alike(line: Path, here: Path) -> None:
    result = harness("submission", "--runs", str(line / "runs"), "--out", "best.zip",
                     "--json", "facts.json")
    assert result.exit_code == 0, result.output
    assert "Next: harness submit best.zip" in result.output
    facts = read_json("facts.json")
    assert facts["agreement"] == 1.0
    assert facts["run"] == read_leaderboard(line / "runs")[0]["run"]
    with zipfile.ZipFile("best.zip") as archive:
        assert {"model.py", "manifest.json"} <= set(archive.namelist())
        assert json.loads(archive.read("manifest.json"))["run"] == facts["run"]
    assert [p.name for p in Path().iterdir()].count("best.zip") == 1
    assert not [p for p in Path().iterdir() if p.name.startswith(".packing")]


def test_an_ensemble_is_a_run_with_its_members_mean(line: Path, here: Path) -> None:
    import shutil

    shutil.copytree(line / "runs", here / "runs")
    ids = [r.id for r in Store("runs").finished()]
    result = harness("ensemble", *ids)
    assert result.exit_code == 0, result.output
    store = Store("runs")
    made = next(r for r in store.finished() if "members" in r.config)
    members = [store.run(i).predictions()["validation"] for i in ids]
    shares = made.config["shares"]
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1)
    assert np.allclose(made.predictions()["validation"],
                       np.average(members, axis=0, weights=shares), atol=1e-6)
    images = made.sample()["images"]
    each = [load_classifier(i).predict(images) for i in ids]
    assert np.allclose(load_classifier(made.id).predict(images),
                       np.average(each, axis=0, weights=shares), atol=1e-5)
    packed = harness("submission", "--run", made.id, "--out", "both.zip")
    assert packed.exit_code == 0, packed.output
    assert harness("ensemble", ids[0], ids[0]).exit_code == 2


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--data", "missing.npz"], "does not exist"),
    (["--data", "contest.npz", "--backbones", "mobilnetv2"], "Did you mean 'mobilenetv2'"),
    (["--data", "contest.npz", "--backbones", "vgg16", "--weights", "missing"], "missing"),
    (["--data", "contest.npz", "--backbones", "smallcnn2", "--folds", "50"], "folds"),
    (["--data", "contest.npz", "--images-key", "pictures"], "--images-key"),
    (["--data", "contest.npz", "--test", "contest.npz", "--backbones", "smallcnn2"], "lie"),
    (["--data", "contest.npz", "--set", "veiws=3"], "Did you mean 'views'"),
    (["--data", "contest.npz", "--set", "views"], "FIELD=VALUE"),
    (["--data", "contest.npz", "--set", "mixing=both", "--set", "views=1"], "set views=2"),
    (["--data", "contest.npz", "--backbones", "mobilenetv2 vgg16", "--set", "adapt=0.5"],
     "VGG16 has no batch normalization"),
])
def test_what_a_user_can_get_wrong_is_a_sentence(here: Path, arguments: list[str], sentence: str
                                                 ) -> None:
    tiny_contest(here / "contest.npz")
    before = sorted(p.name for p in here.iterdir())
    result = harness("zoo", *arguments)
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert sorted(p.name for p in here.iterdir()) == before


def test_a_damaged_file_of_weights_is_named(here: Path) -> None:
    tiny_contest(here / "contest.npz")
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    (here / name).write_bytes(b"\x89HDF rubbish")
    result = harness("zoo", "--data", "contest.npz", "--backbones", "vgg16", "--weights", ".")
    assert result.exit_code == 2
    assert name in result.output


def test_a_killed_sweep_goes_on_where_it_was(here: Path) -> None:
    tiny_contest(here / "contest.npz")
    command = [sys.executable, "-m", "harness.cli.main", "zoo", "--data", "contest.npz",
               "--backbones", "smallcnn2 mobilenetv2", "--weights", "none", *SMALL]
    with (here / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
        while process.poll() is None and not Store("runs").finished():
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    first = [r.id for r in Store("runs").finished()]
    assert first, (here / "log").read_text()
    result = harness(*command[3:])
    assert result.exit_code == 0, result.output
    assert "finished before" in result.output
    assert len(Store("runs").finished()) == 2
    assert Store("runs").finished()[0].id == first[0]
