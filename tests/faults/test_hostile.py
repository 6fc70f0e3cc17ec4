"""Damaged and hostile inputs over all commands: a sentence and an exit code, and nothing else."""

import contextlib
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from tests.attacks import hostile_npz, records, zips
from tests.harness.fake_store import make_store

RECORDS = list(records.changes())
READERS = ("report", "models", "leaderboard", "compare", "submission", "ensemble", "forecast",
           "diagnose", "score", "doctor")


def snapshot(folder):
    """What lies in a folder: names, kinds and sizes."""
    return {str(p.relative_to(folder)): (p.is_dir(), p.is_symlink() or p.stat().st_size)
            for p in folder.rglob("*") if not p.name.endswith(".lock")}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, inside another whose content must stay as it is."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CODABENCH_TOKEN", raising=False)
    (tmp_path / "outside.txt").write_text("as it was")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def run(*words, allowed=(0, 2)):
    """Run a command in this process; what it printed. Fails for anything but an exit code."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as e:
            code = e.code or 0
    text = out.getvalue() + err.getvalue()
    assert code in allowed, f"{words}: exit code {code}\n{text}"
    assert "Traceback" not in text
    assert not {"\x1b", "\x07", "\x9b"} & set(text), words
    if code == 2:
        assert 15 < len(err.getvalue().strip()) < 3000, words
    return text


def untouched(place, before, *written):
    """Nothing ran, and nothing lies where nothing was asked for."""
    assert not (place / "executed").exists()
    assert (place.parent / "outside.txt").read_text() == "as it was"
    new = set(snapshot(place)) - set(before) - set(written)
    assert not {n for n in new if not n.startswith(written)}, new
    assert {p.name for p in place.parent.iterdir()} <= {"outside.txt", "work", "cache", "config"}


def good_npz(path):
    np.savez(path, **hostile_npz.good_arrays())
    return str(path)


@pytest.mark.parametrize("part", range(4))
def test_data_files_from_strangers_end_in_a_sentence(part, place):
    good = good_npz(place / "good.npz")
    for i, (name, content) in enumerate(hostile_npz.every()):
        if i % 4 != part:
            continue
        (place / "stranger.npz").write_bytes(content)
        before = snapshot(place)
        # Twelve pictures can't be split into fifty folds, so that nothing is ever trained.
        command = [("clean", "stranger.npz"),
                   ("zoo", "--data", "stranger.npz", "--folds", "50", "--backbones", "smallcnn2"),
                   ("zoo", "--data", good, "--test", "stranger.npz", "--folds", "50",
                    "--backbones", "smallcnn2"),
                   ("bundle", "--data", "stranger.npz", "--out", "bundle.zip")][(i // 4) % 4]
        run(*command)
        untouched(place, before, "bundle.zip")
        if (place / "bundle.zip").exists():
            (place / "bundle.zip").unlink()
        print(name)


def test_zips_from_strangers_are_judged_and_nothing_in_them_runs(place):
    count = 0
    for name, content in zips.hostile():
        (place / "stranger.zip").write_bytes(content)
        before = snapshot(place)
        run("check", "stranger.zip", allowed=(0, 1, 2))
        untouched(place, before)
        count += 1
        print(name)
    assert count > 100


def test_a_bomb_is_refused_before_it_is_expanded(place):
    import resource

    (place / "bomb.zip").write_bytes(zips.bomb())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run("check", "bomb.zip", allowed=(1, 2))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 << 10, f"{grown >> 10} MiB"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "runs"
    make_store(folder, 2, n=24, size=16, sample=8)
    return folder


def reading(command, runs):
    """The words of a command that reads every run."""
    ids = sorted(p.name for p in runs.iterdir() if (p / "done").exists())
    return {"compare": ("compare", *ids, "--runs", "runs"),
            "submission": ("submission", "--runs", "runs", "--run", ids[0]),
            "ensemble": ("ensemble", *ids, "--runs", "runs"),
            "diagnose": ("diagnose", ids[0], "--runs", "runs"),
            "score": ("score", ids[0], "0.5", "--runs", "runs"),
            }.get(command, (command, "--runs", "runs"))


def attack(place, store, change, command):
    runs = place / "runs"
    shutil.copytree(store, runs)
    change(sorted(p for p in runs.iterdir() if p.is_dir())[0])
    before = snapshot(place)
    run(*reading(command, runs))
    untouched(place, before, "report.html", "leaderboard.md", "runs")
    shutil.rmtree(runs)
    for name in ("report.html", "leaderboard.md"):
        (place / name).unlink(missing_ok=True)


@pytest.mark.parametrize("part", range(6))
def test_damaged_runs_end_in_a_page_a_table_or_a_sentence(part, place, store):
    """Every change of a record meets one command, every command some sixty changes."""
    for i in range(part, len(RECORDS), 6):
        name, change = RECORDS[i]
        command = READERS[(i // 6) % len(READERS)]
        print(name, command)
        attack(place, store, change, command)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", READERS)
def test_every_change_of_a_record_meets_every_command(command, place, store):
    for name, change in RECORDS:
        print(name)
        attack(place, store, change, command)


@pytest.mark.parametrize("name", ["<script>alert(1)<script>", "\x1b[2J", "a\nb", "'; rm -rf", "é",
                                  "-rf", "a" * 200])
def test_hostile_names_of_runs_are_harmless(name, place, store):
    shutil.copytree(store, place / "runs")
    first = sorted((place / "runs").iterdir())[0]
    first.rename(place / "runs" / name)
    for command in ("report", "models", "leaderboard"):
        run(command, "--runs", "runs")
    page = (place / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "\x1b" not in page


def test_a_run_that_is_a_link_to_elsewhere_is_not_written_to(place, store):
    outside = place.parent / "config"
    shutil.copytree(store, place / "runs")
    first = sorted((place / "runs").iterdir())[0]
    shutil.move(first, outside)
    (place / "runs" / first.name).symlink_to(outside)
    before = snapshot(outside)
    for command in ("report", "models", "leaderboard"):
        run(command, "--runs", "runs")
    assert snapshot(outside) == before


@pytest.mark.parametrize("content", [
    b"", b"run,score", b"run,score\nx,2", b"run,score\nx,nan", b"\xff\xfe", b"score,run\n",
    b'run,score\n"x', b"run,score\nx,0.5\nx,0.6\n", b"run,score\n" + b"," * 100_000,
    b"run,score\n\x1b[2J,0.5\n", b"\0" * 1000])
def test_histories_from_strangers_end_in_a_sentence(content, place, store):
    shutil.copytree(store, place / "runs")
    (place / "history.csv").write_bytes(content)
    run("forecast", "--runs", "runs", "--history", "history.csv")


@pytest.mark.parametrize("content", [
    b"\n" * 10, b"{}\n", b'{"attempt": 3, "time": 4}\n', b'{"attempt": [], "time": "t"}\n',
    b'{"attempt": "a", "time": "t", "score": "x", "run": "r"}\n',
    b'{"attempt": "a", "time": "t", "score": [], "run": {}}\n', b"\xff\xfe\0\n",
    b'{"attempt": "a", "time": "t", "score": 1e999, "run": "r"}\n', b"[" * 100_000,
    b'{"attempt": "a", "time": "t", "run": "<script>", "state": "\\u001b[2J"}\n'])
@pytest.mark.parametrize("command", ["report", "leaderboard", "models", "status", "forecast"])
def test_ledgers_from_strangers_end_in_a_page_a_table_or_a_sentence(content, command, place, store):
    shutil.copytree(store, place / "runs")
    (place / "runs" / "ledger.jsonl").write_bytes(content)
    run(*((command, "--runs", "runs")))


@pytest.mark.parametrize("content", ["x", "-1", "1.5", "1e9", "\x1b[2J", "9" * 5000, "\0"])
@pytest.mark.parametrize("option", ["--keep", "--drop"])
def test_lists_of_positions_from_strangers_end_in_a_sentence(content, option, place):
    good_npz(place / "good.npz")
    (place / "list.txt").write_text(content)
    run("zoo", "--data", "good.npz", option, "list.txt", "--folds", "50", allowed=(2,))


@pytest.mark.parametrize("kind", ["png", "svg", "eps", "huge", "text", "link", "deep", "pipe"])
def test_folders_of_pictures_from_strangers_end_in_a_sentence(kind, place):
    from PIL import Image

    for name in ("a", "b"):
        folder = place / "pictures" / name
        folder.mkdir(parents=True)
        for i in range(4):
            Image.fromarray(np.full((16, 16, 3), 40 * i + len(name), np.uint8)).save(
                folder / f"{i}.png")
    target = place / "pictures" / "a" / "stranger.png"
    if kind == "png":
        target.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    elif kind == "svg":
        target.write_text('<svg><script>alert(1)</script></svg>')
    elif kind == "eps":
        target.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(executed) (w) file\n")
    elif kind == "huge":
        whole = (place / "pictures" / "a" / "1.png").read_bytes()
        target.write_bytes(whole[:16] + b"\x7f\xff\xff\xff" * 2 + whole[24:])
    elif kind == "text":
        target.write_text("no picture")
    elif kind == "link":
        target.symlink_to("/etc/passwd")
    elif kind == "deep":
        (place / "pictures" / "a" / "loop").symlink_to("..")
    else:
        os.mkfifo(target)
    before = snapshot(place)
    run("clean", "pictures")
    run("zoo", "--data", "pictures", "--folds", "50", "--backbones", "smallcnn2")
    untouched(place, before)


def test_weights_from_strangers_end_in_a_sentence(place):
    import h5py

    rng = np.random.default_rng(0)
    np.savez(place / "good.npz", images=rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8),
             labels=np.arange(60) % 2)
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    weights = place / "weights"
    weights.mkdir()
    start = b"\x89HDF\r\n\x1a\n"
    for content in (b"", start, start + bytes(5000), b"PK\3\4", b"[]"):
        (weights / name).write_bytes(content)
        text = run("zoo", "--data", "good.npz", "--backbones", "vgg16", "--weights", "weights",
                   allowed=(2,))
        assert name in text
    (weights / name).unlink()
    with h5py.File(weights / name, "w") as f:
        f["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")
        f["loop"] = h5py.SoftLink("/loop")
    run("zoo", "--data", "good.npz", "--backbones", "vgg16", "--weights", "weights", allowed=(2,))
    assert Path(place / "runs").exists() is False
