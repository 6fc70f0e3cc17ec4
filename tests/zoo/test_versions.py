from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from zoo.versions import version


def test_a_module_has_the_version_of_whatever_distribution_brings_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "painted_cpu-1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: painted-cpu\nVersion: 1.2.3\n")
    (about / "top_level.txt").write_text("painted\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert version("painted") == version("painted-cpu") == "1.2.3"


def test_what_nothing_brings_is_said_to_be_missing() -> None:
    with pytest.raises(PackageNotFoundError):
        version("nothing-of-this-name")
