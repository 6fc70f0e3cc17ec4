"""Classifier -> zip with a model.py that stands alone. Equal classifiers give equal bytes."""

import ast
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from zoo import graph as graphs
from zoo.classifier import TTA, Classifier
from zoo.files import atomic, plain
from zoo.rewrite import fast
from zoo.versions import version

ROOT = Path(__file__).parent.parent
TEMPLATE = Path(__file__).parent / "template" / "model.py"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
VERSIONS = ("tensorflow", "keras", "numpy")


def pack(classifier: Classifier, out: str | os.PathLike[str], manifest: Mapping[str, Any],
         half: bool = False) -> Path:
    """Write the submission of ``classifier`` to ``out`` and return its path.

    manifest: what the caller knows (run, seeds, hash of the data, protocol, forecast); hashes
    of the files, versions and the model's own facts are added. half: store kernels as float16.
    Raises UserError where ``out`` can't be written.
    """
    out = Path(out)
    with atomic(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        hashes = {"model.py": add(archive, "model.py", model_source().encode())}
        for i, graph in enumerate(classifier.graphs):
            graph = fast(graph)
            name = f"graph{i}.json"
            hashes[name] = add(archive, name, graphs.to_json(graph).encode())
            name = f"weights{i}.npz"
            hashes[name] = add_arrays(archive, name, graph.arrays, half)
        about = {**manifest, "model": facts(classifier, half), "versions": versions(),
                 "files": hashes}
        text = json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False, default=plain)
        add(archive, "manifest.json", text.encode())
    return out


def facts(classifier: Classifier, half: bool) -> dict[str, Any]:
    """What model.py reads: how many networks, views and classes. And what people want to know."""
    return {"members": len(classifier.graphs), "shares": list(classifier.shares),
            "views": TTA[classifier.tta], "classes": len(classifier.class_names),
            "class_names": list(classifier.class_names),
            "weights": "float16" if half else "float32"}


def versions() -> dict[str, str]:
    """What the classifier was made with."""
    return {name: version(name) for name in VERSIONS}


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> str:
    """Store a file; its sha256."""
    archive.writestr(entry(name), content)
    return hashlib.sha256(content).hexdigest()


def add_arrays(archive: zipfile.ZipFile, name: str, arrays: Mapping[str, np.ndarray],
               half: bool) -> str:
    """Store arrays as an npz, without holding a copy of it in memory; its sha256."""
    with archive.open(entry(name), "w", force_zip64=True) as f:
        hashing = Hashing(f)
        with zipfile.ZipFile(hashing, "w") as npz:  # type: ignore[call-overload]
            for key in sorted(arrays):
                array = halved(arrays[key]) if half else arrays[key]
                with npz.open(entry(f"{key}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(array),
                                              allow_pickle=False)
    return hashing.digest.hexdigest()


class Hashing:
    """A stream that hashes what passes through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return self.stream.write(content)

    def flush(self) -> None:
        self.stream.flush()


def entry(name: str) -> zipfile.ZipInfo:
    """An archive entry that depends on nothing but its name."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def halved(array: np.ndarray) -> np.ndarray:
    """float16, where the array is worth it (more than one axis) and none of it overflows."""
    if array.ndim < 2 or array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        small = array.astype("float16")
    return small if np.isfinite(small).all() else array


def model_source() -> str:
    """The template, with the source of what it imports from ``zoo`` in place of the imports.

    zoo.graph comes whole; of other modules only the definitions that are named.
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    lines = text.splitlines()
    imports = [n for n in ast.parse(text).body
               if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("zoo.")]
    sources = []
    for node in sorted(imports, key=lambda n: n.module != "zoo.graph"):
        path = (ROOT / str(node.module).replace(".", "/")).with_suffix(".py")
        names = None if node.module == "zoo.graph" else {a.name for a in node.names}
        sources += definitions(path, names)
    lines[imports[0].lineno - 1:imports[-1].end_lineno] = sources
    return "\n".join(lines) + "\n"


def definitions(path: Path, names: set[str] | None) -> list[str]:
    """The lines of a module without its docstring, or of the definitions called ``names``."""
    text = path.read_text(encoding="utf-8")
    body = ast.parse(text).body
    lines = text.splitlines()
    if names is None:
        return lines[body[1].lineno - 1:]
    found = [n for n in body if isinstance(n, ast.FunctionDef) and n.name in names]
    return [line for n in found for line in ["", "", *lines[n.lineno - 1:n.end_lineno]]]
