"""Paths are followed to the calls that open them, however they are written."""

from pathlib import Path

import pytest
import zips

from submission import rules


def numbers(path: Path) -> list[int]:
    return [f.number for f in rules.check(path)]


CLASSES = {"Loose": """
class Loose:
    path = 'none.keras'
    def __init__(self, **given):
        for name, value in given.items():
            setattr(self, name, value)
""", "Kind": """
class Kind(str, enum.Enum):
    path = 'none.keras'
""", "Net": """
@dataclasses.dataclass
class Net:
    path: str = 'none.keras'
""", "Plain": """
class Plain:
    path = 'none.keras'
"""}
HELPERS = """
import dataclasses
import enum
VIEWS = tuple(str(i) for i in range(2))

def find(*place):
    return list(place)

def build(weights=None):
    if weights is not None:
        np.load('weights.npy')

def given(net=None):
    if net is not None:
        return net
    return keras.models.load_model('default.keras')

def cut(names):
    names.remove('none.keras')

class Inner:
    def __init__(self):
        self.model = keras.models.load_model('gone.keras')
"""


def classes(start: str) -> str:
    """The classes that a constructor uses, each with the same method."""
    load = "    def load(self):\n        return keras.models.load_model(HERE / self.path)\n"
    return "".join(code + load for name, code in CLASSES.items() if name in start)


