"""Damaged and hostile data files end in one sentence."""

import numpy as np
import pytest

from harness.cli.main import main
from harness.data.sources import load
from tests.attacks import datafiles
from zoo.errors import UserError


def test_every_hostile_file_is_refused_with_one_sentence_that_names_it(tmp_path):
    path, count = tmp_path / "data.npz", 0
    for name, content in datafiles.hostile():
        path.write_bytes(content)
        with pytest.raises(UserError, match="data.npz") as refused:
            load(path)
        assert "\n" not in str(refused.value), name
        count += 1
    assert count >= 250


def test_a_good_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "data.npz"
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
    path.write_bytes(datafiles.npz(images=images, labels=np.arange(12)[:, None] % 3))
    data = load(path)
    assert (data.images == images).all()
    assert data.labels.tolist() == [0, 1, 2] * 4


def test_a_zip_bomb_is_refused_before_it_expands(tmp_path):
    datafiles.bomb(tmp_path / "bomb.npz")
    with pytest.raises(UserError, match="zip bomb"):
        load(tmp_path / "bomb.npz")


def test_the_command_ends_with_code_2(tmp_path, capsys):
    (tmp_path / "data.npz").write_bytes(b"garbage")
    with pytest.raises(SystemExit) as end:
        main(["clean", str(tmp_path / "data.npz")])
    assert end.value.code == 2
    assert "not an npz file" in capsys.readouterr().err
