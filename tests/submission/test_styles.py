"""Other people's ways to write a model.py: what works is left alone, what doesn't is caught."""

import time
from pathlib import Path

import pytest
import zips

from submission import rules


def found(files: zips.Files, folder: Path) -> list[tuple[int, str]]:
    """(number, severity) of what is more than a note."""
    path = zips.write(folder / "x.zip", files)
    return [(f.number, f.severity) for f in rules.check(path) if f.severity != "note"]


def headed(code: str) -> zips.Files:
    return zips.usual(head=zips.HEAD + "\n" + code)


def helped(helper: str | bytes, start: str = "self.model = load()",
           head: str = "import numpy as np\nfrom helper import load") -> zips.Files:
    return {**zips.usual(start=start, head=head), "helper.py": helper}


LOADER = "import keras\ndef load():\n    return keras.models.load_model('weights.keras')\n"
INSIDE = zips.predict(zips.ARGMAX, zips.LOAD, zips.HEAD)
OVERRIDDEN = zips.predict("return self.labels(X)", zips.LOAD, zips.HEAD).replace(
    "class Model", "class Base") + """
    def labels(self, X):
        return []

class Model(Base):
    def labels(self, X):
        return self.model.predict(X).argmax(1)
"""
OTHER_NET = """
class Wrapper:
    def predict(self, X):
        return X.tolist()

class Picker:
    def __init__(self, net=None):
        self.inner = net
    def predict(self, X):
        return self.inner.predict(X).argmin(1)

def unrelated():
    net = Wrapper()
    return net
"""


def own_loader(head: str) -> zips.Files:
    """A model.py whose load_model is none of Keras', and what that opens."""
    return {"model.py": zips.predict("return (X.mean((1, 2)) @ self.w).argmax(1)",
                                     "self.w = load_model('weights.npz')",
                                     "import numpy as np\n" + head),
            "helper.py": "import numpy as np\ndef load_model(path):\n"
                         "    return np.load(path)['w']\n", "weights.npz": zips.npz()}


