"""Files are whole or not there, on any file system."""

import errno
import os
import stat

import pytest

from zoo.errors import UserError
from zoo.files import read_json, write_json, write_text


def refuse(monkeypatch, call, code, kind):
    """Let ``os.fsync`` or ``os.open`` fail for what is of this kind."""
    kept = getattr(os, call)

    def failing(target, *args):
        if kind(os.stat(target).st_mode):
            raise OSError(code, os.strerror(code))
        return kept(target, *args)

    monkeypatch.setattr(os, call, failing)


@pytest.mark.parametrize("call", ["fsync", "open"])
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES,
                                  errno.EPERM])
def test_a_file_system_that_can_not_flush_folders_will_do(tmp_path, monkeypatch, call, code):
    refuse(monkeypatch, call, code, stat.S_ISDIR)
    write_text(tmp_path / "a.txt", "whole")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize("code, kind", [(errno.EIO, stat.S_ISDIR), (errno.ENOSPC, stat.S_ISDIR),
                                        (errno.EACCES, stat.S_ISREG)])
def test_other_faults_of_a_flush_are_sentences(tmp_path, monkeypatch, code, kind):
    refuse(monkeypatch, "fsync", code, kind)
    with pytest.raises(UserError, match="written"):
        write_text(tmp_path / "a.txt", "whole")


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_without_a_file_name_is_a_sentence(path):
    with pytest.raises(UserError, match="names no file"):
        write_text(path, "whole")


def test_a_folder_that_can_not_be_made_is_a_sentence(tmp_path, monkeypatch):
    def gone(*given, **more):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "mkdir", gone)
    with pytest.raises(UserError, match="can't be written"):
        write_text(tmp_path / "new" / "a.txt", "whole")


def test_file_names_that_are_no_utf_8_are_written_and_read_again(tmp_path):
    name = os.fsdecode(b"caf\xe9.npz")
    write_json(tmp_path / "a.json", {"file": name})
    assert read_json(tmp_path / "a.json") == {"file": name}