@pytest.mark.parametrize("start", [
    "self.settings = {'weights': name + '.keras'}\n"
    "self.model = keras.models.load_model(os.path.join(HERE, self.settings['weights']))",
    "self.model = keras.models.load_model(HERE / (name + '.keras'))",
    "path = '/kaggle/input/w.keras' if os.path.exists('/kaggle/input') else 'weights.keras'",
    "try:\n    self.model = keras.models.load_model('/content/w.keras')\n"
    "except Exception:\n    self.model = keras.models.load_model('weights.keras')",
    "self.model = keras.models.load_model(next(HERE.glob('*.keras')))",
    "print('~ 5 seconds, see notes.txt')",
    "self.model = keras.models.load_model('weights.keras')\nself.model.save('copy.keras')",
    "open('log.txt', 'w').write('loaded')",
    "assert True, 'a.h5'",
    "import sys\nsys.path.append('/content/drive/MyDrive/lib')",
    "DATA = '/kaggle/input/training_set.npz'",
    "self.name = 'efficientnet.h5'\nprint(self.name)",
    "path = 'first.keras'\nif not os.path.exists(path):\n    path = 'weights.keras'\n"
    "self.model = keras.models.load_model(path)",
    "for path in ('first.keras', 'weights.keras'):\n    if os.path.isfile(path):\n"
    "        self.model = keras.models.load_model(path)\n        break",
    "if os.path.isdir('../nets'):\n    self.model = keras.models.load_model('../nets/a.keras')",
    "if self.__dict__ == {'file': 'a.keras'}:\n    pass",
    "self.model = keras.models.load_model({'a': 'first.keras', 'b': 'weights.keras'}[name])",
    "if len(name) > 99:\n    self.model = keras.models.load_model('/content/a.keras')",
    "try:\n    self.model = keras.models.load_model('weights.keras')\n"
    "except ValueError:\n    self.model = keras.models.load_model('spare.keras')",
    "import zipfile\nzipfile.ZipFile(HERE / 'nets.zip').extractall()\n"
    "self.model = keras.models.load_model('inner.keras')",
    "parts = b''.join(p.read_bytes() for p in HERE.glob('part*'))\n"
    "(HERE / 'whole.keras').write_bytes(parts)\n"
    "self.model = keras.models.load_model(HERE / 'whole.keras')",
    "mode = 'w'\nopen('log.txt', mode).close()",
    "for nets in (os.listdir('a'), find(1)):\n    for n in nets:\n        np.load(n)",
    "[np.load(n) for nets in {'a': find()}.values() for n in nets]",
    "for name, views in [('weights.keras', VIEWS)]:\n    keras.models.load_model(name)\n"
    "    for v in views:\n        np.load(f'{v}.npy')",
    "for i in 5:\n    np.load(f'{i}.npy')", "np.load('%d.npy' % 1e999)",
    "for i, (a, b) in enumerate(5):\n    np.load(a)",
    "if os.environ.get('KAGGLE') is not None:\n"
    "    self.model = keras.models.load_model('/content/a.keras')\n"
    "else:\n    self.model = keras.models.load_model('weights.keras')",
    "self.extra = None\nif self.extra is not None:\n    np.load('/content/extra.npy')",
    "if os.environ.get('OFF') is None:\n    pass\nelse:\n    np.load('extra.npy')",
    "extra = os.environ.get('X')\nw = np.load(HERE / 'x.npy') if extra is not None else None",
    "if hasattr(np, 'newer'):\n    np.load('extra.npy')", "build()", "build(1)",
    "given(keras.models.load_model('weights.keras'))",
    "one = {'file': 'none.keras'}\none['file'] = 'weights.keras'\n"
    "keras.models.load_model(one['file'])",
    "self.one = {'file': 'none.keras'}\nself.one.update(file='weights.keras')\n"
    "keras.models.load_model(self.one['file'])",
    "all = [{'file': 'none.keras'}]\nfor one in all:\n    one['file'] = 'weights.keras'\n"
    "keras.models.load_model(all[0]['file'])",
    "files = ['none.keras', 'weights.keras']\nalso = files\nalso.pop(0)\n"
    "for n in files:\n    keras.models.load_model(n)",
    "files = ['none.keras', 'weights.keras']\ndel files[0]\nkeras.models.load_model(files[0])",
    "files = ['none.keras', 'weights.keras']\ncut(files)\n"
    "[keras.models.load_model(n) for n in files]",
    "self.read('none.json', 'weights.keras')", "self.read(path='weights.keras', name='none.json')",
    "Net('weights.keras').load()", "Loose(path='weights.keras').load()", "Kind().load()",
    "if name:\n    self.large()", "try:\n    self.large()\nexcept Exception:\n    pass",
    "name and self.large()", "if name:\n    self.through()", "self.large if name else 0",
    "keras.Sequential().summary()", "{'a': self.large, 'b': print}['b']()",
    "self.name = self.large.__name__",
    "try:\n    self.inner = Inner()\nexcept OSError:\n    pass",
    "import pandas\npandas.read_csv('https://example.org/a.csv')",
    "P = 'https://example.org/a.csv'\nimport pandas\npandas.read_csv(P)",
    "np.zeros(3).tofile('a.bin')\nnp.fromfile('a.bin')",
    "tf.io.write_file('a.txt', 'x')\ntf.io.read_file('a.txt')",
    "net = keras.models.load_model('weights.keras')\nnet.save_weights('w.weights.h5')\n"
    "net.load_weights('w.weights.h5')",
    "import joblib\njoblib.dump(3, 'a.pkl')\njoblib.load('a.pkl')",
    "np.savetxt('a.txt', [1])\nnp.loadtxt('a.txt')",
    "try:\n    tf.io.read_file('notes.txt')\nexcept tf.errors.NotFoundError:\n    pass",
    "try:\n    keras.models.load_model('best.keras')\nexcept ValueError:\n    pass",
    "name == 'x' and np.load('extra.npy')", "P = HERE / 'x.npy'\nname == 'x' and np.load(P)",
    "name or np.load(HERE / 'extra.npy')", "self.get = lambda: np.load(HERE / 'x.npy')",
    "nets = {'a': lambda: np.load('x.npy'), 'b': lambda: np.load('weights.npy')}\nnets['a']",
    "np.memmap('buf.bin', dtype='float32', mode='w+', shape=(3,))",
    "np.memmap(HERE / 'buf.bin', 'float32', 'w+', 0, (3,))",
    "import zipfile\nz = zipfile.ZipFile('nets.zip')\nnp.load(z.open('b.npy'))",
    "import zipfile\nwith zipfile.ZipFile(HERE / 'nets.zip') as z:\n    z.open('b.txt').read()",
    "[np.load(n) for n in ('weights.npy', 'none.npy') if n.startswith('w')]",
    "with open(HERE / 'log.txt', mode='a') as f:\n    f.write('x')\n"
    "(HERE / 'all.txt').open('w').close()",
])
def test_paths_that_do_no_harm_are_no_error(start: str, tmp_path: Path) -> None:
    head = zips.HEAD + "\nimport os\nHERE = Path(__file__).parent\nname = 'weights'"
    head += HELPERS + classes(start)
    files = {**zips.usual("return np.zeros(len(X), int)", start, head), "nets.zip": zips.npz()}
    files["model.py"] = str(files["model.py"]) + METHODS
    found = rules.check(zips.write(tmp_path / "x.zip", files))
    assert not rules.errors(found), found


