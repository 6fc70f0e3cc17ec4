"""One broken zip for each pitfall, and the number of the rule that must find it."""

from collections.abc import Callable
from typing import Any

from good_zips import saved_model
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
    own_layer,
    predict,
    usual,
)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def renamed(old: str, new: str) -> Files:
    files = usual()
    files["model.py"] = changed(str(files["model.py"]), old, new)
    return files


def h5_network(config: Any, **more: Any) -> Files:
    return {"model.py": predict(ARGMAX, LOAD.replace("weights.keras", "net.h5"), HEAD),
            "net.h5": h5_file(config, **more)}


def helped(helper: str) -> Files:
    """A model.py that gets its network from the function load of helper.py."""
    head = "import numpy as np\nfrom helper import load"
    return {**usual(start="self.model = load()", head=head),
            "helper.py": helper + "\n"}


def without(name: str) -> Files:
    return {k: v for k, v in usual().items() if k != name}


RANDOM = "X = X + np.random.normal(size=X.shape)\n" + ARGMAX
ONE_BY_ONE = '''
out = []
for x in X:
    out.append(np.argmax(self.model.predict(x[None])))
return np.array(out)
'''
SAME_VIEW = '''
views = np.flip(X, 1)
total = 0
for i in range(10):
    total = total + self.model.predict(views)
return np.argmax(total, 1)
'''
IN_BRANCH = '''
p = self.model.predict(X)
if p.ndim == 2:
    return np.argmax(p, axis=1)
'''
SOFTMAX = "return np.argmax(tf.nn.softmax(self.model.predict(X)).numpy(), axis=1)"
RESCALING = network(layer("Rescaling", scale=1 / 255), layer("Dense", activation="softmax"))
CODED = {"class_name": "__lambda__", "config": {"code": "4wEA"}}

