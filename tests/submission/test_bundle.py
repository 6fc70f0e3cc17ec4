"""The bundle: fields as the platform's reader knows them, programs as the dry run runs them."""

import json
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zips
from click.testing import CliRunner

from harness.cli.bundle import command
from submission import bundle as bundles
from submission.bundle import Task, bundle, description, problems
from submission.dryrun import PROGRAMS
from zoo.errors import UserError

START = datetime(2026, 11, 2, 14, 30)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), dtype="uint8")
LABELS = np.arange(12) % 3
TASKS = [Task("Development", IMAGES, LABELS), Task("Final", IMAGES[:6], LABELS[:6])]


def about(**changes: Any) -> dict[str, Any]:
    return {**description(TASKS, 'Cells: "one", é', START, 14, 5), **changes}


def test_the_yaml_says_what_was_meant() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not here")
    read = yaml.safe_load(bundles.yaml(about()))
    assert read == about()
    # A time that yaml understands as one is cut to midnight by the platform: it must stay text.
    assert read["phases"][0]["start"] == "2026-11-02 14:30:00"


def test_what_is_made_has_no_problems_and_its_phases_do_not_touch() -> None:
    assert list(problems(about())) == []
    first, last = about()["phases"]
    assert first["end"] < last["start"]
    assert "end" not in last


@pytest.mark.parametrize("changes, told", [
    ({"version": 1}, "version must be 2"),
    ({"terms": ""}, "lacks 'terms'"),
    ({"pages": "overview.md"}, "pages must be list"),
    ({"colour": "red"}, "unknown field 'colour'"),
    ({"title": "x" * 257}, "title is longer than 256"),
    ({"tasks": [{"index": 0, "name": "a"}]}, r"tasks\[0\] lacks 'scoring_program'"),
    ({"phases": [{"name": "a", "start": "2026", "tasks": [7]}]}, "names task 7"),
    ({"phases": [{"name": "a", "start": "2026", "tasks": [0]},
                 {"name": "b", "start": "2027", "tasks": [0]}]}, "has no end and isn't the last"),
    ({"phases": [{"name": "a", "start": "2026-01", "end": "2026-03", "tasks": [0]},
                 {"name": "b", "start": "2026-03", "tasks": [0]}]}, "starts before"),
    ({"leaderboards": [{"title": "R", "key": "r", "submission_rule": "Best", "columns": [
        {"title": "A", "key": "a", "index": 0}]}]}, "rule 'Best' is unknown"),
    ({"leaderboards": [{"title": "R", "key": "r", "columns": [
        {"title": "A", "key": "a", "index": 0}, {"title": "B", "key": "a", "index": 1}]}]},
     "same key"),
])
def test_what_the_platform_would_refuse_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        raise AssertionError("\n".join(problems(about(**changes))))


def test_every_file_that_is_named_is_there_and_the_bytes_are_the_same_twice(tmp_path: Path) -> None:
    path = bundle(TASKS, tmp_path / "b.zip", "Cells", ["a", "b", "c"], START)
    again = bundle(TASKS, tmp_path / "c.zip", "Cells", ["a", "b", "c"], START)
    assert path.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(path) as z:
        names = z.namelist()
        assert z.read("logo.png").startswith(b"\x89PNG")
        assert "0 a, 1 b, 2 c" in z.read("overview.md").decode()
    told = description(TASKS, "Cells", START, 14, 5)
    wanted = [told["image"], told["terms"], *(p["file"] for p in told["pages"])]
    folders = [v for t in told["tasks"] for k, v in t.items()
               if k.endswith("_program") or k.endswith("_data")]
    assert set(wanted) <= set(names)
    assert all(any(n.startswith(f"{folder}/") for n in names) for folder in folders)