@pytest.mark.parametrize("start", [
    "self.large()", "if name:\n    self.large()\nself.through()", "Inner()", "Plain().load()",
    "files = ['gone.keras']\nother = []\nother.append(1)\n"
    "for n in files:\n    keras.models.load_model(n)",
    "one = {'file': 'gone.keras'}\nkeras.models.load_model(one['file'])",
    "self.read('weights.keras', 'gone.keras')", "np.memmap('gone.bin', 'float32', 'r')",
    "np.load('gone.npy') or name", "(HERE / 'gone.txt').open('r')", "open(HERE / 'gone.txt')"])
def test_what_is_opened_for_certain_is_looked_for(start: str, tmp_path: Path) -> None:
    head = zips.HEAD + "\nHERE = Path(__file__).parent\nname = 'w'" + HELPERS + classes(start)
    files = zips.usual("return np.zeros(len(X), int)", start, head)
    files["model.py"] = str(files["model.py"]) + METHODS
    assert 28 in numbers(zips.write(tmp_path / "x.zip", files))


METHODS = """
    @staticmethod
    def read(name, path):
        print(name)
        return keras.models.load_model(path)

    def large(self):
        return keras.models.load_model(HERE / 'gone.keras')

    def summary(self):
        np.load('gone.npy')

    def through(self):
        return self.large()
"""


@pytest.mark.parametrize("start", [
    "if self.model is None:\n    self.model = np.load('gone.npy')",
    "if not hasattr(self, 'model'):\n    self.model = np.load(HERE / 'gone.npy')",
    "if self.model is not None:\n    return\nself.model = np.load('gone.npy')"])
def test_what_waits_for_a_first_use_happens_all_the_same(start: str, tmp_path: Path) -> None:
    head = zips.HEAD + "\nHERE = Path(__file__).parent"
    files = zips.usual("return np.zeros(len(X), int)", "self.model = None\n" + start, head)
    assert 28 in numbers(zips.write(tmp_path / "x.zip", files))


WRITTEN = ["os.path.dirname(__file__) + '/nets/fold_1.keras'",
           "os.getcwd() + os.sep + 'nets/fold_1.keras'",
           "'{}/nets/fold_{:d}.keras'.format(HERE, 1)", "'%s/nets/fold_%d.keras' % (HERE, 1)",
           "f'{HERE}/nets/fold_{1}.keras'", "str(HERE) + '/nets/' + name + '_1.keras'",
           "HERE / 'nets' / 'fold_{}.keras'.format(1)",
           "os.path.join(HERE, 'nets', 'fold_1.keras')",
           "os.path.join(HERE.parent, 'archive', 'nets', name + '_1.keras')"]


@pytest.mark.parametrize("path", WRITTEN)
@pytest.mark.parametrize("start", ["self.model = keras.models.load_model(PATH)",
                                   "path = PATH\nself.path = path\n"
                                   "self.model = keras.models.load_model(filepath=self.path)"])
def test_a_path_may_be_written_in_any_way(path: str, start: str, tmp_path: Path) -> None:
    head = zips.HEAD + "\nimport os\nHERE = Path(__file__).parent\nname = 'fold'"
    code = zips.predict(zips.ARGMAX, start.replace("PATH", path), head)
    files = {"model.py": code, "nets/fold_1.keras": zips.keras_file()}
    assert rules.check(zips.write(tmp_path / "x.zip", files)) == []
    files = {"model.py": code, "nets/other.keras": zips.keras_file()}
    missing = [f.number for f in rules.check(zips.write(tmp_path / "x.zip", files))]
    exact = "HERE.parent" not in path       # nobody knows what the archive's folder is called
    assert (28 if exact else 29) in missing
    assert (28 in missing) is exact


