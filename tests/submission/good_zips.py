"""Zips as people make them, in more than ten good styles: GOOD maps a name to its files."""

from collections.abc import Callable

from zips import (
    ARGMAX,
    HEAD,
    LOAD,
    PLAIN,
    TEMPLATE,
    Files,
    function,
    h5_file,
    keras_file,
    layer,
    network,
    npz,
    own_layer,
    predict,
    usual,
)


def template() -> Files:
    return {"model.py": TEMPLATE, "weights.keras": keras_file()}


def weights_h5() -> Files:
    head = HEAD + '''

def build():
    inputs = keras.Input((96, 96, 3))
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_tensor=inputs)
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(inputs, keras.layers.Dense(8, activation="softmax")(x))
'''
    start = '''
self.model = build()
self.model.load_weights(Path(__file__).resolve().parent / "best.weights.h5")
'''
    body = '''
X = keras.applications.mobilenet_v2.preprocess_input(np.array(X, dtype="float32"))
return self.model.predict(X, batch_size=32, verbose=0).argmax(axis=-1)
'''
    return {"model.py": predict(body, start, head), "best.weights.h5": h5_file()}


def saved_model() -> Files:
    start = '''
here = os.path.dirname(os.path.abspath(__file__))
self.net = tf.saved_model.load(os.path.join(here, "saved_model"))
'''
    body = '''
labels = []
for i in range(0, len(X), 64):
    out = self.net.serve(tf.cast(X[i:i + 64], tf.float32))
    labels.append(np.argmax(out.numpy(), axis=1))
return np.concatenate(labels) if labels else np.empty(0, int)
'''
    return {"model.py": predict(body, start, "import os\n" + HEAD),
            "saved_model/saved_model.pb": b"x" * 10,
            "saved_model/variables/variables.index": b"x" * 10,
            "saved_model/variables/variables.data-00000-of-00001": b"x" * 10}


def several_files() -> Files:
    head = "import numpy as np\nfrom utils import prepare\nfrom nets.build import make"
    start = "self.model = make('weights/net.weights.h5')"
    return {"model.py": predict("return self.model.predict(prepare(X)).argmax(-1)", start, head),
            "utils.py": "def prepare(x):\n    return x / 255.0\n",
            "nets/__init__.py": "", "weights/net.weights.h5": h5_file(),
            "nets/build.py": "def make(path):\n    import keras\n    m = keras.Sequential()\n"
                             "    m.load_weights(path)\n    return m\n"}


def nested_predict() -> Files:
    head = HEAD + '''

BATCH = 16

def batches(n):
    for i in range(0, n, BATCH):
        yield slice(i, min(i + BATCH, n))

def resized(x):
    return tf.image.resize(tf.cast(x, tf.float32), (128, 128))
'''
    code = predict('''
out = np.zeros(len(X), dtype=np.int64)
for part in batches(len(X)):
    out[part] = self._one(X[part])
return out
''', LOAD, head)
    return {"model.py": code + '''
    def _one(self, x):
        if (p := self.model(resized(x), training=False)) is not None:
            return tf.argmax(p, axis=-1).numpy()
''', "weights.keras": keras_file()}


def augmented() -> Files:
    body = '''
views = [lambda x: x, lambda x: x[:, ::-1], lambda x: x[:, :, ::-1], np.rot90]
total = 0
for view in (lambda x: x, lambda x: x[:, :, ::-1]):
    total = total + self.model.predict(view(X), batch_size=batch_size)
return np.argmax(total / 2, axis=1).astype(np.int32)
'''
    files = usual(body)
    files["model.py"] = str(files["model.py"]).replace("def predict(self, X)",
                                                       "def predict(self, X, batch_size=8)")
    return files


def ensemble() -> Files:
    start = '''
self.models = []
for name in ["a", "b", "c"]:
    self.models.append(keras.models.load_model(HERE / f"net_{name}.keras", compile=False))
'''
    body = '''
total = sum(m.predict(X, verbose=0) * w for m, w in zip(self.models, [0.5, 0.3, 0.2]))
return np.argmax(total, axis=-1)
'''
    head = HEAD + "\nHERE = Path(__file__).parent"
    return {"model.py": predict(body, start, head),
            **{f"net_{n}.keras": keras_file() for n in "abc"}}