GOOD = {
    "Latin-1": {**zips.usual(),
                "model.py": ("# coding: latin-1\n# è\n" + INSIDE).encode("latin-1")},
    "helper with a byte order mark": helped(b"\xef\xbb\xbf" + LOADER.replace(
        "\n", "\r\n").encode()),
    "helper in Latin-1": helped(("# coding: latin-1\nperché = 1\n" + LOADER).encode("latin-1")),
    "carriage returns": {**zips.usual(), "model.py": INSIDE.replace("\n", "\r")},
    "everything from another file": {**zips.usual(), "model.py": "from net import *\n",
                                     "net.py": INSIDE},
    "another name for a class": {**zips.usual(), "model.py": INSIDE.replace(
        "class Model", "class Cells") + "\nModel = Cells\n"},
    "in Colab only": headed("import sys\nif 'google.colab' in sys.modules:\n"
                            "    from google.colab import drive"),
    "for annotations only": headed("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
                                   "    from my_types import Batch"),
    "a failing import suppressed": headed("import contextlib\nwith contextlib.suppress("
                                          "ImportError):\n    import my_fast_ops"),
    "packages in a wheel": {**headed("import sys\nsys.path.append('small-1.0.whl')\nimport small"),
                            "small-1.0.whl": b"PK"},
    "a function completed": zips.usual(
        "return labels(self.model.predict(X))", head=zips.HEAD + "\nfrom functools import partial\n"
        "def labels(axis, p):\n    return np.argmax(p, axis)\nlabels = partial(labels, 1)"),
    "a function completed later": zips.usual(
        "return run(X)", zips.LOAD + "\nglobal run\nrun = partial(run, self.model)",
        zips.HEAD + "\nfrom functools import partial\ndef run(model, x):\n"
        "    return np.argmax(model.predict(x), 1)"),
    "a method replaced": {**zips.usual(), "model.py": zips.predict(
        "return self.run(X, 1)", zips.LOAD + "\nself.run: object = lambda x, axis: "
        "self.model.predict(x).argmax(axis)", zips.HEAD) + "\n    def run(self, x): pass\n"},
    "predict written twice": {**zips.usual(), "model.py": zips.predict(
        "return self.model.predict(X)", zips.LOAD, zips.HEAD)
        + "\n    def predict(self, X):\n        return self.model.predict(X).argmax(1)\n"},
    "predict made in the constructor": {
        **zips.usual(), "model.py": zips.HEAD + "\nclass Model:\n    def __init__(self):\n"
        "        net = keras.models.load_model(Path(__file__).parent / 'weights.keras')\n"
        "        self.predict = lambda X: np.argmax(net.predict(X), axis=1)\n"},
    "predict of another object": {
        **zips.usual(), "model.py": INSIDE.replace("class Model", "class Net") +
        "\nclass Model:\n    net = Net()\n    def __getattr__(self, name):\n"
        "        return getattr(self.net, name)\n"},
    "a list for no pictures": zips.usual("if len(X) == 0:\n    return []\n" + zips.ARGMAX),
    "a list if wanted": {**zips.usual(), "model.py": zips.predict(
        "y = self.model.predict(X).argmax(1)\nif aslist:\n    return y.tolist()\nreturn y",
        zips.LOAD, zips.HEAD).replace("self, X", "self, X, aslist=False")},
    "a tensor, if it is none": zips.usual(
        "y = tf.argmax(self.model.predict(X), 1)\nif hasattr(y, 'numpy'):\n    return y.numpy()\n"
        "return y"),
    "a decorator makes it an array": {**zips.usual(), "model.py": INSIDE.replace(
        "return np.argmax", "return tf.argmax").replace(
        "    def predict", "    @as_array\n    def predict").replace(
        "class Model", "def as_array(f):\n    return lambda *a: f(*a).numpy()\n\nclass Model")},
    "one picture": zips.usual("if X.ndim == 3:\n    return np.argmax(self.model.predict(X[None]))\n"
                              + zips.ARGMAX),
    "each picture's own mean": zips.usual("X = X - X.mean((1, 2, 3), keepdims=True)\n"
                                          + zips.ARGMAX),
    "a match": zips.usual("p = self.model.predict(X)\nmatch p.ndim:\n    case 2:\n"
                          "        return p.argmax(1)\n    case _:\n        return p.astype(int)"),
    "a SavedModel in a zip": {"model.py": zips.predict(
        "return np.argmax(self.net.serve(tf.cast(X, tf.float32)).numpy(), 1)",
        "import shutil\nshutil.unpack_archive('net.zip', '/tmp/net')\n"
        "self.net = tf.saved_model.load('/tmp/net/export')", zips.HEAD), "net.zip": b"PK"},
    "attributes given elsewhere": {**zips.usual(), "model.py": zips.predict(
        "class Inner(keras.layers.Layer):\n    def call(self, x):\n        self.add_loss(x)\n"
        "return self.net.predict(X).argmax(self.axis if hasattr(self, 'axis') else 1)",
        "equip(self)", zips.HEAD + "\nfrom tools import equip"), "tools.py": "import keras\n"
        "def equip(model):\n    model.net = keras.models.load_model('weights.keras')\n"},
    "divided as floats": zips.usual("X = X.astype('float32')\nX /= 255.0\n" + zips.ARGMAX),
    "a loader of its own, this way or that": own_loader(
        "if __package__:\n    from .helper import load_model\nelse:\n"
        "    from helper import load_model"),
    "a loader of its own, tried": own_loader(
        "try:\n    from .helper import load_model\nexcept ImportError:\n"
        "    from helper import load_model"),
    "a loader of its own, cached": own_loader(
        "import functools\ndef load_model(path):\n    return np.load(path)['w']\n"
        "load_model = functools.lru_cache(load_model)"),
    "a loader of its own, chosen": own_loader(
        "import os\nif os.name == 'posix':\n    def load_model(path):\n"
        "        return np.load(path)['w']\nelse:\n    load_model = None"),
    "attributes given by a helper's setattr": {**zips.usual(
        "return self.net.predict(X).argmax(1)", "helper.attach(self)",
        zips.HEAD + "\nimport helper"), "helper.py": "import keras\ndef attach(model):\n"
        "    setattr(model, 'n' + 'et', keras.models.load_model('weights.keras'))\n"},
    "an import in the class": {**zips.usual(), "model.py": INSIDE.replace(
        "return np.", "return self.np.").replace(
            "class Model:", "class Model:\n    import numpy as np\n    import os.path\n").replace(
            "self.model =", "self.here = self.os.getcwd()\n        self.model =")},
    "a function with a self of its own": zips.usual(start=zips.LOAD + (
        "\ndef call(self, x):\n    return x @ self.kernel\n"
        "self.model.layers[-1].call = types.MethodType(call, self.model.layers[-1])"),
        head=zips.HEAD + "\nimport types"),
    "a method that Model replaces": {**zips.usual(), "model.py": OVERRIDDEN},
    "a network that Model replaces": {**zips.usual(), "model.py": OVERRIDDEN.replace(
        "return self.labels(X)", "return self.net.predict(X)").replace(
        "self.model = ", "self.net = self.labels(0)\n        self.model = ").replace(
        "return []", "return keras.Sequential()").replace(
        "return self.model.predict(X).argmax(1)", "return Picker()") + OTHER_NET},
    "another variable of that name": zips.usual(
        "return label(self.model, X)", head=zips.HEAD + "\n" + OTHER_NET +
        "def label(net, X):\n    return net.predict(X)\n"),
    "a variable of a loop": zips.usual(
        "for net in [Picker(self.model)]:\n    pass\nreturn net.predict(X)",
        head=zips.HEAD + "\n" + OTHER_NET),
    "a compiled module": {**headed("import fast\nimport quick"), "fast.abi3.so": b"ELF",
                          "quick.cpython-310-x86_64-linux-gnu.so": b"ELF"},
    "a path with dots": {**zips.usual(start="self.model = keras.models.load_model("
                                            "Path(__file__).parent / 'src/../weights.keras')")},
}