@pytest.mark.parametrize("name, wrong", [("weights.keras", False), ("gone.keras", True)])
def test_the_platforms_own_folder_is_the_archives(name: str, wrong: bool, tmp_path: Path) -> None:
    files = zips.usual(
        start=f"self.model = keras.models.load_model('/app/ingested_program/{name}')")
    assert (28 in numbers(zips.write(tmp_path / "x.zip", files))) == wrong


def test_a_default_that_every_call_replaces_opens_nothing(tmp_path: Path) -> None:
    head = (zips.HEAD + "\nHERE = Path(__file__).parent\n\n"
            "def load(path='default.keras'):\n    return keras.models.load_model(path)")
    files = zips.usual(start="self.model = load(HERE / 'weights.keras')", head=head)
    assert rules.check(zips.write(tmp_path / "x.zip", files)) == []
    files = zips.usual(start="self.model = load()", head=head)
    assert 28 in numbers(zips.write(tmp_path / "x.zip", files))


def test_names_that_files_take_from_each_other_in_turn_end(tmp_path: Path) -> None:
    files = {**zips.usual(head=zips.HEAD + "\nimport one"), "one.py": "from two import B\nA = B\n",
             "two.py": "from one import A\nB = A or 'a.keras'\nB = A\n"}
    rules.check(zips.write(tmp_path / "x.zip", files))
    files["two.py"] = "import one\nB = 'a.keras'\nC = one.A\n"
    assert 28 not in numbers(zips.write(tmp_path / "x.zip", files))


def test_a_default_counts_for_calls_from_other_files_too(tmp_path: Path) -> None:
    helper = "import keras\n\ndef load(path='default.keras'):\n" \
        "    return keras.models.load_model(path)\n"
    head = zips.HEAD + "\nimport helper"
    files = {**zips.usual(start="self.model = helper.load('weights.keras')", head=head),
             "helper.py": helper}
    assert 28 not in numbers(zips.write(tmp_path / "x.zip", files))
    files = {**zips.usual(start="self.model = helper.load()", head=head), "helper.py": helper}
    assert 28 in numbers(zips.write(tmp_path / "x.zip", files))


REPLACED = zips.HEAD + """
HERE = Path(__file__).parent
class Base:
    def __init__(self):
        self.model = self.load()

    def load(self):
        return keras.models.load_model(HERE / 'gone.keras')

    def predict(self, X):
        return self.model.predict(X).argmax(1)

class Model(Base):
    def load(self):
        return keras.models.load_model(HERE / 'weights.keras')
"""


@pytest.mark.parametrize("bases", ["keras.Model", "Model", "net.Model", "Ring"])
def test_a_class_that_is_its_own_base_by_name_ends(bases: str, tmp_path: Path) -> None:
    code = f"import keras\nclass Ring(Model):\n    pass\nclass Model({bases}):\n    pass\n"
    rules.check(zips.write(tmp_path / "x.zip", {"model.py": code}))


def test_a_method_that_model_replaces_opens_nothing(tmp_path: Path) -> None:
    weights = {"weights.keras": zips.keras_file()}
    assert rules.check(zips.write(tmp_path / "x.zip", {"model.py": REPLACED, **weights})) == []
    for code in (REPLACED + "        super().load()\n", REPLACED + "Base()\n",
                 REPLACED + "class Other(Base):\n    pass\nOther()\n"):
        path = zips.write(tmp_path / "x.zip", {"model.py": code, **weights})
        assert 28 in numbers(path), code


LOOPS = [
    "[keras.models.load_model(HERE / f'm{i}.keras') for i in range(N)]",
    "[keras.models.load_model(HERE / 'm{}.keras'.format(i)) for i in range(0, N)]",
    "[keras.models.load_model(HERE / ('m%d.keras' % (i - 1))) for i in range(1, N + 1)]",
    "[keras.models.load_model(os.path.join(HERE, 'm' + str(i) + '.keras')) for i in range(N)]",
    "[keras.models.load_model(HERE / f'm{i:01d}.keras') for i, _ in enumerate('abc')]",
    "[keras.models.load_model(HERE / f'{n}.keras') for n, _ in zip(['m0', 'm1', 'm2'], range(9))]",
    "[keras.models.load_model(HERE / NETS[k]['file']) for k in NETS]",
    "list(keras.models.load_model(HERE / (n + '.keras')) for n in self.NAMES)",
    "[load(i) for i in range(N)]", "load_all(N)", "load_all()"]
