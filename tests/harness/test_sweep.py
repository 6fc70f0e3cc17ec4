"""Where a sweep's weights come from."""

from pathlib import Path

import pytest

from harness.sweep import find_weights
from zoo import UserError, weights
from zoo.table import backbone


@pytest.fixture(autouse=True)
def _nothing_to_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv(weights.MIRROR, raising=False)

    def no_network(*args: object) -> None:
        raise weights.NotFetched("there is no network")

    monkeypatch.setattr(weights, "download", no_network)


def test_only_auto_lets_the_demo_begin_with_random_weights(tmp_path: Path) -> None:
    vgg16 = backbone("vgg16")
    assert find_weights(vgg16, "auto", demo=True) == (None, {"origin": "random"})
    for wish in ("imagenet", "imagenett", str(tmp_path)):
        with pytest.raises(UserError):
            find_weights(vgg16, wish, demo=True)
    with pytest.raises(UserError):
        find_weights(vgg16, "auto", demo=False)


def test_a_damaged_file_is_said_on_the_demo_too(tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    file = backbone("vgg16").pretrained
    assert file is not None
    (tmp_path / file.name).write_bytes(b"no weights at all")
    monkeypatch.setenv(weights.MIRROR, str(tmp_path))
    with pytest.raises(UserError, match=file.name):
        find_weights(backbone("vgg16"), "auto", demo=True)