@pytest.mark.parametrize("name", GOOD)
def test_what_works_is_left_alone(name: str, tmp_path: Path) -> None:
    assert found(GOOD[name], tmp_path) == []


def test_a_file_called_as_one_of_pythons_is_only_warned_of(tmp_path: Path) -> None:
    files = {**headed("from heapq import heapify\nheapify([1])"), "heapq.py": "import os\n"}
    assert found(files, tmp_path) == [(15, "warning")]


@pytest.mark.parametrize("alias", ["load_model = keras.models.load_model",
                                   "def load():\n    return load_model('weights.npz')"])
def test_kerass_own_loader_by_another_way_is_still_read(alias: str, tmp_path: Path) -> None:
    files = own_loader("import keras\nfrom tensorflow.keras.models import *\n" + alias)
    del files["helper.py"]
    assert (52, "error") in found(files, tmp_path)


@pytest.mark.parametrize("code", [
    "class Net:\n    class Model:\n        def predict(self, X):\n            return X\n",
    "def make():\n    class Model:\n        def predict(self, X):\n            return X\n"])
def test_a_model_inside_something_else_is_none(code: str, tmp_path: Path) -> None:
    assert (22, "error") in found({**zips.usual(), "model.py": code}, tmp_path)


@pytest.mark.parametrize("code, why", [
    ("def f(x, x):\n    return x\n", "duplicate argument"),
    ("def f():\n    net = 1\n    global net\n", "global declaration"),
    ("return 1\n", "outside function"), ("if 1:\n    await x\n", "outside function"),
    ("continue\n", "in loop"), ("class A:\n    yield 1\n", "outside function"),
    ("*a = [1]\n", "starred assignment"), ("from __future__ import annotations\n", "beginning"),
    ("x = " + "-" * 100_000 + "1\n", "too")])
@pytest.mark.parametrize("file", ["model.py", "helper.py"])
def test_what_parses_but_does_not_compile_is_no_python(file: str, code: str, why: str,
                                                       tmp_path: Path) -> None:
    files = helped(LOADER)
    files[file] = str(files[file]) + "\n" + code
    assert (20, "error") in found(files, tmp_path)
    told = [f.sentence for f in rules.check(tmp_path / "x.zip") if f.number == 20]
    assert file in told[0]
    assert why in told[0]


def test_hostile_code_is_read_soon(tmp_path: Path) -> None:
    files = zips.usual("return self.nowhere", start=zips.LOAD + "\n# " + "getattr(" * 250_000)
    began = time.monotonic()
    assert (25, "error") in found(files, tmp_path)
    assert time.monotonic() - began < 30


