"""Runtimes: built once with pip, kept, and refused with a sentence."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from submission import runtimes
from zoo.errors import UserError


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees nothing but a folder of ours, and runtimes go into another."""
    monkeypatch.setenv(runtimes.FOLDER, str(tmp_path / "runtimes"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "wheels").mkdir()
    return tmp_path


def wheel(folder: Path) -> None:
    """The smallest package that pip installs."""
    about = "tinypack-1.0.dist-info"
    with zipfile.ZipFile(folder / "tinypack-1.0-py3-none-any.whl", "w") as z:
        z.writestr("tinypack.py", "value = 42\n")
        z.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tinypack\nVersion: 1.0\n")
        z.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
                                     "Tag: py3-none-any\n")
        z.writestr(f"{about}/RECORD", f"tinypack.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n"
                                      f"{about}/RECORD,,\n")


def test_a_runtime_is_built_once_and_used_again(offline: Path) -> None:
    wheel(offline / "wheels")
    python = runtimes.python_of("tinypack==1.0")
    told = subprocess.run([python, "-c", "import tinypack; print(tinypack.value)"],
                          capture_output=True, text=True)
    assert told.stdout.strip() == "42"
    (offline / "wheels" / "tinypack-1.0-py3-none-any.whl").unlink()
    assert runtimes.python_of(" tinypack==1.0 ,") == python
    assert "python" in runtimes.versions(python)
    assert "tensorflow" not in runtimes.versions(python)


def test_what_pip_cannot_find_is_a_sentence_and_leaves_nothing(offline: Path) -> None:
    with pytest.raises(UserError, match="can't be built .*absentpack"):
        runtimes.python_of("absentpack==9.9")
    assert not [p for p in (offline / "runtimes").iterdir() if p.is_dir()]


def test_a_half_built_runtime_is_built_again(offline: Path) -> None:
    wheel(offline / "wheels")
    folder = runtimes.environments() / runtimes.name_of(["tinypack==1.0"])
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("broken")
    python = runtimes.python_of("tinypack==1.0")
    assert subprocess.run([python, "-c", "import tinypack"]).returncode == 0


@pytest.mark.parametrize("text", ["tensorflow", "tensorflow>=2", "", "a==1 --index-url=x",
                                  "a==1,-r x.txt", "git+https://x", "../x==1"])
def test_a_runtime_that_is_no_list_of_versions_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="NAME==VERSION"):
        runtimes.python_of(text)


def test_no_runtime_is_this_python() -> None:
    import sys

    assert runtimes.python_of(None) == sys.executable


def test_order_and_blanks_name_the_same_runtime() -> None:
    one = runtimes.requirements("keras==3.4.1, tensorflow==2.17.0")
    assert one == runtimes.requirements("tensorflow==2.17.0,keras==3.4.1")
    assert runtimes.name_of(one) != runtimes.name_of(["keras==3.4.1"])
