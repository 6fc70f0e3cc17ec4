"""The rules: each pitfall is caught by its rule, good zips of any style are left alone."""

import json
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
import zips
from broken_zips import BROKEN
from click.testing import CliRunner
from good_zips import GOOD
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.check import command
from submission import rules
from submission.archive import Archive, unsafe_name
from submission.checks import archive_rules, code_rules
from submission.checks.source import Source
from zoo.errors import UserError

PAGE = Path(__file__).parent.parent.parent / "docs" / "rules.md"


def numbers(path: Path) -> list[int]:
    return [f.number for f in rules.check(path)]


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_zip_is_caught_by_its_rule(name: str, tmp_path: Path) -> None:
    number, files = BROKEN[name]
    found = rules.check(zips.write(tmp_path / "broken.zip", files()))
    assert number in [f.number for f in found], found
    others = [f for f in rules.errors(found) if f.number != number]
    assert not others, others


@pytest.mark.parametrize("name", GOOD)
def test_a_good_zip_of_any_style_has_no_error_and_no_warning(name: str, tmp_path: Path) -> None:
    found = rules.check(zips.write(tmp_path / "good.zip", GOOD[name]()))
    assert not [f for f in found if f.severity != "note"], found


def test_there_are_enough_zips() -> None:
    assert len(BROKEN) >= 20
    assert len(GOOD) >= 10


def test_every_rule_that_looks_at_code_and_networks_has_a_broken_zip() -> None:
    covered = {number for number, _ in BROKEN.values()}
    special = {1, 2, 3, 5, 11, 14, 15, 21, 29, 33, 35, 47, 54, 55}  # tested below
    assert {r.number for r in rules.RULES} == covered | special


def test_numbers_are_unique_and_every_pitfall_has_a_rule_or_a_reason() -> None:
    every = [r for rows in rules.GROUPS.values() for r in rows]
    assert len({r.number for r in every}) == len(every)
    covered = {p for r in every for p in r.pitfalls}
    assert covered | set(rules.NOT_IN_A_ZIP) == set(range(1, 45))
    assert not covered & set(rules.NOT_IN_A_ZIP)


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == rules.markdown() + "\n"


# ---- the archive

def test_something_that_is_no_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert numbers(path) == [1]
    assert "Git LFS" in rules.check(path)[0].sentence
    path.write_bytes(b"")
    assert numbers(path) == [1]
    with pytest.raises(UserError, match="does not exist"):
        rules.check(tmp_path / "absent.zip")


def test_a_damaged_entry_is_found(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", zips.usual())
    content = bytearray(path.read_bytes())
    content[content.find(b"class Model") + 3] ^= 1
    path.write_bytes(content)
    assert 1 in numbers(path)


@pytest.mark.parametrize("start, why", [
    (b"Rar!\x1a\x07", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"\x1f\x8b\x08", ".gz"),
    (b"<!DOCTYPE html>", "web page"), (b"PK\3\4\x14\0", "its end is missing")])
def test_another_file_called_zip_is_told_by_its_kind(start: bytes, why: str, tmp_path: Path
                                                     ) -> None:
    (tmp_path / "x.zip").write_bytes(start + bytes(100))
    found = rules.check(tmp_path / "x.zip")
    assert [f.number for f in found] == [1]
    assert why in found[0].sentence


def test_a_method_that_python_has_not_is_told_from_damage(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {"weights.keras": "x", "model.py": zips.TEMPLATE})
    content = bytearray(path.read_bytes())
    content[8] = content[content.find(b"PK\1\2") + 10] = 9      # deflate64
    path.write_bytes(content)
    found = rules.check(path)
    assert [f.number for f in found] == [1]
    assert "method other than Deflate" in found[0].sentence


def test_names_that_begin_with_a_dot_are_at_the_root(tmp_path: Path) -> None:
    files = {f"./{name}": content for name, content in zips.usual().items()}
    path = zips.write(tmp_path / "x.zip", {**files, "run 12:30.txt": ""})
    assert numbers(path) == []
    with Archive(path) as archive:
        archive.unpack(tmp_path / "out")
    assert (tmp_path / "out" / "model.py").exists()


def test_backslashes_are_unpacked_as_the_platform_does(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {**zips.usual(), "nets\\a.txt": ""})
    with Archive(path) as archive:
        archive.unpack(tmp_path / "out")
    assert not (tmp_path / "out" / "nets").exists()


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil",
                                  "C:evil"])
