"""The benchmarks' own arithmetic, and the page they write."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as page
from benchmarks import limit, pairs, steps, sweep


def test_the_ratio_is_the_median_of_the_rounds_and_its_range() -> None:
    found = pairs.summary([(4.0, 1.0), (9.0, 3.0), (10.0, 1.0)])
    assert (found["ratio"], found["low"], found["high"]) == (4.0, 3.0, 10.0)
    assert (found["plain"], found["ours"]) == (9.0, 1.0)
    assert pairs.spread(found) == "4.00 (3.00-10.00)"


def test_both_ways_run_in_turn_and_warm_up_first() -> None:
    ran: list[str] = []
    pairs.ratio(lambda: ran.append("plain") or sum(range(10_000)),
                lambda: ran.append("ours") or sum(range(10_000)), 2)
    assert ran == ["plain", "ours"] * 3


def test_the_ceiling_counts_every_pass_of_both_ways() -> None:
    # Trunk 10, tail 2, one epoch a stage, one view, 4 pictures to learn from and 1 to judge by.
    plain = 5 * 12 + (4 * (12 + 4) + 1 * 12) + 12
    cached = 2 * 5 * 12 + (4 * 6 + 2 * 2) + 12
    assert sweep.work(10, 2, 1, 1, 4, 1) == (plain, cached)


def test_more_epochs_raise_the_ceiling_and_the_tail_bounds_it() -> None:
    found = [sweep.ceiling(sweep.Case("smallcnn3", epochs, 100), 16, 80, 20)
             for epochs in (1, 30, 10**6, 10**9)]
    assert found[0] < 1 < found[1] < found[2]
    assert found[3] == pytest.approx(found[2], rel=1e-3)


@pytest.mark.slow
def test_the_sweep_of_a_tiny_case_runs_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SIDE", 64)
    row, = sweep.measure((sweep.Case("smallcnn3", 1, 40),), seeds=1, source="demo")
    assert (row["pictures"], row["data"], row["epochs"]) == (40, "demo", "1 + 1")
    assert row["ceiling"] > 0
    assert "->" in row["accuracy"]


@pytest.mark.slow
def test_both_take_training_steps() -> None:
    row, mean = steps.measure(("smallcnn3",), rounds=1)
    assert row["plain"] / 100 < row["ours"] < row["plain"] * 100
    assert mean["ratio"] == pytest.approx(row["ratio"])


def test_the_share_of_the_limit_is_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "limit", lambda number_type: 4e9)
    cost = limit.cost("smallcnn2", 16)
    assert limit.share("smallcnn2", 16, 1e9 / cost, "float32") == pytest.approx(0.25)


def test_a_small_process_of_a_large_one_has_a_small_peak() -> None:
    held = np.ones(50 << 20)  # 400 MB
    done = subprocess.run([sys.executable, "-c", "from zoo.device import peak_memory; "
                           "print(peak_memory())"], cwd=Path(page.__file__).parents[1],
                          capture_output=True, text=True, check=True)
    assert held.sum() > 0
    assert 1 < float(done.stdout) < 100


def test_a_part_that_is_measured_again_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    page.write(path, {"Growth": "old\n", "A sweep": "| a |\n|---|\n"})
    page.write(path, {**page.read(path), "Growth": "new\n"})
    assert page.read(path) == {"Growth": "new\n", "A sweep": "| a |\n|---|\n"}
    text = path.read_text()
    assert text.index("## A sweep") < text.index("## Growth")


def test_every_part_can_be_measured() -> None:
    for name in page.PARTS:
        assert callable(importlib.import_module(f"benchmarks.{name}").measure)


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(["speed"]) == 2
    assert "'speed'" in capsys.readouterr().err
