"""What the hardware computes with."""

import pytest

from zoo import device

P100, T4, A100, H100 = ({"device_name": "NVIDIA's", "compute_capability": version}
                        for version in ((6, 0), (7, 5), (8, 0), (9, 0)))
METAL = {"device_name": "METAL"}


@pytest.mark.parametrize("flags, gpus, expected", [
    ({"avx2", "fma"}, (), "float32"), ({"avx512f", "avx512_vnni"}, (), "float32"),
    (set(), (), "float32"), ({"avx512_bf16"}, (), "bfloat16"), ({"amx_bf16"}, (), "bfloat16"),
    (set(), (A100,), "bfloat16"), (set(), (H100, A100), "bfloat16"),
    ({"amx_bf16"}, (T4,), "float32"), (set(), (P100,), "float32"), (set(), (H100, T4), "float32"),
    (set(), (METAL,), "float32")])
def test_bfloat16_only_where_the_hardware_multiplies_it(monkeypatch, flags, gpus, expected):
    monkeypatch.setattr(device, "flags", lambda: frozenset(flags))
    monkeypatch.setattr(device, "details", lambda: gpus)
    assert device.number_type() == expected
    assert device.gpus() == tuple(gpu["device_name"] for gpu in gpus)


@pytest.mark.parametrize("named, expected", [
    ("0,1", ("0", "1")), ("GPU-1f, 3", ("GPU-1f", "3")), ("2,-1,3", ("2",)), ("", ()),
    ("-1", ()), (None, ("0", "1", "2"))])
def test_gpus_are_those_that_the_environment_names_else_the_drivers(monkeypatch, tmp_path, named,
                                                                   expected):
    for address in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / address).mkdir()
    monkeypatch.setattr(device, "DRIVER", tmp_path)
    monkeypatch.delenv(device.VISIBLE, raising=False)
    if named is not None:
        monkeypatch.setenv(device.VISIBLE, named)
    assert device.listed_gpus() == expected


@pytest.mark.parametrize("listed, program, expected", [
    (("4", "5"), "print('a warning'); print(2)", ("4", "5")), (("4", "5"), "print(0)", ()),
    (("4", "5", "6"), "print(2)", ("4", "5")), (("4", "5"), "raise SystemExit(1)", ()),
    (("4",), "raise SystemExit(1)", ()), ((), "raise SystemExit(1)", ())])
def test_several_gpus_are_those_that_tensorflow_can_use(monkeypatch, listed, program, expected):
    monkeypatch.setattr(device, "listed_gpus", lambda: listed)
    monkeypatch.setattr(device, "COUNT", program)
    assert device.several_gpus.__wrapped__() == expected


def test_the_description_is_json():
    import json

    found = device.describe()
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1
    assert found["memory"] is None or found["memory"] > 1 << 28
    assert found["device"]
    assert found["number_type"] in ("float32", "bfloat16")
