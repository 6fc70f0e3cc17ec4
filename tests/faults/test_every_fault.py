"""Every write, fsync, rename and folder of what we keep fails once, and nothing is lost by it."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from harness import leaderboard
from harness.data.dataset import Dataset
from harness.report import write as write_page
from harness.runs import Store
from harness.training import activations
from harness.training.activations import POOL, Frozen
from harness.training.cache import Cache
from harness.training.views import Views
from submission.ledger import Ledger
from submission.pack import pack
from tests.faults.injection import KINDS, Died, injected
from tests.harness.fake_store import make_store, write_run
from zoo import UserError
from zoo.classifier import Classifier
from zoo.files import write_json
from zoo.graph import Graph, Node

LABELS = np.arange(24) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
CLASSES = ("a", "b", "c")
IDENTITY = "f" * 64


def digest(folder):
    """Every whole file below ``folder`` with its hash, without locks and what was left behind."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*"))
            if p.is_file() and not p.name.startswith(".") and p.suffix not in (".tmp", ".lock")}


def tiny_classifier():
    """Pooled colours and one dense layer."""
    rng = np.random.default_rng(1)
    graph = Graph((*POOL.nodes, Node("dense", "dense", ("pool",), {}, ("kernel", "bias"))),
                  {"dense/kernel": rng.normal(size=(3, 3)).astype("float32"),
                   "dense/bias": np.zeros(3, "float32")})
    return Classifier((graph,), CLASSES)


def one_run(folder):
    """Write a run into the store, as a sweep does."""
    store = Store(folder / "runs")
    with store.new("vgg16-seed", IDENTITY) as run:
        if run is not None:
            write_run(run, "vgg16", LABELS, IMAGES, CLASSES, 0.9, "d.npz",
                      np.random.default_rng(0), 8, True, 1)
            config = json.loads((run / "config.json").read_text())
            write_json(run / "config.json", {**config, "identity": IDENTITY})
            tiny_classifier().save(run / "classifier")


def finished_run(folder):
    """What is believed of the store's only run, but for its id, which holds the time."""
    runs = [r for r in Store(folder / "runs").finished() if r.config["identity"] == IDENTITY]
    assert len(runs) <= 1
    if not runs:
        return None
    run = runs[0]
    Classifier.load(run.classifier_folder)
    return {k: v for k, v in digest(run.folder).items()
            if k != "forecast.json"}, run.predictions()["validation"].sum()


def one_page(folder):
    store = Store(folder / "runs")
    leaderboard.write(store, folder / "leaderboard.md")
    write_page(store, folder / "report.html")


def pages(folder):
    page = folder / "report.html"
    board = folder / "leaderboard.md"
    return (page.read_text().endswith("</html>") if page.exists() else None,
            board.read_text() if board.exists() else None)


def one_zip(folder):
    pack(tiny_classifier(), folder / "submission.zip", {"run": "r"})


def zipped(folder):
    import zipfile

    path = folder / "submission.zip"
    if not path.exists():
        return None
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    return hashlib.sha256(path.read_bytes()).hexdigest()


VIEWS = Views(Dataset(IMAGES, LABELS, CLASSES, "d"), "basic", 1.0)
TRUNK = Frozen(Graph((Node("scale", "affine", ("input",), {}, ("scale",)),),
                     {"scale/scale": np.float32(0.01)}), Graph((), {}))


def program(pictures, features):
    """What passes pictures through the trunk, without TensorFlow."""
    maps = (pictures / 256).astype("float16")
    return [maps.mean((1, 2)), maps]


@pytest.fixture(autouse=True)
def _without_tensorflow(monkeypatch):
    monkeypatch.setattr(activations, "compiled", lambda frozen, number_type: program)


def one_cache(folder):
    """Two views through a trunk into the cache, read back."""
    found = activations.compute(VIEWS, 1, TRUNK, Cache(folder / "cache", 10 ** 9), lambda n: None)
    for table in (*found.boundary, *found.pooled):
        table.rows(0, 24)


def cached(folder):
    files = digest(folder / "cache") if (folder / "cache").exists() else {}
    for name in files:
        table = activations.Table(folder / "cache" / name)
        assert len(table.rows(0, 24)) == 24
    return files


def one_ledger(folder):
    ledger = Ledger(folder / "runs" / "ledger.jsonl")
    known = {e.attempt for e in ledger.entries()}
    for attempt in ("a", "b"):
        if attempt not in known:
            ledger.append(attempt, state="scored", run=attempt, score=0.5)


def lines(folder):
    return Ledger(folder / "runs" / "ledger.jsonl").scores()


# name: (scenario, what is believed afterwards, files that stand there before)
SCENARIOS = {"run": (one_run, finished_run), "page": (one_page, pages), "zip": (one_zip, zipped),
             "cache": (one_cache, cached), "ledger": (one_ledger, lines)}


def steps(scenario, folder, kind, at):
    """Run a scenario with one fault. True where the fault was met."""
    with injected(folder, at, kind) as faults:
        try:
            scenario(folder)
        except Died:
            assert kind == "power"
        except UserError:
            pass        # a sentence, as it should be
    return faults.met


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """What lies there when each scenario begins."""
    folder = tmp_path_factory.mktemp("before")
    make_store(folder / "page" / "runs", 1, n=24, size=8, sample=8)
    for name in SCENARIOS:
        (folder / name).mkdir(exist_ok=True)
    return folder


def every(name, kind, stride, before, folder):
    """Let every ``stride``-th call of a scenario fail; how many faults there were."""
    scenario, believed = SCENARIOS[name]
    whole = folder / "whole"
    shutil.copytree(before / name, whole)   # makes ``folder``, too
    scenario(whole)
    expected = believed(whole)
    assert expected
    for at in range(1, 100_000, stride):
        broken = folder / "broken"
        shutil.copytree(before / name, broken)
        met = steps(scenario, broken, kind, at)
        check_partial(name, believed(broken), expected)
        scenario(broken)
        assert believed(broken) == expected, f"{kind} at call {at}"
        shutil.rmtree(broken)
        if not met:
            return at // stride
    raise AssertionError("the scenario never ends")


@pytest.mark.parametrize("kind", [*KINDS, "power"])
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_some_faults_lose_nothing_and_the_next_attempt_is_whole(name, kind, before, tmp_path):
    stride = {"run": 61, "page": 13}.get(name, 7)
    assert every(name, kind, stride, before, tmp_path) >= 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_fault_at_every_call_loses_nothing_and_the_next_attempt_is_whole(before, tmp_path):
    faults = {(name, kind): every(name, kind, 1, before, tmp_path / name / kind)
              for name in SCENARIOS for kind in (*KINDS, "power")}
    print(f"{sum(faults.values())} faults: {faults}")
    assert sum(faults.values()) >= 1000


def check_partial(name, found, expected):
    """After a fault there is the whole thing, an earlier whole thing, or nothing."""
    if name in ("cache", "ledger"):
        assert set(found) <= set(expected)
        assert all(found[k] == expected[k] for k in found)
    elif name == "page":
        assert all(f in (None, e) for f, e in zip(found, expected, strict=True))
    else:
        assert found in (None, expected)