def test_a_helper_that_makes_the_file_is_believed(tmp_path: Path) -> None:
    files = helped("from pathlib import Path\ndef load():\n    Path('whole.keras').write_bytes("
                   "Path('a.bin').read_bytes())\n",
                   "load()\nself.model = keras.models.load_model('whole.keras')",
                   "import keras\nimport numpy as np\nfrom helper import load")
    assert found({**files, "a.bin": "x"}, tmp_path) == [(29, "warning")]


TENSOR = INSIDE.replace("return np.argmax", "return tf.argmax")
MODELS = {"itself": ("from net import Model", "Model"),
          "renamed": ("from net import N as Model", "N"),
          "a base": ("from net import N\nclass Model(N):\n    pass", "N"),
          "a part": ("import net\nclass Model(net.N):\n    pass", "N"),
          "all": ("from net import *", "Model"),
          "assigned": ("import net\nModel = net.N", "N")}


@pytest.mark.parametrize("way", MODELS)
@pytest.mark.parametrize("number, code", [
    (62, TENSOR), (60, INSIDE.replace("return ", "")),
    (63, zips.predict("return self.model.predict(X)", zips.LOAD, zips.HEAD)),
    (65, zips.predict("return [int(i) for i in self.model.predict(X).argmax(1)]", zips.LOAD,
                      zips.HEAD)),
    (23, INSIDE.replace("__init__(self)", "__init__(self, path)")),
    (24, INSIDE.replace("predict(self, X)", "predict(self)").replace("X", "None")),
    (24, INSIDE.replace("def predict", "def label"))])
def test_a_model_in_another_file_is_read(way: str, number: int, code: str, tmp_path: Path) -> None:
    text, name = MODELS[way]
    files = {**zips.usual(), "model.py": text + "\n",
             "net.py": code.replace("class Model", f"class {name}")}
    assert [n for n, severity in found(files, tmp_path) if severity == "error"] == [number]
    told = [f.sentence for f in rules.check(tmp_path / "x.zip") if f.number == number]
    assert "of model.py" not in told[0]


@pytest.mark.parametrize("body, start, helper", [
    ("return final(self.model.predict(X))", zips.LOAD,
     "import tensorflow as tf\ndef final(p):\n    return tf.argmax(p, 1)\n"),
    ("return self.voters.predict(X)", "self.voters = final()", TENSOR.replace("Model", "final"))])
def test_what_predict_hands_on_from_another_file_is_read(body: str, start: str, helper: str,
                                                         tmp_path: Path) -> None:
    files = {**zips.usual(body, start, zips.HEAD + "\nfrom helper import final"),
             "helper.py": helper}
    assert found(files, tmp_path) == [(62, "error")]
    files["helper.py"] = helper.replace("tf.argmax", "np.argmax")
    assert 62 not in [n for n, _ in found(files, tmp_path)]


WORKER = {
    62: "return tf.argmax(self.model.predict(X), 1)", 63: "return self.model.predict(X)",
    65: "return self.model.predict(X).argmax(1).tolist()",
    64: "return self.model.predict(X).argmax()"}


@pytest.mark.parametrize("number", WORKER)
def test_what_predict_hands_on_from_a_helper_is_read(number: int, tmp_path: Path) -> None:
    code = zips.predict("y = self.work(X)\nreturn y", zips.LOAD, zips.HEAD) + (
        f"\n    def work(self, X):\n        {WORKER[number]}\n")
    assert found({**zips.usual(), "model.py": code}, tmp_path) == [(number, "error")]
    assert found({**zips.usual(), "model.py": code.replace(
        "return y", "return np.asarray(y, int)").replace(
        WORKER[number], "return self.model.predict(X).argmax(1)")}, tmp_path) == []


@pytest.mark.parametrize("result", ["self.model(X[:9])", "self.model(X[:9]).numpy()",
                                    "np.array(self.model(X[:9], training=False))"])
def test_a_called_network_gives_probabilities(result: str, tmp_path: Path) -> None:
    assert found(zips.usual(f"return {result}"), tmp_path) == [(63, "error")]


def test_functions_that_hand_on_to_each_other_end(tmp_path: Path) -> None:
    code = zips.predict("return self.a(X)", zips.LOAD, zips.HEAD) + (
        "\n    def a(self, X):\n" + "        return self.b(X)\n" * 60 +
        "\n    def b(self, X):\n" + "        return self.a(X)\n" * 60)
    assert found({**zips.usual(), "model.py": code}, tmp_path) == []