def test_a_path_that_leaves_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {**zips.usual(), name: "x"})
    assert numbers(path) == [2]
    with pytest.raises(UserError, match="outside the folder"), Archive(path) as archive:
        archive.unpack(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [{"a": "x", "a/b": "y"}, {"x" * 300 + ".txt": "x"}])
def test_names_that_no_system_can_write_are_refused(more: zips.Files, tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {**zips.usual(), **more})
    assert numbers(path) == [2]
    with pytest.raises(UserError, match="is not unpacked"), Archive(path) as archive:
        archive.unpack(tmp_path / "out")


def test_a_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("weights.keras")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as z:
        z.writestr("model.py", zips.TEMPLATE)
        z.writestr(info, "/etc/passwd")
    assert numbers(tmp_path / "x.zip") == [2]


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as z:
        with z.open("weights.npz", "w", force_zip64=True) as f:
            for _ in range(80):
                f.write(bytes(1 << 20))
        z.writestr("model.py", zips.TEMPLATE)
    found = rules.check(tmp_path / "x.zip")
    assert [f.number for f in found] == [2]
    assert "would grow" in found[0].sentence


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {f"{i}.txt": "" for i in range(2001)})
    assert 2 in numbers(path)


def test_an_entry_that_lies_about_its_size_writes_no_more_than_it_said(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("model.py", b"a" * 5000)
    content = bytearray(path.read_bytes())
    where = content.rfind(b"PK\x01\x02") + 24
    content[where:where + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    with Archive(path) as archive, pytest.raises(UserError, match="damaged"):
        archive.unpack(tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_archives_get_their_warnings(tmp_path: Path) -> None:
    path = zips.write(tmp_path / ("long" * 20 + ".zip"), {
        **zips.usual(), "numpy.py": "", "net.pkl": b"x",
        "model.py": zips.usual()["model.py"].encode()})  # type: ignore[union-attr]
    with zipfile.ZipFile(path, "a") as z:
        z.writestr("weights.keras", b"other")
    assert {3, 14, 15, 55} <= set(numbers(path))


def test_a_large_zip_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_rules, "LARGE", 1000)
    assert 11 in numbers(zips.write(tmp_path / "x.zip", zips.usual()))


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    files = {**zips.usual(), "model.py": b"\xff\xfe\x00"}
    assert 5 in numbers(zips.write(tmp_path / "x.zip", files))


# ---- model.py

def sentences(source: str, tmp_path: Path) -> list[str]:
    path = zips.write(tmp_path / "x.zip", {"model.py": source, "weights.keras": zips.keras_file()})
    return [f"{f.number} {f.sentence}" for f in rules.check(path)]


def test_small_things_are_noted(tmp_path: Path) -> None:
    source = '''
import os
import keras
import numpy as np
class Model:
    def __init__(self):
        os.system("pip install x")
        self.model = keras.models.load_model("weights.keras")
        if os.path.exists("extra.npz"):
            self.extra = np.load("extra.npz")
    def predict(self, X):
        try:
            return np.argmax(self.model.predict(X), 1)
        except* ValueError:
            raise
'''
    found = sentences(source, tmp_path)
    assert {s.split()[0] for s in found} == {"21", "29", "33", "35"}, found


def test_lambda_and_convnext_are_noted(tmp_path: Path) -> None:
    config = zips.network(zips.layer("Lambda", function="f"),
                          zips.layer("Conv2D", name="convnext_tiny_stem"))
    found = rules.check(zips.write(tmp_path / "x.zip", zips.usual(config=config)))
    assert {f.number for f in found} == {47, 54}


@pytest.mark.parametrize("code", [
    "try:\n    IN_COLAB\nexcept NameError:\n    IN_COLAB = False",
    "x: int = 3\nprint([y for y in range(x)], {k: v for k, v in {}.items()})",
    "def f():\n    global counter\n    counter = 1\n    return counter",
    "from math import *\nprint(sin(pi))",
    "class A:\n    size = 3\n    twice = size * 2\n    def __init__(self): super().__init__()",
    "import numpy.random\nprint(numpy.random.rand, __file__, __name__, __doc__)",
    "def outer(a):\n    b = a\n    def inner(c=b):\n        nonlocal b\n        b = c",
    "with open(__file__) as f:\n    text = f.read()\nprint(text, *[1], **{})",
    "match [1, 2]:\n    case [first, *rest]:\n        print(first, rest)",
    "f = lambda q, *a, **k: (q, a, k)\nprint((z := 3), z)",
    "try:\n    pass\nexcept ValueError as problem:\n    print(problem)",
    "import os.path as p, sys\ndel sys\nfor i, (j, k) in []:\n    print(i, j, k, p)",
    "from __future__ import annotations\ndef f(x: Undefined) -> Other: return x\nf(1)",
    "def never(): return missing_but_never_called",
    "class B(dict):\n    def method(self): return missing_in_a_method_never_called",
])
def test_defined_names_are_not_called_undefined(code: str) -> None:
    source = Source(code + "\nclass Model:\n    def predict(self, X): return X\n")
    assert source.undefined == []


@pytest.mark.parametrize("code, name", [
    ("print(missing)", "missing"),
    ("def f():\n    return missing\nx = f()", "missing"),
    ("class A:\n    y = missing", "missing"),
    ("x = [missing for _ in range(3)]", "missing"),
    ("def f(a=missing): pass", "missing"),
    ("@missing\ndef f(): pass", "missing"),
])
def test_undefined_names_are_found(code: str, name: str) -> None:
    source = Source(code + "\nclass Model:\n    def predict(self, X): return X\n")
    assert [n for n, _ in source.undefined] == [name]


def test_a_network_whose_weights_alone_are_read_needs_no_old_keras(tmp_path: Path) -> None:
    newer = BROKEN["newer Keras"][1]()
    newer["model.py"] = str(newer["model.py"]).replace(
        "self.model = keras.models.load_model(", "self.model = keras.Sequential()\n"
        "        self.model.load_weights(")
    assert rules.check(zips.write(tmp_path / "x.zip", newer)) == []


def test_a_list_in_the_end_is_found_behind_other_bindings(tmp_path: Path) -> None:
    body = "p = self.model.predict(X).argmax(1)\nlabels, n = p, len(p)\nlabels = list(labels)\n" \
        "return labels"
    assert numbers(zips.write(tmp_path / "x.zip", zips.usual(body))) == [65]
    body = "labels = []\nlabels, n = self.model.predict(X).argmax(1), 0\nreturn labels"
    assert numbers(zips.write(tmp_path / "x.zip", zips.usual(body))) == []


def test_layers_of_an_imported_package_are_its_own_matter(tmp_path: Path) -> None:
    config = zips.network(zips.layer("RandAugment", module="keras_cv.layers",
                                     registered="keras_cv>RandAugment"))
    files = zips.usual(head=zips.HEAD + "\nimport keras_cv", config=config, version="3.5.0")
    found = rules.check(zips.write(tmp_path / "x.zip", files))
    assert not rules.errors(found), found
    assert {27, 41} <= {f.number for f in found}


def test_a_replaced_depthwise_layer_of_keras_2_is_no_error(tmp_path: Path) -> None:
    start = ("self.model = keras.models.load_model('net.h5', custom_objects={"
             "'DepthwiseConv2D': Depthwise})")
    head = zips.HEAD + "\n\nclass Depthwise(keras.layers.DepthwiseConv2D):\n    pass"
    config = zips.network(zips.layer("DepthwiseConv2D", groups=1))
    files = {"model.py": zips.predict(zips.ARGMAX, start, head),
             "net.h5": zips.h5_file(config, version="2.15.0")}
    assert numbers(zips.write(tmp_path / "x.zip", files)) == [57, 33]


@pytest.mark.parametrize("code", [
    "def f(a, b=1): return a\ndef g(f): return f(1, 2, 3)\ng(print)",
    "def f(a, *b, **c): return a\nf(1, 2, 3, d=4)",
    "def f(a, b): return a\nf(*[1, 2])\nf(**{'a': 1, 'b': 2})\nf(b=1, a=2)",
    "def f(a, /, *, b=2): return a\nf(1, b=3)",
    "import functools\n@functools.cache\ndef f(a): return a\nf(1)",
    "def f(a): return a\ndef g():\n    f = print\n    f(1, 2)\ng()",
])
def test_calls_that_fit_are_left_alone(code: str, tmp_path: Path) -> None:
    files = zips.usual(head=zips.HEAD + "\n" + code)
    assert rules.check(zips.write(tmp_path / "x.zip", files)) == []


@pytest.mark.parametrize("code", ["def f(a): return a\nf()", "def f(a): return a\nf(1, 2)",
                                  "def f(a, *, b): return a\nf(1)"])
def test_calls_that_do_not_fit_are_errors(code: str, tmp_path: Path) -> None:
    files = zips.usual(head=zips.HEAD + "\n" + code)
    assert numbers(zips.write(tmp_path / "x.zip", files)) == [36]


def test_a_model_made_elsewhere_is_trusted(tmp_path: Path) -> None:
    files = {"model.py": "from network import net\nModel = net()\n", "network.py": "net = object",
             "weights.keras": zips.keras_file()}
    assert not rules.errors(rules.check(zips.write(tmp_path / "x.zip", files)))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = zips.write(Path(folder) / "x.zip",
                          {"model.py": text.encode("utf-8", "surrogatepass")})
        rules.check(path)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_a_safe_name_stays_in_the_folder(name: str) -> None:
    if not unsafe_name(name):
        target = Path("/folder").joinpath(*name.replace("\\", "/").split("/"))
        assert "/folder" in str(target)
        assert ".." not in target.parts


def test_deep_configurations_end(tmp_path: Path) -> None:
    deep: dict = {"class_name": "Dense", "config": {}}
    for _ in range(150):
        deep = {"class_name": "Sequential", "config": {"layers": [deep]}}
    rules.check(zips.write(tmp_path / "x.zip", zips.usual(config=deep)))


def test_checking_runs_nothing_and_imports_no_tensorflow(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = zips.write(tmp_path / "x.zip", {
        "model.py": f"open({str(trap)!r}, 'w')\n" + zips.TEMPLATE,
        "weights.keras": zips.keras_file(), "weights.h5": zips.h5_file(zips.PLAIN)})
    code = ("import sys; from submission.rules import check; check(sys.argv[1]);"
            "print([m for m in ('tensorflow', 'keras', 'h5py', 'model') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    assert not trap.exists()


def test_well_known_packages_are_either_present_or_unproven() -> None:
    assert not code_rules.PRESENT & code_rules.UNPROVEN


# ---- the command

def test_the_command_tells_errors_by_its_code(tmp_path: Path) -> None:
    good = zips.write(tmp_path / "good.zip", GOOD["the organisers' template"]())
    bad = zips.write(tmp_path / "bad.zip", BROKEN["tensor"][1]())
    facts = tmp_path / "facts.json"
    assert CliRunner().invoke(command, [str(good)]).exit_code == 0
    done = CliRunner().invoke(command, [str(bad), "--json", str(facts)])
    assert done.exit_code == 1
    assert "tensor" in done.output
    told = json.loads(facts.read_text())
    assert told["ok"] is False
    assert told["findings"][0]["number"] == 62
    assert told["findings"][0]["severity"] == "error"
