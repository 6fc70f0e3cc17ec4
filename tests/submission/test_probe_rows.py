"""What the probe wrote is believed only where the probe may have written it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from submission import dryrun
from submission.confined import Ended
from submission.dryrun import DryRun, Facts, Limits
from submission.dryrun_rules import RULES
from submission.rule import find

GOOD = {"step": "large", "error": None, "seconds": 2.0, "peak": 1 << 30, "kind": "ndarray",
        "shape": [100], "type": "int64"}


def read(tmp_path: Path, *lines: str) -> DryRun:
    """What a dry run makes of these lines, its rules and its report included."""
    path = tmp_path / "probe.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    report = DryRun("x.zip", "", {}, Limits(), 48, seconds={"total": 3.0, "predict": 1.0})
    report.probe = dryrun.rows(path)
    dryrun.project(report)
    ended = Ended(0, None, 1.0, 0, "", "", (), {})
    report.findings = find(RULES, Facts(report, ended, ended, ended, True, True))
    json.dumps(report.to_json())
    return report


def test_time_is_projected_without_memory_if_a_step_is_missing(tmp_path: Path) -> None:
    report = read(tmp_path, json.dumps(GOOD))
    assert report.projected == {"images": 3500, "seconds": pytest.approx(2 + 70)}
    odd = json.dumps({**GOOD, "step": "odd", "peak": 1 << 29})
    assert "memory" in read(tmp_path, odd, json.dumps(GOOD)).projected


@pytest.mark.parametrize("changed", [
    {"step": []}, {"step": "single"}, {"step": "single 10"}, {"error": 5}, {"seconds": "x"},
    {"seconds": float("nan")}, {"seconds": 10**400}, {"shape": 5}, {"shape": ["x"]},
    {"shape": [10**400]}, {"peak": "x"}, {"kind": None}, {"labels": 5}, {"labels": [[]]}])
def test_rows_that_no_probe_writes_are_left_out(changed: dict[str, Any], tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps({**GOOD, **changed})).probe == []


def test_an_empty_answer_and_missing_labels_are_no_traceback(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps({**GOOD, "shape": [0]})).projected == {}
    rows = [{**GOOD, "step": "whole", "labels": [1]}, {**GOOD, "step": "single 2", "labels": [1]}]
    assert 208 in {f.number for f in read(tmp_path, *map(json.dumps, rows)).findings}


@pytest.mark.parametrize("line", ["[" * 100_000 + "}", '{"a":' * 100_000 + "}" * 100_000, "3}"])
def test_lines_that_are_no_rows_are_none(line: str, tmp_path: Path) -> None:
    assert read(tmp_path, line).probe == []


def test_a_deep_piece_of_a_row_is_left_out(tmp_path: Path) -> None:
    row = json.dumps(GOOD)[:-1] + ', "more": ' + "[" * 900 + "]" * 900 + "}"
    assert read(tmp_path, row).probe in ([GOOD], [])


def test_only_a_file_of_a_fair_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "probe.jsonl"
    path.symlink_to("/dev/zero")
    assert dryrun.rows(path) == []
    path.unlink()
    os.mkfifo(path)
    assert dryrun.rows(path) == []
    path.unlink()
    path.touch()
    os.truncate(path, 1 << 40)
    assert dryrun.rows(path) == []
