"""Strangers' zips: neither their list of files nor a file fills the memory."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from submission import rules
from submission.unpack import unpack
from zoo.classifier import refuse_bomb
from zoo.errors import UserError
from zoo.zips import LIST, Zip


def zipped(path: Path, method: int, size: int = 1000) -> Path:
    with zipfile.ZipFile(path, "w", method) as z, z.open("a", "w") as f:
        for start in range(0, size, 1 << 20):
            f.write(bytes(min(1 << 20, size - start)))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_plain_zips_are_read(method: int, tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", method)
    with Zip(path) as z, z.open("a") as f:
        assert f.read() == bytes(1000)
    with path.open("rb") as file:
        with Zip(file) as z:
            assert z.read("a") == bytes(1000)
        assert not file.closed


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_expands_without_a_bound_is_refused(method: int, tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", method, 100 << 20)
    content = bytearray(path.read_bytes())
    where = content.rfind(b"PK\x01\x02") + 24       # it says that it is small
    content[where:where + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    tracemalloc.start()
    with Zip(path) as z, pytest.raises(zipfile.BadZipFile, match="other than Deflate"):
        z.open("a")
    assert [f.number for f in rules.check(path)][:1] == [1]
    with path.open("rb") as file, pytest.raises(UserError, match="other than Deflate"):
        unpack(file, tmp_path / "out")
    with pytest.raises(ValueError, match="damaged"):
        refuse_bomb(path)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def test_a_list_of_files_that_is_too_long_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        for i in range(LIST // 60000 + 1):
            info = zipfile.ZipInfo(str(i))
            info.comment = bytes(60000)
            z.writestr(info, "")
    with pytest.raises(zipfile.BadZipFile, match="list of files"):
        Zip(stream)
    path = tmp_path / "x.zip"
    path.write_bytes(stream.getvalue())
    assert [f.number for f in rules.check(path)] == [1]
