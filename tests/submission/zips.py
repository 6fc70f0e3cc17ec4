"""What zips are made of, for good_zips.py and broken_zips.py; ``write`` puts it into a zip.

Nothing here needs TensorFlow: the Keras files are skeletons, whole enough to be looked at.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

Files = dict[str, bytes | str]

TEMPLATE = '''
import numpy as np
import tensorflow as tf
from tensorflow import keras as tfk
from tensorflow.keras import layers as tfkl

class Model:
    def __init__(self):
        self.neural_network = tfk.models.load_model('weights.keras')

    def predict(self, X):
        preds = self.neural_network.predict(X)
        if len(preds.shape) == 2:
            preds = np.argmax(preds, axis=1)
        return preds
'''


def layer(kind: str, **config: Any) -> dict[str, Any]:
    """A layer's configuration as Keras 3 writes it."""
    return {"module": config.pop("module", "keras.layers"), "class_name": kind,
            "config": {"name": config.pop("name", kind.lower()), **config},
            "registered_name": config.pop("registered", None)}


def own_layer(kind: str, registered: str | None = None, **config: Any) -> dict[str, Any]:
    """A layer of a class that a notebook defined, as Keras 3.4.1 writes it."""
    return layer(kind, module=None, registered=registered or kind, **config)


def function(name: str) -> dict[str, Any]:
    """A function as Keras 3.4.1 writes it, be it a notebook's or Keras' own."""
    return {"module": "builtins", "class_name": "function", "config": name,
            "registered_name": "function"}


def network(*layers: dict[str, Any], kind: str = "Functional") -> dict[str, Any]:
    rows = [layer("InputLayer"), *layers]
    return {"module": "keras", "class_name": kind, "registered_name": kind,
            "config": {"name": "network", "layers": rows, "output_layers": [["out", 0, 0]]}}


PLAIN = network(layer("Conv2D"), layer("Dense", activation="softmax"))


def keras_file(config: Any = PLAIN, version: str = "3.4.1", compiled: Any = None) -> bytes:
    """A .keras file with this configuration and nothing worth loading."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("metadata.json", json.dumps({"keras_version": version}))
        z.writestr("config.json", json.dumps({**config, "compile_config": compiled}))
        z.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(2000))
    return stream.getvalue()


def h5_file(config: Any = None, compiled: Any = None, version: str = "3.4.1",
            **groups: Any) -> bytes:
    """An .h5 file: a whole model where there is a configuration, weights alone otherwise."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as f:
        if config is not None:
            f.attrs["model_config"] = json.dumps(config)
            f.attrs["keras_version"] = version
        if compiled is not None:
            f.attrs["training_config"] = json.dumps(compiled)
        for name in groups or {"layers": None}:
            f.create_group(name)
    return stream.getvalue()


def npz() -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.savez(stream, w=np.zeros((27, 8), "float32"), b=np.zeros(8, "float32"))
    return stream.getvalue()


def predict(body: str, start: str = "pass", head: str = "import numpy as np") -> str:
    """A model.py with these lines in the constructor and in predict."""
    def lines(text: str) -> str:
        return "\n".join("        " + line for line in text.strip("\n").splitlines())

    return (f"{head}\n\nclass Model:\n    def __init__(self):\n{lines(start)}\n\n"
            f"    def predict(self, X):\n{lines(body)}\n")


LOAD = "self.model = keras.models.load_model(Path(__file__).parent / 'weights.keras')"
HEAD = "import numpy as np\nimport tensorflow as tf\nimport keras\nfrom pathlib import Path"
ARGMAX = "return np.argmax(self.model.predict(X), axis=1)"


def usual(body: str = ARGMAX, start: str = LOAD, head: str = HEAD, config: Any = PLAIN,
          **more: Any) -> Files:
    """model.py and weights.keras, with one thing changed."""
    return {"model.py": predict(body, start, head), "weights.keras": keras_file(config, **more)}


def write(path: Path, files: Files) -> Path:
    """Put the files into a zip, in their order."""
    with zipfile.ZipFile(path, "w") as z:
        for name, content in files.items():
            z.writestr(name, content)
    return path