LOOP_HEAD = zips.HEAD + """
import os
HERE = Path(__file__).parent
N = 3
NETS = {'a': {'file': 'm0.keras'}, 'b': {'file': 'm1.keras'}, 'c': {'file': 'm2.keras'}}

def load(fold):
    return keras.models.load_model(HERE / f'm{fold}.keras')

def load_all(n=3):
    nets = []
    for i in range(n):
        path = HERE / f'm{i}.keras'
        nets.append(keras.models.load_model(path))
    return nets
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_names_that_a_loop_makes_are_all_looked_for(loop: str, tmp_path: Path) -> None:
    code = zips.predict("return sum(m.predict(X) for m in self.models).argmax(1)",
                        f"self.models = {loop}", LOOP_HEAD) + "\n    NAMES = ('m0', 'm1', 'm2')\n"
    files = {f"m{i}.keras": zips.keras_file() for i in range(3)}
    assert rules.check(zips.write(tmp_path / "x.zip", {"model.py": code, **files})) == []
    del files["m2.keras"]
    found = [f for f in rules.check(zips.write(tmp_path / "x.zip", {"model.py": code, **files}))
             if f.number == 28]
    assert len(found) == 1
    assert "m2.keras" in found[0].sentence


@pytest.mark.parametrize("start", [
    "self.models = [keras.models.load_model(f'm{i}.keras') for i in range(9) if i < 1]",
    "for i in range(9):\n    if i:\n        break\n    keras.models.load_model(f'm{i}.keras')",
    "for i in range(9):\n    try:\n        keras.models.load_model(f'm{i}.keras')\n"
    "    except Exception:\n        pass",
    "next(keras.models.load_model(f'm{i}.keras') for i in range(9))",
    "keras.models.load_model([f'm{i}.keras' for i in range(9)][0])",
    "for i in range(9):\n    path = f'm{8 - i}.keras'\nkeras.models.load_model(path)",
    "global N\nN = 1\n[keras.models.load_model(f'm{i}.keras') for i in range(N)]",
    "for N in [1]:\n    [keras.models.load_model(f'm{i}.keras') for i in range(N)]",
    "os.chdir('nets')\n[keras.models.load_model(f'm{i}.keras') for i in range(N)]",
    "[one(i) for i in range(N)]"])
def test_names_that_a_loop_may_not_come_to_are_no_error(start: str, tmp_path: Path) -> None:
    head = LOOP_HEAD + ("def one(i):\n    if i:\n        return None\n"
                        "    return keras.models.load_model(f'm{i}.keras')\n")
    files = zips.usual("return np.zeros(len(X), int)", start, head)
    found = rules.check(zips.write(tmp_path / "x.zip", {**files, "m0.keras": zips.keras_file()}))
    assert not rules.errors(found), found


@pytest.mark.parametrize("path, number", [
    ("os.path.join('/kaggle', 'input', 'weights.keras')", 31),
    ("Path('/content') / 'weights.keras'", 31), ("HERE.parent / 'weights.keras'", 32),
    ("HERE / 'nets' / 'weights.keras'", 28), ("os.path.join('nets', 'weights.keras')", 28),
    ("'inner.keras'", 28), ("HERE / 'deep' / '..' / 'inner.keras'", 28),
    ("HERE / 'deep' / 'inner.keras'", None), ("'deep/../weights.keras'", None),
    ("str(HERE.parent / 'weights.keras').replace('x', 'y')", None)])
def test_a_file_is_looked_for_where_the_path_leads(path: str, number: int | None, tmp_path: Path
                                                   ) -> None:
    files = zips.usual(start=f"self.model = keras.models.load_model({path})", head=LOOP_HEAD)
    files["deep/inner.keras"] = zips.keras_file()
    found = rules.errors(rules.check(zips.write(tmp_path / "x.zip", files)))
    assert [f.number for f in found] == [number] * (number is not None)
