"""The benchmarks' own arithmetic, and the page they write."""

from pathlib import Path

import pytest

from benchmarks import __main__ as page
from benchmarks import pairs


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


def test_a_part_that_is_measured_again_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    page.write(path, {"Growth": "old\n", "A sweep": "| a |\n|---|\n"})
    page.write(path, {**page.read(path), "Growth": "new\n"})
    assert page.read(path) == {"Growth": "new\n", "A sweep": "| a |\n|---|\n"}
    text = path.read_text()
    assert text.index("## A sweep") < text.index("## Growth")


def test_every_part_has_its_module() -> None:
    for name in page.PARTS:
        assert (Path(page.__file__).parent / f"{name}.py").is_file()


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(["speed"]) == 2
    assert "'speed'" in capsys.readouterr().err
