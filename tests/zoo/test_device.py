"""What the hardware computes with."""

import pytest

from zoo import device


@pytest.mark.parametrize("flags, gpus, expected", [
    ({"avx2", "fma"}, (), "float32"), ({"avx512f", "avx512_vnni"}, (), "float32"),
    (set(), (), "float32"), ({"avx512_bf16"}, (), "bfloat16"), ({"amx_bf16"}, (), "bfloat16"),
    (set(), ("some GPU",), "bfloat16")])
def test_bfloat16_only_where_the_hardware_multiplies_it(monkeypatch, flags, gpus, expected):
    monkeypatch.setattr(device, "flags", lambda: frozenset(flags))
    monkeypatch.setattr(device, "gpus", lambda: gpus)
    assert device.number_type() == expected


def test_the_description_is_json():
    import json

    found = device.describe()
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1
    assert found["memory"] is None or found["memory"] > 1 << 28
    assert found["device"]
    assert found["number_type"] in ("float32", "bfloat16")