@pytest.mark.parametrize("chain", [
    "".join(f"def f{i}(x):\n    return f{i + 1}(x)\n" for i in range(999)) + "f999 = print\n",
    "f0 = 'a.keras'\n" + "".join(f"f{i + 1} = f{i}\n" for i in range(999)),
    "class B0:\n    pass\n" + "".join(f"class B{i + 1}(B{i}):\n    pass\n" for i in range(99))])
def test_long_chains_are_no_traceback(chain: str, tmp_path: Path) -> None:
    files = zips.usual("return f0(X)", head=zips.HEAD + "\n" + chain)
    files["model.py"] = str(files["model.py"]).replace("class Model:", "class Model(B99):")
    found(files, tmp_path)


def test_a_backslash_is_no_end_of_a_folder(tmp_path: Path) -> None:
    files = zips.usual(start="self.model = keras.models.load_model('nets\\\\best.keras')")
    assert found({**files, "nets/best.keras": zips.keras_file()}, tmp_path) == [(28, "error")]
    assert "backslash" in rules.check(tmp_path / "x.zip")[0].sentence


def test_code_that_is_no_text_is_named(tmp_path: Path) -> None:
    assert (5, "error") in found(helped(LOADER.encode("utf-16")), tmp_path)
    assert "helper.py" in rules.check(tmp_path / "x.zip")[0].sentence


@pytest.mark.parametrize("name, hides", [("queue.py", True), ("copy/__init__.py", True),
                                         ("keras/notes.py", False), ("test.py", False)])
def test_a_file_that_hides_one_of_pythons_own_is_named(name: str, hides: bool, tmp_path: Path
                                                       ) -> None:
    assert found({**zips.usual(), name: ""}, tmp_path) == [(15, "warning")] * hides


PACKAGE = {"src/net.py": "from .tools import labels\nVERSION = 1\n",
           "src/tools/__init__.py": "from .picking import *\n",
           "src/tools/picking.py": "labels = max\n"}


@pytest.mark.parametrize("line", ["from src.net import labels, VERSION", "import src.tools.picking",
                                  "from src import tools, net", "from src.tools import anything"])
def test_what_a_package_holds_can_be_imported(line: str, tmp_path: Path) -> None:
    assert found({**headed(line), **PACKAGE}, tmp_path) == []


@pytest.mark.parametrize("line, number", [
    ("from src.net import label", 25), ("from src.nets import labels", 26),
    ("import src.tools.pick", 26)])
def test_what_a_package_lacks_is_an_error(line: str, number: int, tmp_path: Path) -> None:
    assert found({**headed(line), **PACKAGE}, tmp_path) == [(number, "error")]


def test_a_package_that_lacks_one_of_its_own_files_is_an_error(tmp_path: Path) -> None:
    files = {**headed("from src.net import labels"), **PACKAGE}
    del files["src/tools/picking.py"]
    assert found(files, tmp_path) == [(26, "error")]


def test_modules_made_by_code_are_believed(tmp_path: Path) -> None:
    files = {**headed("from src.made.deep import x\nfrom src import y"),
             "src/__init__.py": "import sys\nsys.modules['src.made'] = sys\n"}
    assert found(files, tmp_path) == []


CLASS_PATH = '''
class Model:
    WEIGHTS = Path(__file__).parent / "best.keras"

    def __init__(self):
        self.model = keras.models.load_model(self.WEIGHTS)

    def predict(self, X):
        return self.model.predict(X).argmax(1)
'''


def test_a_path_may_be_an_attribute_of_the_class(tmp_path: Path) -> None:
    files = {"model.py": zips.HEAD + CLASS_PATH, "best.keras": zips.keras_file()}
    assert found(files, tmp_path) == []
    files = {"model.py": zips.HEAD + CLASS_PATH, "other.keras": zips.keras_file()}
    assert found(files, tmp_path) == [(28, "error")]
    files["model.py"] = str(files["model.py"]).replace(
        "__init__(self):", "__init__(self):\n        self.WEIGHTS = 'other.keras'")
    assert found(files, tmp_path) == [(29, "warning")]
