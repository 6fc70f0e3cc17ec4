"""The notebook, executed as it stands but for its settings."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"
SMALL = '''
DATA = "contest.npz"
RUNS = "runs"
BACKBONES = ["smallcnn2"]
PROTOCOL = "quick"
SETTINGS = {"epochs_1": 1, "batch": 8}
'''


def notebook():
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_is_kept_without_outputs_and_each_step_is_explained():
    cells = notebook().cells
    assert all(not c.get("outputs") and c.get("execution_count") is None for c in cells)
    for before, cell in zip(cells, cells[1:], strict=False):
        assert cell.cell_type == "markdown" or before.cell_type == "markdown"


def test_the_best_run_is_one_of_the_data_that_the_notebook_names(tmp_path):
    from harness import read_leaderboard
    from tests.harness.fake_store import CLASSES, make_store

    make_store(tmp_path, 2, data_name="demo")
    run = make_store(tmp_path, 1, data_name="cells.npz", classes=CLASSES[:3], seed=1).finished()[-1]
    code = next(c.source for c in notebook().cells if c.source.startswith("board = "))
    names = {"read_leaderboard": read_leaderboard, "RUNS": tmp_path, "run": run}
    exec(code, names)  # noqa: S102
    assert {row["data_name"] for row in names["board"]} == {run.config["data"]["name"]}


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom_and_again(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    from tests.harness.conftest import tiny_contest

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    tiny_contest(tmp_path / "contest.npz")
    times = []
    for _ in range(2):
        book = notebook()
        settings = next(c for c in book.cells if "parameters" in c.metadata.get("tags", ()))
        settings.source = SMALL
        NotebookClient(book, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
        printed = [o.text for c in book.cells for o in c.get("outputs", ())
                   if o.output_type == "stream"]
        times.append(sorted(p.name for p in (tmp_path / "runs").iterdir() if p.is_dir()))
        assert any("forecast" in text for text in printed)
    assert times[0] == times[1], "the second time trained again"
    assert (tmp_path / "submission.zip").stat().st_size > 1000
    assert (tmp_path / "report.html").stat().st_size > 10_000
