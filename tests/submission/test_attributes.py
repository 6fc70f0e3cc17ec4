"""An attribute of Model that nothing gives is an error; one that is given in any way is none."""

import textwrap
from pathlib import Path

import pytest
import zips

from submission import rules

PREDICT = "def predict(self, X):\n    return self.model.predict(X).argmax(1)\n"


STEPS = """
STEPS = []

def step(method):
    STEPS.append(method)
    return method
"""


def errors(body: str, folder: Path) -> list[int]:
    code = zips.HEAD + STEPS + "\nclass Model:\n" + textwrap.indent(body + "\n" + PREDICT, "    ")
    path = zips.write(folder / "x.zip", {"model.py": code, "weights.keras": zips.keras_file()})
    return [f.number for f in rules.errors(rules.check(path))]


@pytest.mark.parametrize("body", [
    "def __init__(self):\n    model = keras.models.load_model('weights.keras')",
    "def _init_(self):\n    self.model = 1", "def __int__(self):\n    self.model = 1",
    "def __init___(self):\n    self.model = 1", "def setup(self):\n    self.model = 1",
    "def __init__(self, model=None):\n    pass"])
def test_what_nothing_gives_is_an_error(body: str, tmp_path: Path) -> None:
    assert errors(body, tmp_path) == [25]


@pytest.mark.parametrize("body", [
    "def __init__(self):\n    self.setup()\ndef setup(self):\n    self.model = 1",
    "def __init__(self):\n    getattr(self, 'set' + 'up')()\ndef setup(self):\n    self.model = 1",
    "model = keras.Sequential()", "model: keras.Model = keras.Sequential()",
    "from os import path as model", "def __new__(cls):\n    cls.model = 1",
    "@property\ndef model(self):\n    return 1", "for model in [1]:\n    pass",
    "def __init__(self):\n    for self.model in [1]:\n        pass",
    "@step\ndef build_net(self):\n    self.model = 1",
    "def __init__(self):\n    for n in dir(self):\n        if n.startswith('init_'):\n"
    "            self.__getattribute__(n)()\ndef init_net(self):\n    self.model = 1",
    "def __init__(self):\n    import inspect\n    for n, f in inspect.getmembers(self):\n"
    "        if n.startswith('init_'):\n            f()\ndef init_net(self):\n"
    "    self.model = 1",
    "def __init__(self):\n    import operator\n    operator.methodcaller('init_' + 'net')(self)\n"
    "def init_net(self):\n    self.model = 1",
    "if True:\n    model = 1", "with open(__file__) as model:\n    pass"])
def test_what_is_given_in_any_way_is_none(body: str, tmp_path: Path) -> None:
    assert 25 not in errors(body, tmp_path)
