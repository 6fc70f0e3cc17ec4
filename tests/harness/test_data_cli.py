"""harness clean, as people and programs see it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.clean import command
from harness.data import demo


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """120 cells; 0..29 are one foreign picture, 30 and 31 are one cell."""
    images, labels = demo.cells(120, np.random.default_rng(7), demo.HOME)
    images[:30] = demo.face()
    images[31], labels[31] = images[30], labels[30]
    path = tmp_path_factory.mktemp("data") / "cells.npz"
    np.savez(path, images=images, labels=labels[:, None])
    return path


def run(*args):
    return CliRunner().invoke(command, [str(a) for a in args])


def test_the_json_has_all_that_was_found(file, tmp_path):
    result = run(file, "--json", tmp_path / "found.json", "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert {"n", "dropped", "groups", "outliers", "suspected_labels", "class_counts",
            "content_hash"} == set(found)
    assert found["n"] == 120
    gone = {r["index"]: r for r in found["dropped"]}
    assert all(gone[i]["reason"] == "pollution" for i in range(30))
    assert gone[31] == {"index": 31, "reason": "duplicate", "twin": 30}
    assert sum(found["class_counts"].values()) == 120 - len(gone)
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        "balance.png", "outliers.png", "contact-sheet.png"}
    assert "Next: harness zoo --data" in result.output


def test_keep_and_drop_overrule_what_was_found(file, tmp_path):
    (tmp_path / "keep.txt").write_text("0\n", encoding="utf-8-sig")     # as Windows writes it
    (tmp_path / "drop.txt").write_text("50\n51\n")
    run(file, "--json", tmp_path / "found.json", "--keep", tmp_path / "keep.txt",
        "--drop", tmp_path / "drop.txt")
    gone = {r["index"]: r["reason"]
            for r in json.loads((tmp_path / "found.json").read_text())["dropped"]}
    assert 0 not in gone
    assert gone[1] == "pollution"
    assert gone[50] == gone[51] == "asked"
    run(file, "--json", tmp_path / "again.json", "--keep", "0", "--drop", "50,51")
    assert json.loads((tmp_path / "again.json").read_text())["dropped"] == \
        json.loads((tmp_path / "found.json").read_text())["dropped"]


def test_a_class_name_that_looks_like_a_formula_is_drawn_as_it_is(file, tmp_path):
    with np.load(file) as z:
        names = ["$a^$", "\\$x_$", *map(str, range(2, z["labels"].max() + 1))]
        np.savez(tmp_path / "named.npz", images=z["images"], labels=z["labels"], class_names=names)
    result = run(tmp_path / "named.npz", "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "figures" / "balance.png").exists()


@pytest.mark.filterwarnings("error")
def test_class_names_in_another_script_are_drawn_without_a_warning(file, tmp_path):
    with np.load(file) as z:
        np.savez(tmp_path / "a.npz", **z, class_names=list("単球中血小板核胞"))
    result = run(tmp_path / "a.npz", "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output


def test_a_sweep_is_said_to_keep_its_own_limit_for_outliers(file):
    assert "A sweep drops outliers as" not in run(file).output
    assert "A sweep drops outliers as --outliers 8" in run(file, "--outliers", "5").output