def test_its_programs_are_the_dry_runs_and_score_a_zip_in_the_workers_folders(tmp_path: Path
                                                                              ) -> None:
    path = bundle(TASKS, tmp_path / "b.zip", "Cells", "abc", START)
    app = tmp_path / "app"
    with zipfile.ZipFile(path) as z:
        z.extractall(tmp_path / "bundle")
        for name in ("ingestion", "scoring"):
            for file in (f"{name}.py", "metadata.yaml"):
                assert z.read(f"{name}_program/{file}") == (PROGRAMS / name / file).read_bytes()
    submission = app / "ingested_program"
    submission.mkdir(parents=True)
    (submission / "model.py").write_text(zips.predict("return np.arange(len(X)) % 3"))
    (app / "output").mkdir()
    source = tmp_path / "bundle"
    worker(source / "ingestion_program", {
        "$input": source / "input_data_0", "$output": app / "output",
        "$submission_program": submission})
    (tmp_path / "input").mkdir()
    (source / "reference_data_0").rename(tmp_path / "input" / "ref")
    (app / "output").rename(tmp_path / "input" / "res")
    (tmp_path / "scores").mkdir()
    worker(source / "scoring_program", {"$input": tmp_path / "input",
                                        "$output": tmp_path / "scores"})
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    columns = about()["leaderboards"][0]["columns"]
    assert list(scores) == [c["key"] for c in columns]
    assert scores["accuracy"] == 1.0


def worker(program: Path, words: dict[str, Path]) -> None:
    """Run a program's command as the platform's worker does."""
    text = (program / "metadata.yaml").read_text().split("command:")[1]
    words = {**words, "$ingestion_program": program, "$program": program}
    for word, path in words.items():
        text = text.replace(word, str(path))
    subprocess.run([sys.executable, *text.split()[1:]], cwd=program, check=True)


def test_scoring_without_predictions_ends_with_one_and_a_sentence(tmp_path: Path) -> None:
    for name in ("ref", "res", "out"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "ref" / "labels.npy", LABELS)
    done = subprocess.run([sys.executable, str(PROGRAMS / "scoring" / "scoring.py"), str(tmp_path),
                           str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ingestion's log" in done.stderr
    np.save(tmp_path / "res" / "predictions.npy", LABELS[:3])
    done = subprocess.run([sys.executable, str(PROGRAMS / "scoring" / "scoring.py"), str(tmp_path),
                           str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 1
    assert not list((tmp_path / "out").iterdir())


def test_predictions_that_the_zip_brought_are_not_scored(tmp_path: Path) -> None:
    """The platform copies the zip into the output, and a failed ingestion stops nothing."""
    for name in ("data", "ref", "res", "out", "submission"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "data" / "images.npy", IMAGES)
    np.save(tmp_path / "ref" / "labels.npy", LABELS)
    np.save(tmp_path / "res" / "predictions.npy", LABELS)
    (tmp_path / "submission" / "model.py").write_text("raise ImportError('no such layer')")
    for program, words in (("ingestion", ("data", "res", "submission")), ("scoring", (".", "out"))):
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / program / f"{program}.py"),
             *(str(tmp_path / word) for word in words)], capture_output=True, text=True)
        assert done.returncode == 1
    assert "ingestion's log" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_phases_without_end_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="year 9999"):
        bundle(TASKS, tmp_path / "b.zip", "Cells", ["a", "b", "c"], START, days=10**8)
    assert not list(tmp_path.iterdir())


def test_nothing_to_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one picture"):
        bundle([], tmp_path / "b.zip", "x", "ab", START)
    with pytest.raises(UserError, match="its label"):
        bundle([Task("a", IMAGES, LABELS[:3])], tmp_path / "b.zip", "x", "ab", START)
    assert not list(tmp_path.iterdir())


def test_the_command_makes_both_phases(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    out = tmp_path / "b.zip"
    done = CliRunner().invoke(command, [
        "--data", str(tmp_path / "d.npz"), "--final", str(tmp_path / "d.npz"), "--out", str(out),
        "--start", "2026-11-02", "--json", str(tmp_path / "facts.json")])
    assert done.exit_code == 0, done.output
    assert [p["phase"] for p in json.loads((tmp_path / "facts.json").read_text())["phases"]] == [
        "Development", "Final"]
    with zipfile.ZipFile(out) as z:
        assert "input_data_1/images.npy" in z.namelist()
