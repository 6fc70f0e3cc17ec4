import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from harness.report import write
from harness.runs import Run, Store
from submission.ledger import Ledger
from tests.harness.fake_store import HOSTILE, make_store
from zoo import UserError
from zoo.files import read_json, write_json


def page(store, folder):
    return write(store, folder / "page.html").read_text("utf-8")


class Structure(HTMLParser):
    """Elements and attributes of a page, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return page(make_store(folder / "runs", 3), folder)


def test_the_first_screen_names_the_run_with_the_best_lower_end(text, tmp_path):
    assert re.search(r"<h2[^>]*><a[^>]*>EfficientNetB2</a></h2>", text)
    assert "Of 3 runs it is first by the lower end of the forecast" in text
    card = text[text.index('class="card"'):text.index('class="second"')]
    assert "nine times in ten between" in card
    assert re.search(r"harness submission .*--run 20261125-100002", card)


def test_the_command_that_packs_is_quoted(tmp_path):
    text = page(make_store(tmp_path / "my drive", 1), tmp_path)
    card = "".join(Structure(text[:text.index('class="second"')]).text)
    assert f"harness submission --runs '{tmp_path}/my drive' --run 2026" in card


def test_the_reason_compares_with_the_run_that_comes_next(tmp_path):
    def reason(select="forecast"):
        write(store, tmp_path / "page.html", select)
        text = (tmp_path / "page.html").read_text("utf-8")
        card = "".join(Structure(text[text.index("Why."):text.index('class="second"')]).text)
        return " ".join(card.split())

    store = make_store(tmp_path / "runs", 2)
    first, second = store.finished()
    assert "VGG16 comes next, with an interval that ends below" in reason()
    for run, low in ((first, 0.9), (second, 0.5)):
        write_json(run.folder / "forecast.json",
                   [{**run.forecasts[0], "forecast": low + 0.02, "low": low, "high": low + 0.05}])
    assert "VGG16 comes next, though its interval begins above (90.0 %)." in reason("validation")
    (first.folder / "forecast.json").unlink()
    assert "VGG16 comes next." in reason()
    Ledger(tmp_path / "runs" / "ledger.jsonl").append("a", state="scored", run=first.id, score=0.9)
    assert "VGG19 comes next." in reason()


def test_every_run_stands_in_the_figure_the_table_and_a_section(text):
    rows = [a.get("data-run") for tag, a in Structure(text).found if "data-run" in a]
    assert len(rows) == 9
    assert len(set(rows)) == 3


def test_a_section_holds_everything_that_was_measured(text):
    start = text.index('<details class="run"')
    section = text[start:text.index('<details class="run"', start + 1)]
    for heading in ("Learning curves", "Confusion matrix", "Class by class", "Under distortion",
                    "Reliability", "Worst mistakes", "What the suite does", "Forecasts", "Time",
                    "Configuration, and how to make it again"):
        assert f"<h4>{heading}</h4>" in section
    assert section.count('<svg class="figure"') == 5
    assert section.count("data:image/jpeg") > 10
    assert "harness zoo --data /nowhere/cells.npz --backbones" in section


def test_the_page_asks_for_nothing_from_outside(text):
    addresses = [a[k] for _, a in Structure(text).found for k in ("src", "href", "action", "data")
                 if a.get(k)]
    assert addresses
    assert all(a.startswith(("data:", "#")) for a in addresses)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_ids_are_unique_and_every_link_has_its_target(text):
    found = Structure(text).found
    ids = [a["id"] for _, a in found if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for tag, a in found if tag == "a"} <= set(ids)


def test_words_from_strangers_are_shown_as_words(tmp_path):
    store = make_store(tmp_path / "runs", 2, classes=HOSTILE,
                       data_name='"><script>alert(9)</script>')
    run = store.finished()[0]
    write_json(run.folder / "environment.json", {
        **run.environment, "device": "</script><script>alert(4)</script>",
        "seconds": {"<img src=x onerror=alert(5)>": 1.0}})
    write_json(run.folder / "forecast.json", [{**run.forecasts[0], "way": "<svg onload=alert(6)>"}])
    Ledger(store.folder / "ledger.jsonl").append(
        "a", state="scored", run="<script>alert(7)</script>", phase="<b>", forecast=0.8, score=0.7)
    found = Structure(page(store, tmp_path)).found
    assert [tag for tag, _ in found].count("script") == 2
    assert not [a for _, a in found for k in a if k.startswith("on")]
    images = [a["src"] for tag, a in found if tag == "img"]
    assert all(src.startswith("data:image/") for src in images)
    assert not re.findall(r"\x1b|\u202e|\\u001b|\\u202e", page(store, tmp_path))
    assert "49" not in re.findall(r"<th scope=\"row\">\d+ ([^<]*)</th>", page(store, tmp_path))


def test_a_record_that_is_no_number_takes_only_its_own_run_off_the_page(tmp_path):
    store = make_store(tmp_path / "runs", 5)
    first, second, third, fourth, _ = store.finished()
    metrics = first.metrics
    write_json(first.folder / "metrics.json",
               {**metrics, "validation": {**metrics["validation"], "accuracy": "<script>"}})
    (second.folder / "predictions.npz").write_bytes(b"PK\3\4 broken")
    write_json(third.folder / "config.json", [])
    (fourth.folder / "history.json").write_text("{" * 100_000)
    text = page(store, tmp_path)
    for run in (first, second, third, fourth):
        assert f"<code>{run.id}</code>: " in text
    assert text.count('<details class="run"') == 1


@pytest.mark.parametrize("sampling", [None, "<b>", {}, [1]])
def test_a_forecast_that_is_not_as_it_must_be_takes_only_its_own_run_off(tmp_path, sampling):
    store = make_store(tmp_path / "runs", 2)
    first = store.finished()[0]
    write_json(first.folder / "forecast.json",
               [{**first.forecasts[0], "assumes": "nothing", "sampling": sampling}])
    text = page(store, tmp_path)
    assert f"<code>{first.id}</code>: " in text
    assert text.count('<details class="run"') == 1


def test_a_store_without_a_readable_run_is_a_sentence_and_no_file(tmp_path):
    with pytest.raises(UserError, match="harness zoo"):
        write(Store(tmp_path / "none"), tmp_path / "page.html")
    store = make_store(tmp_path / "runs", 1)
    (store.finished()[0].folder / "metrics.json").unlink()
    with pytest.raises(UserError, match="does not exist"):
        write(store, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_runs_without_forecast_suite_or_test_are_shown_with_what_they_have(tmp_path):
    store = make_store(tmp_path / "runs", 2, test=False)
    for run in store.finished():
        (run.folder / "suite.npz").unlink()
        write_json(run.folder / "forecast.json", [])
        write_json(run.folder / "history.json", [])
        nothing = {"all": None, "held_out": None, "trained_on": None}
        write_json(run.folder / "metrics.json", {**run.metrics, "suite": nothing})
    text = page(store, tmp_path)
    assert "no forecast was made, so expect less" in text
    assert "Under distortion" not in text
    assert "Learning curves" not in text


def test_demo_runs_are_told_from_real_ones_and_come_last(tmp_path):
    make_store(tmp_path / "runs", 1, data_name="demo", seed=1)
    store = make_store(tmp_path / "runs", 1, data_name="cells.npz", seed=2)
    text = page(store, tmp_path)
    assert text.index(">cells.npz: submit<") < text.index(">demo: submit<")
    assert text.count("they say nothing about a contest") == 1


def test_random_weights_are_pointed_out(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    run = store.finished()[0]
    write_json(run.folder / "config.json", {**run.config, "weights": {"origin": "random"}})
    assert "started from random weights" in page(store, tmp_path)


def test_forecasts_are_set_against_what_came_back(tmp_path):
    store = make_store(tmp_path / "runs", 2)
    first, second = store.finished()
    ledger = Ledger(store.folder / "ledger.jsonl")
    forecast = second.forecasts[0]
    ledger.append("x", state="scored", run=second.id, forecast=forecast["forecast"],
                  low=forecast["low"], high=forecast["high"],
                  score=round(forecast["forecast"] - 0.02, 6), submission=77)
    ledger.append("z", state="scored", run=second.id, forecast=0.9, score=93.5)
    ledger.append("y", state="failed", run=first.id)
    text = page(store, tmp_path)
    assert "1 score came back" in text
    assert "The mean error is 2.0 points; 1 of 1 lie inside" in text
    assert ">returned<" in text
    assert ">93.5<" in text  # a platform that counts percent


def test_a_score_that_came_back_stands_above_the_forecast_that_does_not_know_it(tmp_path):
    store = make_store(tmp_path / "runs", 2)
    best = store.finished()[-1]
    assert "came back for this run" not in page(store, tmp_path)
    Ledger(store.folder / "ledger.jsonl").append("x", state="scored", run=best.id, score=0.987)
    card = page(store, tmp_path).partition('class="card"')[2].partition("</h2>")[2]
    shown = re.findall(r"\d+\.\d %", card)
    assert shown[:2] == ["98.7 %", f"{100 * best.forecasts[0]['forecast']:.1f} %"]


def test_a_score_that_is_no_number_is_left_out(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    (store.folder / "ledger.jsonl").write_text(
        '{"attempt": "a", "time": "t", "run": "r", "score": "<b>much", "forecast": 0.5}\n')
    text = page(store, tmp_path)
    assert "No score has come back yet" in text
    assert "much" not in text


def test_cleaning_shows_what_went_and_why(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    rng = np.random.default_rng(0)
    source = tmp_path / "cells.npz"
    np.savez(source, images=rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8),
             labels=np.arange(40) % 4)
    write_json(store.folder / "cleaning-12345678.json", {
        "source": str(source), "n": 40, "content_hash": "0" * 64, "groups": [[1, 2]],
        "dropped": [{"index": 3, "reason": "duplicate", "twin": 2},
                    {"index": 9, "reason": "pollution", "twin": 8},
                    {"index": 10, "reason": "pollution", "twin": 8}],
        "outliers": [{"index": i, "distance": 1.5 * i} for i in range(30)],
        "suspected_labels": [], "class_counts": {"<i>a": 10, "b": 20}})
    text = page(store, tmp_path)
    assert "Of 40 pictures 3 were dropped. 1 group of near-duplicates" in text
    assert "<h4>pollution: 2</h4>" in text
    assert text.count("dropped: pollution") == 1
    assert "&lt;i&gt;a" in text
    assert "Mahalanobis" in text
    source.unlink()
    again = page(store, tmp_path)
    assert "not at its place any more" in again
    assert "dropped: pollution" not in again


def test_cleaning_shows_pictures_that_were_read_under_other_keys(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    config = read_json(store.finished()[0].folder / "config.json")
    config["reading"] = {"images_key": "x", "labels_key": "y", "keep": [], "drop": []}
    write_json(store.finished()[0].folder / "config.json", config)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "cells.npz", y=np.arange(40) % 4,
             x=rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8))
    write_json(store.folder / "cleaning-12345678.json", {
        "source": str(tmp_path / "cells.npz"), "n": 40, "content_hash": config["data"]["hash"],
        "dropped": [{"index": 3, "reason": "duplicate", "twin": 2}], "class_counts": {"a": 39}})
    assert "dropped: duplicate" in page(store, tmp_path)


@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_record_of_cleaning_that_names_a_pipe_holds_nothing_up(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    os.mkfifo(tmp_path / "pipe.npz")
    write_json(tmp_path / "runs" / "cleaning-1.json", {
        "source": str(tmp_path / "pipe.npz"), "n": 3, "dropped": [], "class_counts": {"a": 3}})
    assert "not at its place any more" in page(store, tmp_path)


def test_a_damaged_record_of_cleaning_is_a_sentence_on_the_page(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    write_json(store.folder / "cleaning-0.json", {"source": 3, "n": "<b>"})
    assert "This record can't be shown" in page(store, tmp_path)


def test_one_hundred_classes_make_a_page_of_modest_size(tmp_path):
    store = make_store(tmp_path / "runs", 2, classes=tuple(f"class {i}" for i in range(100)), n=500)
    text = page(store, tmp_path)
    assert 'class="pixels"' in text
    assert len(text) < 1_500_000


def test_the_page_is_whole_or_the_old_one_stays(tmp_path, monkeypatch):
    store = make_store(tmp_path / "runs", 1)
    path = write(store, tmp_path / "page.html")
    before = path.read_bytes()
    shutil.rmtree(store.finished()[0].folder)
    with pytest.raises(UserError):
        write(store, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".tmp"] == []


def test_pictures_that_many_runs_keep_are_expanded_once(tmp_path, monkeypatch):
    store = make_store(tmp_path / "runs", 3)
    first, second, third = store.finished()
    shutil.copy(first.folder / "sample.npz", second.folder / "sample.npz")
    read = []
    arrays = Run._arrays
    monkeypatch.setattr(Run, "_arrays", lambda run, name: read.append((run.id, name))
                        or arrays(run, name))
    page(store, tmp_path)
    kept = {run for run, name in read if name == "sample"}
    assert third.id in kept
    assert len(kept & {first.id, second.id}) == 1
    for run in (first, second, third):
        images = run.sample()["images"]
        assert (images == arrays(run, "sample")["images"]).all()
        images[:] = 0  # whoever changes them changes their own
        assert run.sample()["images"].any()


def test_pictures_that_many_runs_keep_must_fit_each_of_them(tmp_path):
    store = make_store(tmp_path / "runs", 1)
    fewer = make_store(tmp_path / "others", 1, n=60).finished()[0]
    kept = store.finished()[0]
    shutil.copy(kept.folder / "sample.npz", fewer.folder / "sample.npz")
    assert len(kept.sample()["images"])
    with pytest.raises(UserError, match="position"):
        fewer.sample()