# name: (rule that must find it, files)
BROKEN: dict[str, tuple[int, Callable[[], Files]]] = {
    "no model.py": (4, lambda: without("model.py")),
    "in a folder": (4, lambda: {f"submission/{k}": v for k, v in usual().items()}),
    "LFS pointer": (6, lambda: {**usual(), "weights.keras": "version https://git-lfs.github.com/"
                                "spec/v1\noid sha256:4d7a\nsize 134\n"}),
    "empty weights": (7, lambda: {**usual(), "weights.keras": b""}),
    "cut off weights": (8, lambda: {**usual(), "weights.keras": keras_file()[:300]}),
    "rubbish": (9, lambda: {**usual(), "__MACOSX/._model.py": "x", "train.ipynb": "{}"}),
    "unused weights": (10, lambda: {**usual(), "model_91.85.keras": keras_file()}),
    "metadata": (12, lambda: {**usual(), "metadata": "command: python x.py"}),
    "no weights": (13, lambda: {"model.py": predict("return np.zeros(len(X), int)")}),
    "magic": (20, lambda: {**usual(), "model.py": "!pip install keras_cv\n" + TEMPLATE}),
    "syntax": (20, lambda: {**usual(), "model.py": "class Model\n    pass\n"}),
    "Model2": (22, lambda: renamed("class Model", "class Model2")),
    "lower case": (22, lambda: renamed("class Model", "class model")),
    "constructor with a path": (23, lambda: renamed("__init__(self)", "__init__(self, path)")),
    "two arguments": (24, lambda: renamed("predict(self, X)", "predict(self, X, y)")),
    "no pictures": (24, lambda: usual("return np.zeros(8, int)")
                    | {"model.py": predict("return np.zeros(8, int)", LOAD, HEAD).replace(
                        "predict(self, X)", "predict(self)")}),
    "no predict": (24, lambda: renamed("def predict", "def prediction")),
    "no import": (25, lambda: renamed("import numpy as np\n", "")),
    "name of the notebook": (25, lambda: usual(
        "return np.argmax(self.model.predict(X / SCALE), 1)")),
    "undefined in a helper": (25, lambda: usual(
        "return labels(self.model, X)", head=HEAD + "\n\ndef labels(m, x):\n"
        "    return np.argmax(m.predict(x, batch_size=BATCH), 1)\n")),
    "helper that is no Python": (20, lambda: helped("!pip install keras_cv\nimport keras")),
    "name in a helper": (25, lambda: helped("def load():\n    return keras.Sequential()")),
    "notebook's module in a helper": (26, lambda: helped(
        "import keras\nfrom google.colab import drive\n\ndef load():\n"
        "    return keras.models.load_model('weights.keras')")),
    "file for a helper's helper": (28, lambda: {
        **helped("from nets.build import load"), "nets/build.py": "from .read import load",
        "nets/read.py": "import keras\n\ndef load():\n"
                        "    return keras.models.load_model('gone.keras')"}),
    "folder of a notebook in a helper": (31, lambda: helped(
        "import keras\n\ndef load():\n"
        "    return keras.models.load_model('/content/drive/MyDrive/weights.keras')")),
    "base class in another file": (25, lambda: {
        "model.py": "from base import Base\n\nclass Model(Base):\n    pass\n",
        "base.py": str(usual()["model.py"]).replace("class Model", "class Base").replace(
            "import keras\n", ""), "weights.keras": keras_file()}),
    "module left behind": (26, lambda: usual(head=HEAD + "\nfrom my_layers import Attention")),
    "notebook's module": (26, lambda: usual(head=HEAD + "\nfrom google.colab import drive")),
    "keras_cv": (27, lambda: usual(head=HEAD + "\nimport keras_cv")),
    "no weight file": (28, lambda: without("weights.keras")),
    "weights only in a checkpoint": (28, lambda: {
        **without("weights.keras"), ".ipynb_checkpoints/weights.keras": keras_file()}),
    "other file": (28, lambda: {"model.py": usual()["model.py"], "first.keras": keras_file()}),
    "blank in the name": (28, lambda: {"model.py": usual()["model.py"],
                                       "weights .keras": keras_file()}),
    "other case": (28, lambda: {"model.py": usual()["model.py"], "Weights.keras": keras_file()}),
    "no file of an ensemble": (28, lambda: usual(
        "return sum(m.predict(X) for m in self.models).argmax(1)",
        start="names = ['weights.keras', 'second.keras']\n"
              "self.models = [keras.models.load_model(HERE / n) for n in names]",
        head=HEAD + "\nHERE = Path(__file__).parent")),
    "no file for a helper": (28, lambda: usual(
        start="self.model = load('first.keras')", head=HEAD + "\n\ndef load(name):\n"
        "    name = Path(__file__).parent / name\n    return keras.models.load_model(name)\n")),
    "no file at first use": (28, lambda: usual(
        "if self.model is None:\n    self.model = keras.models.load_model('late.keras')\n" + ARGMAX,
        "self.model = None")),
    "no file by default": (28, lambda: {
        "model.py": predict(ARGMAX, LOAD.replace("'weights.keras'", "path"), HEAD).replace(
            "__init__(self)", "__init__(self, path='a.keras')"), "weights.keras": keras_file()}),
    "placeholder": (28, lambda: renamed("'weights.keras'", "'model_name.keras'")),
    "no folder": (30, lambda: usual(start="self.model = tf.saved_model.load('saved')")),
    "gdrive": (31, lambda: usual(start="self.model = keras.models.load_model("
                                       "'/gdrive/MyDrive/weights.keras')")),
    "kaggle": (31, lambda: usual(start="self.model = keras.models.load_model("
                                       "'/kaggle/input/net/weights.keras')")),
    "folder of a notebook": (31, lambda: usual(
        start="self.model = keras.models.load_model(BASE + '/weights.keras')",
        head=HEAD + "\nBASE = '/content/drive/MyDrive'")),
    "parent folder": (32, lambda: usual(start="self.model = keras.models.load_model("
                                              "'../models/net.keras')")),
    "imagenet": (34, lambda: usual(start="self.model = keras.applications.VGG16()")),
    "wrong call": (36, lambda: usual("return labels(self.model, X, size=96)", head=HEAD + (
        "\n\ndef labels(model, x):\n    return np.argmax(model.predict(x), axis=1)\n"))),
    "newer Keras": (40, lambda: usual(version="3.15.1", config=network(
        layer("Dense", activation="softmax", quantization_config=None)))),
    "newer layer": (40, lambda: usual(version="3.9.0", config=network(layer("RandomShear")))),
    "slightly newer Keras": (41, lambda: usual(version="3.6.0")),
    "Keras 2": (42, lambda: usual(config=network(layer("TFOpLambda", module=None)))),
    "depthwise of Keras 2": (42, lambda: h5_network(
        network(layer("DepthwiseConv2D", groups=1)), version="2.15.0")),
    "saved by Keras 2": (57, lambda: h5_network(
        network(layer("Conv2D", groups=1)), version="2.15.0")),
    "HDF5 by another name": (56, lambda: {**usual(), "weights.keras": h5_file(PLAIN)}),
    "nested": (43, lambda: usual(config=network(network(layer("Conv2D")), layer("Dense"),
                                                kind="Sequential"))),
    "foreign layer": (44, lambda: usual(config=network(
        layer("RandAugment", module="keras_cv.layers", registered="keras_cv>RandAugment")))),
    "not registered": (45, lambda: usual(head=HEAD + "\nclass Mask(keras.layers.Layer):\n    pass",
                                         config=network(own_layer("Mask")))),
    "layer of the notebook": (44, lambda: usual(config=network(own_layer("Mask")))),
    "activation of the notebook": (44, lambda: usual(config=network(
        layer("Dense", activation=function("my_mish"))))),
    "activation not registered": (45, lambda: usual(
        head=HEAD + "\ndef my_mish(x):\n    return x",
        config=network(layer("Dense", activation=function("my_mish"))))),
    "network of an own class": (44, lambda: usual(config={
        **network(layer("Dense")), "module": None, "class_name": "Net", "registered_name": "Net"})),
    "Lambda": (46, lambda: usual(config=network(layer("Lambda", function=CODED)))),
    "augmentation": (48, lambda: usual(config=network(layer("RandomFlip")))),
    "optimizer": (49, lambda: usual(compiled={"optimizer": {"class_name": "Adam", "config": {}}})),
    "custom loss": (50, lambda: usual(compiled={"loss": {
        "module": None, "class_name": "Focal", "registered_name": "Focal", "config": {}}})),
    "custom loss function": (50, lambda: usual(compiled={"loss": function("focal_loss")})),
    "custom metric": (50, lambda: usual(compiled={
        "loss": "categorical_crossentropy", "metrics": ["accuracy", function("macro_f1")]})),
    "custom loss in .h5": (50, lambda: h5_network(PLAIN, compiled={"loss": "focal_loss"})),
    "mixed precision": (51, lambda: usual(config=network(layer("Dense", dtype={
        "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})))),
    "weights as a network": (52, lambda: {"model.py": usual()["model.py"].replace(  # type: ignore
        "weights.keras", "net.weights.h5"), "net.weights.h5": h5_file()}),
    "SavedModel by load_model": (52, lambda: {**saved_model(), "model.py": predict(
        ARGMAX, "self.model = keras.models.load_model('saved_model')", HEAD)}),
    "another network's name": (53, lambda: {"model.py": predict(
        ARGMAX, "self.model = keras.models.load_model('EfficientNet.keras')", HEAD),
        "EfficientNet.keras": keras_file(network(layer("Conv2D", name="mobilenetv2_1")))}),
    "returns nothing": (60, lambda: usual("labels = np.argmax(self.model.predict(X), axis=1)")),
    "return in the branch": (61, lambda: usual(IN_BRANCH)),
    "tensor": (62, lambda: usual("return tf.argmax(self.model.predict(X), axis=1)")),
    "probabilities of a network in code": (63, lambda: usual(
        "return self.model.predict(X)", "self.model = build()", HEAD + "\n\ndef build():\n"
        "    net = keras.Sequential()\n    net.load_weights('weights.keras')\n    return net\n")),
    "probabilities": (63, lambda: usual("p = self.model.predict(X)\nreturn p")),
    "one-hot": (64, lambda: usual("y = np.argmax(self.model.predict(X), axis=1)\n"
                                  "return keras.utils.to_categorical(y, 8)")),
    "column": (64, lambda: usual("return np.argmax(self.model.predict(X), axis=1, keepdims=True)")),
    "no axis": (64, lambda: usual("return np.argmax(self.model.predict(X))")),
    "list": (65, lambda: usual("return np.argmax(self.model.predict(X), axis=1).tolist()")),
    "floats": (65, lambda: usual("return np.argmax(self.model.predict(X), 1).astype('float32')")),
    "maximum of the batch": (66, lambda: usual("if X.max() > 1:\n    X = X / 255\n" + ARGMAX)),
    "scaled twice": (67, lambda: usual("X = X / 255.0\n" + ARGMAX, config=RESCALING)),
    "idle preprocessing": (68, lambda: usual(
        "X = keras.applications.convnext.preprocess_input(X)\n" + ARGMAX)),
    "not scaled": (69, lambda: usual(config=network(layer("Conv2D", name="block1_conv1")))),
    "double soft-max": (70, lambda: usual(SOFTMAX)),
    "one by one": (71, lambda: usual(ONE_BY_ONE)),
    "one by one in a helper": (71, lambda: usual(
        "return np.array([label(self.model, X[i]) for i in range(X.shape[0])])",
        head=HEAD + "\n\ndef label(net, x):\n    return int(np.argmax(net.predict(x[None])))\n")),
    "same view": (72, lambda: usual(SAME_VIEW)),
    "random": (73, lambda: usual(RANDOM)),
    "training mode": (74, lambda: usual(
        "return np.argmax(self.model(X, training=True).numpy(), axis=1)")),
    "all at once": (75, lambda: usual("X = tf.image.resize(X, (224, 224))\n" + ARGMAX)),
    "attribute of another name": (25, lambda: usual(
        "return np.argmax(self.net.predict(X), axis=1)")),
    "divided in place": (77, lambda: usual("X /= 255.0\n" + ARGMAX)),
    "file of a settings module": (29, lambda: {
        **usual(start="self.model = keras.models.load_model(settings.BEST)",
                head=HEAD + "\nimport settings"),
        "settings.py": "OLD = 'old.keras'\nBEST = 'best.keras'\n"}),
    "cell of a notebook": (20, lambda: {
        **usual(), "model.py": "%%writefile model.py\n" + TEMPLATE}),
    "backslashes": (16, lambda: {**usual(), "extra\\notes.txt": "x"}),
    "copies": (76, lambda: usual("X = np.concatenate([X, X[:, ::-1]])\n" + ARGMAX)),
}