def numpy_only() -> Files:
    start = '''
with np.load(os.path.join(os.path.dirname(__file__), "weights.npz")) as z:
    self.w, self.b = z["w"], z["b"]
'''
    body = '''
x = np.asarray(X, dtype=np.float32).reshape(len(X), 3, 32, 3, 32, 3).mean(axis=(2, 4))
scores = x.reshape(len(X), -1) / 255.0 @ self.w + self.b
return scores.argmax(axis=1).astype(np.int64)
'''
    return {"model.py": predict(body, start, "import os\nimport numpy as np"), "weights.npz": npz()}


def custom_layer() -> Files:
    head = HEAD + '''

@keras.saving.register_keras_serializable(package="cells")
class Squeeze(keras.layers.Layer):
    def __init__(self, ratio=4, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def call(self, x):
        return x * tf.reduce_mean(x, (1, 2), keepdims=True)
'''
    own = own_layer("Squeeze", "cells>Squeeze")
    return usual(head=head, config=network(own, layer("Dense", activation="softmax")))


def compiled_with_functions() -> Files:
    """Keras' own functions and a registered one, which the file holds by their names."""
    head = HEAD + '''

@keras.saving.register_keras_serializable(package="cells")
def soft_clip(x):
    return tf.minimum(x, 6.0)
'''
    config = network(layer("Dense", activation=function("cells>soft_clip")),
                     layer("Activation", activation=function("gelu")))
    return usual(head=head, config=config, compiled={
        "loss": function("categorical_crossentropy"),
        "metrics": ["accuracy", function("top_k_categorical_accuracy")]})


def features_for_a_forest() -> Files:
    """A network's output goes into another classifier, which gives labels."""
    start = LOAD + '''
try:
    import joblib
    self.forest = joblib.load(Path(__file__).parent / "forest.joblib")
except ImportError:
    self.forest = None
'''
    body = "features = self.model.predict(X, verbose=0)\nreturn self.forest.predict(features)"
    return {**usual(body, start), "forest.joblib": b"x"}


def delegated() -> Files:
    """The work is done in another file, in a folder that is put before Python's eyes."""
    head = '''
import os, sys
sys.path.append(os.path.dirname(os.path.abspath(__file__)) + "/src")
from ensemble import Ensemble
'''
    ensemble = predict("""
votes = []
for net in self.nets:
    votes.append(net.predict(X, verbose=0).argmax(-1))
votes, _ = np.unique(votes, axis=0), None
return votes[0]
""", """
folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
self.nets = [keras.saving.load_model(f"{folder}/fold_{i}.keras") for i in (1, 2)]
""", "import os\nimport numpy as np\nimport keras").replace("class Model", "class Ensemble")
    return {"model.py": predict("return self.ensemble.predict(X)", "self.ensemble = Ensemble()",
                                head),
            "src/ensemble.py": ensemble, "fold_1.keras": keras_file(), "fold_2.keras": keras_file()}


def with_training_code() -> Files:
    """Files of the project as it was, of which the platform runs a small part."""
    head = '''
import numpy as np
import nets.build
import utils as u
from nets import read as reading
try:
    import fancy
except Exception:
    fancy = None
'''
    start = "self.model = u.prepared(nets.build.load())\nself.labels = np.load(reading.NAMES)"
    return {
        "model.py": predict(ARGMAX, start, head), "weights.keras": keras_file(),
        "names.npy": npz(),
        "fancy.py": "import my_own_package\nopen('/content/x.npz')\n",
        "train.py": "!wget data.npz\n",
        "nets/__init__.py": "",
        "nets/build.py": "from .read import HERE\nimport keras\n\ndef load():\n"
                         "    return keras.saving.load_model(HERE / 'weights.keras')\n",
        "nets/read.py": "from pathlib import Path\nHERE = Path(__file__).parents[1]\n"
                        "NAMES = HERE / 'names.npy'\n",
        "utils.py": '''
import nets.build as built

def prepared(net):
    net.trainable = False
    return net

def load(path="/kaggle/input/an2dl/training_set.npz"):
    from sklearn.model_selection import train_test_split
    import my_plots
    return train_test_split(np.load("/kaggle/input/an2dl/training_set.npz"))

class Trainer:
    def predict(self, X):
        return open("/content/results.csv").read() + undefined

if __name__ == "__main__":
    import train
    load()
'''}


