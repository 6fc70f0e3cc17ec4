"""Zips that are made to do harm are refused by a sentence before they are unpacked."""

import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import zips

from submission import archive, rules
from zoo.errors import UserError


def refused(path: Path) -> str:
    """Why a zip is dangerous; it is unpacked neither."""
    found = rules.check(path)
    assert [f.number for f in found] == [2]
    with archive.Archive(path) as opened, pytest.raises(UserError, match="is not unpacked"):
        opened.unpack(path.parent / "out")
    assert not (path.parent / "out").exists()
    return found[0].sentence


def test_many_small_bombs_are_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("model.py", zips.TEMPLATE)
        for i in range(4):
            z.writestr(f"{i}.npz", bytes(archive.SAFE // 3))
    assert "would grow" in refused(tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["", "."])
def test_a_file_without_a_name_is_refused(name: str, tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", zips.usual())
    with zipfile.ZipFile(path, "a") as z:
        z.writestr(zipfile.ZipInfo(name), "x")
    assert "outside the folder" in refused(path)


CHAINS = ["'{0}{0}'.format(aN)", "'%s%s' % (aN, aN)", "aN + aN", "f'{aN}{aN}'", "[aN, aN]",
          "os.path.join(aN, aN)", "'" + "{0}" * 1000 + "'.format(aN)", "[aN][0] + [aN][0]"]


@pytest.mark.parametrize("start", [
    *("a0 = 'xx'\n" + "\n".join(f"a{i + 1} = {c.replace('aN', f'a{i}')}" for i in range(30))
      + "\nnp.load(a30 + '.npy')\nfor n in a30:\n    np.load(n)" for c in CHAINS),
    "for i in range(300):\n    for j in range(300):\n        for k in range(300):\n"
    "            np.load(f'{i}_{j}_{k}_{unknown()}.npy')",
    "[np.load(i + j + k + unknown()) for i in range(300) for j in range(300) for k in range(300)]",
    "\n".join(f"n{i} = n{i + 1} + n{i + 2}\nnp.load(n{i})" for i in range(999))])
def test_values_that_grow_without_end_are_given_up(start: str, tmp_path: Path) -> None:
    code = zips.predict("return X", start, "import os\nimport numpy as np\nunknown = os.getpid")
    path = zips.write(tmp_path / "x.zip", {"model.py": code})
    begun = time.process_time()
    tracemalloc.start()
    try:
        rules.check(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6
    assert time.process_time() - begun < 60      # seconds, under tracemalloc


@pytest.mark.parametrize("content, damaged", [
    (b"<!DOCTYPE html><title>Quota exceeded</title>", True), (zips.npz()[:150], True),
    (zips.npz(), False), (b"\x93NUMPY" + bytes(99), False)])
def test_arrays_that_cannot_be_read_are_named(content: bytes, damaged: bool, tmp_path: Path
                                              ) -> None:
    files = {"model.py": zips.predict("return self.w.argmax(1)", "self.w = np.load('w.npz')"),
             "w.npz": content}
    found = rules.errors(rules.check(zips.write(tmp_path / "x.zip", files)))
    assert [f.number for f in found] == [8] * damaged
