"""Forecasts from stored runs, diagnosis, the honesty log, and their commands."""

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness import entry, forecasts
from harness.cli.diagnose import command as diagnose_command
from harness.cli.forecast import command as forecast_command
from harness.cli.score import command as score_command
from harness.judge import diagnosis, forecast, honesty
from harness.judge.evidence import of_run
from harness.judge.forecast import forecast_runs
from harness.runs import Store
from submission.ledger import Entry, Ledger
from tests.harness.fake_store import make_store
from zoo import UserError
from zoo.files import write_arrays, write_json, write_text


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "runs", 3)


def test_each_run_gets_a_record_of_each_way_that_is_possible(store) -> None:
    runs = store.finished()
    assert [r["way"] for r in forecast_runs(runs)] == ["blind"] * 3
    records = forecast_runs(runs, [(runs[0].id, 0.6)])
    assert [r["way"] for r in records] == ["history"] * 3 + ["blind"] * 3
    assert [r["run"] for r in records[:3]] == [r.id for r in runs]
    json.dumps(records)


def test_a_new_way_is_one_row(store, monkeypatch) -> None:
    class Guess:
        name = "guess"

        def informed(self, history, target) -> bool:
            return len(history) > 1

        def __call__(self, evidence, history=(), target=None) -> list[forecast.Forecast]:
            return [forecast.Forecast(e.name, self.name, 0.5, 0.0, 1.0, 0.0, "nothing")
                    for e in evidence]

    rows = {**forecast.ways(), "guess": Guess()}
    monkeypatch.setattr(forecast, "ways", lambda: rows)
    runs = store.finished()
    history = [(run.id, 0.6) for run in runs]
    assert [r["way"] for r in forecast_runs(runs, history[:1])] == ["history"] * 3 + ["blind"] * 3
    assert [r["way"] for r in forecast_runs(runs, history)[::3]] == ["guess", "history", "blind"]


def test_a_run_without_a_suite_is_passed_over(store) -> None:
    runs = store.finished()
    (runs[1].folder / "suite.npz").unlink()
    assert [r["run"] for r in forecast_runs(runs)] == [runs[0].id, runs[2].id]


