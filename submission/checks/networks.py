"""What can be known of the Keras files in a zip without loading them.

A .keras file is a zip: its JSON is read. An .h5 file is opened by h5py in a process of its own,
with bounded time and memory, because its parser is C and the file a stranger's.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from submission.archive import DAMAGES, EXPANSION, Archive
from zoo.zips import Zip

CONFIG = 64 << 20       # bytes of JSON that are read
SECONDS = 60.0
KERAS = ("keras", "builtins", "tf_keras", "tensorflow")  # modules whose classes are Keras' own
# The functions and losses that Keras 3.4.1 finds by a bare name.
ACTIVATIONS = {
    "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "linear",
    "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "swish", "tanh"}
LOSSES = {
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "categorical_hinge", "categorical_focal_crossentropy", "cosine_similarity", "ctc", "dice",
    "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "poisson", "squared_hinge",
    "mean_squared_logarithmic_error", "sparse_categorical_crossentropy", "tversky"}
METRICS = {
    "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
    "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"}
SHORT_LOSSES = {
    "bce", "kld", "mae", "mape", "mse", "msle", "BCE", "KLD", "MAE", "MAPE", "MSE", "MSLE"}
FUNCTIONS = ACTIVATIONS | LOSSES | METRICS
H5 = b"\x89HDF\r\n\x1a\n"
READ_H5 = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
except (ImportError, ValueError):
    pass
import h5py
with h5py.File(sys.argv[1], "r") as f:
    text = {k: f.attrs[k] for k in ("model_config", "training_config", "keras_version")
            if k in f.attrs}
    text = {k: v.decode() if isinstance(v, bytes) else str(v) for k, v in text.items()}
    print(json.dumps({**text, "groups": sorted(f.keys())}))
"""


@dataclass(frozen=True)
class Layer:
    """One object in a configuration: its class, where Keras looks for it, and its settings.

    module: "" where the file names none, as .h5 files don't; None where it says that there is none.
    """

    kind: str
    module: str | None
    registered: str
    config: dict[str, Any]
    parent: str

    @property
    def foreign(self) -> bool:
        """Whether the class isn't Keras' own."""
        if ">" in self.registered:
            return not self.registered.startswith("keras>")
        # Of a class from a notebook, whose module is __main__, Keras keeps the bare name alone.
        if self.module is None:
            return bool(self.registered)
        return bool(self.module) and self.module.split(".")[0] not in KERAS


@dataclass
class Network:
    """One file. kind: "keras" (a whole model), "h5" (a whole model), "weights" or "" (damaged)."""

    name: str
    kind: str
    version: str = ""
    config: Any = None
    compiled: Any = None
    groups: list[str] = field(default_factory=list)

    @cached_property
    def layers(self) -> list[Layer]:
        return list(objects(self.config, "", 0))

    @property
    def kinds(self) -> set[str]:
        return {layer.kind for layer in self.layers}

    @cached_property
    def layer_names(self) -> str:
        """All layers' names in one text, for a look at what network it is."""
        return " ".join(str(layer.config.get("name", "")) for layer in self.layers).lower()

    @cached_property
    def last(self) -> Layer | None:
        """The layer that gives the output, where that can be told."""
        config = self.config.get("config", {}) if isinstance(self.config, dict) else {}
        rows = config.get("layers") if isinstance(config, dict) else None
        found = list(objects(rows[-1], "", 0)) if isinstance(rows, list) and rows else []
        return found[0] if found else None

    @property
    def optimizer(self) -> bool:
        held = isinstance(self.compiled, dict) and (
            self.compiled.get("optimizer") or self.compiled.get("optimizer_config"))
        return bool(held) or "optimizer_weights" in self.groups or "optimizer" in self.groups

    @property
    def custom_compile(self) -> list[str]:
        """Losses, metrics and optimizers that are not Keras' own."""
        found = {o.kind for o in objects(self.compiled, "", 0) if o.foreign}
        # An .h5 file holds a loss by its name alone; a class's name begins with a capital letter.
        loss = self.compiled.get("loss") if isinstance(self.compiled, dict) else None
        if self.kind == "h5" and isinstance(loss, str) and loss[:1].islower() \
                and loss not in LOSSES | SHORT_LOSSES:
            found.add(loss)
        return sorted(found)


def networks(archive: Archive, names: list[str]) -> list[Network]:
    """What is known of every Keras file among ``names``."""
    found = []
    for name in names:
        low = name.lower()
        if low.endswith(".keras"):
            found.append(read_keras(archive, name))
        elif low.endswith((".h5", ".hdf5")):
            found.append(read_h5(archive, name))
    return found


def read_keras(archive: Archive, name: str) -> Network:
    try:
        with archive.open(name) as stream, Zip(stream) as inner:
            config = member(inner, "config.json")
            about = member(inner, "metadata.json")
    except DAMAGES:
        return legacy(archive, name)
    if not isinstance(config, dict):
        return Network(name, "")
    version = str(about.get("keras_version", "")) if isinstance(about, dict) else ""
    return Network(name, "keras", version, config, config.get("compile_config"))


def legacy(archive: Archive, name: str) -> Network:
    """A file called .keras that is no zip: HDF5 under a wrong name, or damage."""
    return read_h5(archive, name) if archive.read(name, 8) == H5 else Network(name, "")


def member(inner: zipfile.ZipFile, name: str) -> Any:
    info = inner.getinfo(name)
    if info.file_size > CONFIG or info.file_size > 1e6 + EXPANSION * info.compress_size:
        raise ValueError("the configuration is too large")
    with inner.open(info) as f:     # without a number, read would believe what the zip says
        return json.loads(f.read(info.file_size))


def read_h5(archive: Archive, name: str) -> Network:
    if archive.read(name, 8) != H5:
        return Network(name, "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.h5"
        with contextlib.suppress(*DAMAGES), archive.open(name) as f, path.open("wb") as out:
            shutil.copyfileobj(f, out)
        try:
            done = subprocess.run([sys.executable, "-I", "-c", READ_H5, str(path)], timeout=SECONDS,
                                  capture_output=True, text=True)
            facts = json.loads(done.stdout)
            config, compiled = (json.loads(facts.get(k, "null"))
                                for k in ("model_config", "training_config"))
        except (subprocess.TimeoutExpired, ValueError, RecursionError, AttributeError):
            return Network(name, "")
    kind = "h5" if config else "weights"
    return Network(name, kind, str(facts.get("keras_version", "")), config, compiled,
                   [str(g) for g in facts.get("groups", [])])


def objects(value: Any, parent: str, depth: int) -> Iterator[Layer]:
    """Every {"class_name", "config"} in a configuration."""
    if depth > 200:
        return
    if isinstance(value, list):
        for item in value:
            yield from objects(item, parent, depth + 1)
    elif isinstance(value, dict):
        kind = value.get("class_name")
        if isinstance(kind, str) and kind != "__keras_tensor__":
            config = value.get("config")
            module, registered = value.get("module", ""), str(value.get("registered_name") or "")
            if kind == "function" and isinstance(config, str):
                # Of functions, their own or Keras', the file says no more than the name.
                kind = config.split(">")[-1]
                if module == "builtins":
                    module, registered = "keras" if config in FUNCTIONS else None, config
            yield Layer(kind, None if module is None else str(module), registered,
                        config if isinstance(config, dict) else {}, parent)
            parent = kind
        for key, item in value.items():
            if key not in ("compile_config", "inbound_nodes"):
                yield from objects(item, parent, depth + 1)