def own_loader() -> Files:
    """Functions in another file that bear the names of Keras' own, and a class Model of it."""
    return {"model.py": "from keras_net import Model\n", "weights.npz": npz(),
            "keras_net.py": predict("return self.net.predict(X)", """
self.net = load_model("best")
self.net.load_weights("weights.npz")
""", "from tools.loading import load_model"),
            "tools/loading.py": '''
from pathlib import Path
import numpy as np

def load_model(kind):
    return {"best": Net}[kind]()

class Net:
    def load_weights(self, name):
        self.weights = np.load(Path(__file__).parents[1] / name)

    def predict(self, X):
        return (X.reshape(len(X), -1)[:, :27] @ self.weights["w"]).argmax(1)
'''}


def own_names() -> Files:
    """Home-made things that bear the names of Keras' newer ones."""
    head = HEAD + '''

@keras.saving.register_keras_serializable("mine")
class CutMix(keras.layers.Layer):
    pass
'''
    start = LOAD + "\nself.load_weights('more.npz')"
    code = predict("return np.argmax(self.model.predict(X), axis=1)", start, head) + '''
    def load_weights(self, name):
        self.more = np.load(Path(__file__).parent / name)
'''
    return {"model.py": code, "more.npz": npz(), "weights.keras": keras_file(
        network(own_layer("CutMix", "mine>CutMix"), layer("Dense", activation="softmax")))}


def votes() -> Files:
    """A list that becomes an array before it is returned, in a way that is easily overlooked."""
    return usual('''
votes = []
for i in range(0, len(X), 64):
    votes.append(self.model.predict(X[i:i + 64]).argmax(-1))
votes: np.ndarray = np.concatenate(votes) if votes else np.empty(0, int)
return votes
''')


def legacy_h5() -> Files:
    head = '''
try:
    import cv2
except ImportError:
    cv2 = None
import os
import numpy as np
import tensorflow as tf
'''
    start = '''
path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "model.h5")
self.model = tf.keras.models.load_model(path, compile=False)
'''
    body = '''
X = tf.keras.applications.efficientnet.preprocess_input(X)
probabilities = self.model.predict(X)
labels = np.argmax(probabilities, axis=1)
print(f"predicted {len(labels)} pictures with model.h5")
return labels
'''
    return {"model.py": predict(body, start, head),
            "model.h5": h5_file(PLAIN, {"loss": "focal_loss"})}


def documented() -> Files:
    """Annotations, a docstring that names files, a main block with paths of the author's own."""
    return {"model.py": '''
"""Needs final.keras, not draft.keras."""
from __future__ import annotations
import json, sys
from typing import Optional
import numpy as np
import keras

_HERE = __import__("pathlib").Path(__file__).parent
CONFIG = json.loads((_HERE / "config.json").read_text())

class Base:
    name: str = "x"

    def predict(self, X: np.ndarray, verbose: Optional[int] = None) -> np.ndarray:
        """Labels; see notes.txt."""
        try:
            scores = self.network.predict(X, verbose=0)
        except ValueError as error:
            raise RuntimeError(f"can't predict with final.keras: {error}")
        classes = {k: v for k, v in enumerate(CONFIG["classes"])}
        return np.array([classes[i] for i in scores.argmax(axis=1)], dtype=int)

class Model(Base):
    def __init__(self, path="final.keras"):
        self.network = keras.models.load_model(_HERE / path)

if __name__ == "__main__":
    data = np.load("/content/drive/MyDrive/training_set.npz")
    print(Model().predict(data["images"][:4]), helper(sys.argv))
''', "final.keras": keras_file(), "config.json": '{"classes": [0, 1, 2, 3, 4, 5, 6, 7]}'}


def from_a_mac() -> Files:
    """Finder and Jupyter leave copies behind that bear the names of weights and code."""
    twin = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(131)
    return {**template(), "__MACOSX/._model.py": twin, "__MACOSX/._weights.keras": twin,
            "._weights.keras": twin, "__MACOSX/._old.npz": b"", "__MACOSX/._net.pkl": twin,
            ".ipynb_checkpoints/old-checkpoint.keras": "junk"}


GOOD: dict[str, Callable[[], Files]] = {
    "the organisers' template": template, "weights.h5": weights_h5, "SavedModel": saved_model,
    "several files": several_files, "nested predict": nested_predict, "augmented": augmented,
    "ensemble": ensemble, "numpy only": numpy_only, "custom layer": custom_layer,
    "legacy h5": legacy_h5, "documented": documented,
    "from a Mac": from_a_mac, "compiled with functions": compiled_with_functions,
    "features": features_for_a_forest, "delegated": delegated, "own names": own_names,
    "votes": votes, "training code": with_training_code,
    "own loader": own_loader,
}