def test_the_command_keeps_forecasts_and_writes_json(store, tmp_path) -> None:
    out = tmp_path / "f.json"
    result = CliRunner().invoke(forecast_command,
                                ["--runs", str(store.folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    records = json.loads(out.read_text())
    assert {"run", "way", "forecast", "low", "high"} <= records[0].keys()
    assert store.finished()[0].forecasts == [records[0]]
    assert "Next: harness submission" in result.output


@pytest.mark.parametrize("lines, what", [
    ("{0},1.2", "above 1"), ("nobody,0.5", "no run nobody"), ("{0},0.5\n{0},0.6", "twice"),
    ("{0},high", "no number")])
def test_wrong_rows_of_a_history_are_refused_with_a_sentence(store, tmp_path, lines, what) -> None:
    path = tmp_path / "h.csv"
    write_text(path, "run,score\n" + lines.format(store.finished()[0].id) + "\n")
    with pytest.raises(UserError, match=what):
        CliRunner().invoke(forecast_command, ["--runs", str(store.folder), "--history", str(path)],
                           catch_exceptions=False)


def test_a_history_file_is_used_and_not_kept(store, tmp_path) -> None:
    path, out = tmp_path / "h.csv", tmp_path / "f.json"
    write_text(path, f"run,score\n{store.finished()[2].id},0.2\n")
    before = store.finished()[0].forecasts
    CliRunner().invoke(forecast_command, ["--runs", str(store.folder), "--history", str(path),
                                          "--json", str(out)], catch_exceptions=False)
    ways = {r["way"]: r for r in json.loads(out.read_text()) if r["run"] == store.finished()[0].id}
    assert ways["history"]["forecast"] < ways["blind"]["forecast"]
    assert store.finished()[0].forecasts == before


def test_target_pictures_are_asked_without_labels(store, tmp_path, monkeypatch) -> None:
    from harness.judge import forecast

    asked = []

    def answers(run, images):
        asked.append((run.id, images.shape))
        return run.suite()["probabilities"][:len(images)]

    monkeypatch.setattr(forecast, "probabilities", answers)
    images = np.random.default_rng(0).integers(0, 255, (30, 32, 32, 3), dtype=np.uint8)
    write_arrays(tmp_path / "t.npz", images=images, labels=np.full(30, -1))  # no labels, in words
    out = tmp_path / "f.json"
    said = CliRunner().invoke(forecast_command, ["--runs", str(store.folder), "--json", str(out),
                                                 "--target", str(tmp_path / "t.npz")],
                              catch_exceptions=False).output
    assert "can't be read any more, so only" in said
    assert asked == [(r.id, (30, 32, 32, 3)) for r in store.finished()]
    assert [r["way"] for r in json.loads(out.read_text())][:3] == ["target"] * 3


def test_a_target_that_runs_learned_from_is_refused(store, tmp_path) -> None:
    known = store.finished()[0].sample()["images"][5:25, :, ::-1]
    write_arrays(tmp_path / "t.npz", images=known)
    with pytest.raises(UserError, match="20 pictures are in .* and in .*t.npz"):
        CliRunner().invoke(forecast_command, ["--runs", str(store.folder), "--target",
                                              str(tmp_path / "t.npz")], catch_exceptions=False)


def test_a_store_without_runs_says_what_to_do(tmp_path) -> None:
    with pytest.raises(UserError, match="harness zoo"):
        CliRunner().invoke(forecast_command, ["--runs", str(tmp_path)], catch_exceptions=False)


def test_findings_are_ranked_and_speak(store, tmp_path) -> None:
    run = store.finished()[0]
    found = diagnosis.diagnose(run)
    points = [f["points"] for f in found]
    assert points == sorted(points, reverse=True)
    assert points[0] > 0
    assert all(f["words"].endswith(".") and f["helps"] for f in found)
    assert any(f["kind"].startswith("shift: ") for f in found)
    out = tmp_path / "d.json"
    result = CliRunner().invoke(diagnose_command, [run.id, "--runs", str(store.folder), "--json",
                                                   str(out)], catch_exceptions=False)
    assert found[0]["words"] in result.output
    assert len(json.loads(out.read_text())["heat_map"]) == 8


def test_what_families_cost_sums_to_the_whole_fall(store) -> None:
    from harness.judge.hidden import expected

    evidence = of_run(store.finished()[1])
    fall = evidence.validation - expected(evidence) @ evidence.right
    assert sum(diagnosis.costs(evidence).values()) == pytest.approx(100 * fall)


def test_over_fit_and_twins_are_seen(store) -> None:
    run = store.finished()[0]
    epoch = {"epoch": 2, "train_loss": 0.01, "validation_loss": 1.0}
    write_json(run.folder / "history.json", [{"stage 1": {"best": 2, "epochs": [epoch]}}])
    sample = run.sample()
    sample["images"][1] = np.rot90(sample["images"][0])
    write_arrays(run.folder / "sample.npz", **sample)
    found = diagnosis.diagnose(Store(store.folder).run(run.id))
    kinds = {f["kind"]: f["points"] for f in found}
    assert kinds["leak"] > 0
    assert kinds["over-fit"] > 5
    words = next(f["words"] for f in found if f["kind"] == "over-fit")
    assert "loss is 0.01 on training" in words
    assert "1.00 on untouched" in words


def test_the_temperature_of_overconfident_predictions_is_above_one() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 3000)
    logits = rng.normal(0, 1, (3000, 3))
    logits[np.arange(3000), labels] += 1
    p = np.exp(3 * logits)
    assert diagnosis.temperature(p / p.sum(1, keepdims=True), labels) == pytest.approx(3, rel=0.25)


def test_forecasts_that_met_their_score_are_counted(store) -> None:
    runs = store.finished()
    first = runs[0].forecasts[0]
    entries = [Entry("1", run=runs[0].id, forecast=first["forecast"], score=first["forecast"],
                     low=first["low"], high=first["high"]),
               Entry("2", run=runs[1].id, forecast=0.9, score=0.5),
               Entry("3", run=runs[2].id, forecast=0.9), Entry("4", run="gone", score=0.1),
               Entry("5", run=runs[2].id, forecast=0.9, score=93.5)]
    rows = honesty.rows(runs, entries)
    assert [r["run"] for r in rows] == [runs[0].id, runs[1].id]
    assert [r["inside"] for r in rows] == [True, None]
    found = {r["guess"]: r for r in honesty.summary(rows)}
    assert found["forecast"]["error"] == pytest.approx(20)
    assert found["forecast"]["inside"] == 1.0
    assert set(found) == set(honesty.GUESSES)


def test_a_score_that_came_back_decides_over_the_runs_own_forecast(store) -> None:
    forecasts.update(store)
    best = entry.choose(store, "forecast")
    enter(store, best.id, "0.30")
    forecasts.update(store)
    assert next(iter(best.forecasts))["low"] > 0.30  # it does not know its own score
    assert entry.choose(store, "forecast").id != best.id


def test_a_score_is_entered_once_and_a_slip_can_be_mended(store) -> None:
    forecasts.update(store)
    run = store.finished()[0]
    promise = next(iter(run.forecasts))
    enter(store, run.id, "0.61")
    with pytest.raises(UserError, match="in the ledger already"):
        enter(store, run.id, "0.61")
    forecasts.update(store)
    enter(store, run.id, "0.71")
    enter(store, run.id, "0.5", "--phase", "final")
    entries = Ledger(store.folder / "ledger.jsonl").entries()
    assert [(e.score, e.phase) for e in entries] == [(0.71, None), (0.5, "final")]
    assert (entries[0].forecast, entries[0].low, entries[0].high) == tuple(
        promise[k] for k in ("forecast", "low", "high"))


def enter(store: Store, *words: str) -> None:
    with chdir(store.folder.parent):
        CliRunner().invoke(score_command, [*words, "--runs", str(store.folder)],
                           catch_exceptions=False)
