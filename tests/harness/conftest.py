"""A tiny contest, and a store that the whole line has filled from it."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli import main as cli

SMALL = ["--protocol", "quick", "--set", "epochs_1=2", "--set", "epochs_2=1", "--set", "batch=8"]


def tiny_contest(path: Path, n: int = 60, side: int = 32, seed: int = 0) -> Path:
    """An npz with three easily told classes, labels (n, 1), one exact copy and one polluter."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 120, (n, side, side, 3), dtype=np.uint8)
    for k in range(3):
        images[labels == k, :, :, k] += 100
    copy, polluter = images[:1], np.repeat(255 - images[:1], 4, 0)
    images = np.concatenate([images, copy, polluter])
    labels = np.concatenate([labels, labels[:1], [0, 1, 2, 0]])
    np.savez(path, images=images, labels=labels[:, None])
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def harness(*arguments: str) -> Result:
    """Run a command in this process, errors turned into sentences as on the command line."""
    import click

    @click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True,
                                     "help_option_names": []})
    @click.pass_context
    def run(context: click.Context) -> None:
        cli.main(context.args)

    return CliRunner().invoke(run, list(arguments))


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny contest was trained on two backbones, and tested."""
    folder = tmp_path_factory.mktemp("line")
    tiny_contest(folder / "contest.npz")
    tiny_contest(folder / "shifted.npz", 24, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        result = harness("zoo", "--data", "contest.npz", "--test", "shifted.npz", "--backbones",
                         "smallcnn2 mobilenetv2", "--weights", "none", *SMALL,
                         "--json", "facts.json")
    assert result.exit_code == 0, result.output
    (folder / "output.txt").write_text(result.output, encoding="utf-8")
    return folder
