"""Run folders as a stranger, a full disk or an older version may leave them."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

JSON = ("config", "metrics", "environment", "history", "forecast")
ARRAYS = ("predictions", "suite", "sample")
Change = Callable[[Path], None]


class Trap:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> tuple:
        return (os.mkdir, ("executed",))


def text(name: str, content: str | bytes) -> Change:
    def change(run: Path) -> None:
        (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return change


def without(name: str, *path: str) -> Change:
    """A record without the value at ``path``."""
    def change(run: Path) -> None:
        record = json.loads((run / name).read_text())
        inner = record[0] if isinstance(record, list) else record
        for key in path[:-1]:
            inner = inner[key]
        inner.pop(path[-1], None)
        (run / name).write_text(json.dumps(record))
    return change


def put(name: str, value: object, *path: str) -> Change:
    """A record with ``value`` at ``path``."""
    def change(run: Path) -> None:
        record = json.loads((run / name).read_text())
        inner = record[0] if isinstance(record, list) else record
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        (run / name).write_text(json.dumps(record))
    return change


def arrays(name: str, **changed: object) -> Change:
    """An npz with some arrays changed (a function of the old one) or gone (None)."""
    def change(run: Path) -> None:
        with np.load(run / name) as z:
            held = {k: z[k] for k in z.files}
        for key, function in changed.items():
            if function is None:
                held.pop(key, None)
            else:
                held[key] = function(held[key])  # type: ignore[operator]
        np.savez(run / name, **held)
    return change


def pickled(run: Path) -> None:
    """An object array that runs code when it is unpickled."""
    stream = io.BytesIO()
    stream.write(b"\x93NUMPY\1\0")
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    stream.write(len(head).to_bytes(2, "little") + head + pickle.dumps([Trap()]))
    with zipfile.ZipFile(run / "predictions.npz", "w") as z:
        for key in ("validation", "validation_labels", "validation_index"):
            z.writestr(f"{key}.npy", stream.getvalue())


def bomb(run: Path) -> None:
    """An array of 8 GB zeros in a few megabytes... of which only the head is written."""
    head = (b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1), }".ljust(117)
            + b"\n")
    with zipfile.ZipFile(run / "predictions.npz", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("validation.npy", b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head
                   + bytes(1 << 20))


def files() -> Iterator[tuple[str, Change]]:
    """Whole files replaced."""
    for name in JSON:
        for what, content in {"empty": "", "null": "null", "number": "3", "list": "[1, 2]",
                              "word": '"<script>alert(1)</script>"', "cut off": '{"a": [1, ',
                              "deep": "[" * 200_000, "not text": b"\xff\xfe\0", "NaN": "NaN",
                              "nothing": "{}", "many digits": "9" * 10_000}.items():
            yield f"{name}: {what}", text(f"{name}.json", content)
    for name in ARRAYS:
        for what, content in {"empty": b"", "words": b"no arrays", "cut off": b"PK\3\4\x14\0",
                              "empty zip": b"PK\5\6" + bytes(18)}.items():
            yield f"{name}: {what}", text(f"{name}.npz", content)


def fields() -> Iterator[tuple[str, Change]]:
    """Single fields of records replaced or gone."""
    for path in (("backbone",), ("weights",), ("protocol",), ("data",), ("folds",), ("seed",),
                 ("data", "hash"), ("data", "name"), ("data", "classes"), ("protocol", "name"),
                 ("weights", "origin"), ("data", "provenance")):
        yield f"config without {path}", without("config.json", *path)
        for value in (None, 7, [], {}, "\x1b[31m<b>", [["x"]], -1, 1e308):
            yield f"config {path} = {value!r}", put("config.json", value, *path)
    for path in (("validation",), ("test",), ("suite",), ("parameters",), ("milliseconds",),
                 ("validation", "accuracy"), ("validation", "worst_class"),
                 ("validation", "worst_class", "recall"), ("suite", "all")):
        yield f"metrics without {path}", without("metrics.json", *path)
        for value in (None, "0.9", [], {}, float("nan"), float("inf"), -5, 10 ** 400):
            yield f"metrics {path} = {value!r:.20}", put("metrics.json", value, *path)
    for path in (("forecast",), ("low",), ("high",), ("way",), ("run",)):
        yield f"forecast without {path}", without("forecast.json", *path)
        for value in (None, "x", [], float("nan"), 17.0):
            yield f"forecast {path} = {value!r}", put("forecast.json", value, *path)


def forms() -> Iterator[tuple[str, Change]]:
    """Single arrays of another form, or gone."""
    for name, keys in {"predictions": ("validation", "validation_labels", "validation_index",
                                       "validation_fold", "test", "test_labels"),
                       "suite": ("probabilities", "label", "source", "operation", "strength",
                                 "held_out"),
                       "sample": ("images", "position")}.items():
        for key in keys:
            yield f"{name} without {key}", arrays(f"{name}.npz", **{key: None})
            for what, function in FORMS.items():
                yield f"{name} {key}: {what}", arrays(f"{name}.npz", **{key: function})


def folder(run: Path) -> None:
    (run / "metrics.json").unlink()
    (run / "metrics.json").mkdir()


def link(target: str) -> Change:
    def change(run: Path) -> None:
        (run / "metrics.json").unlink()
        (run / "metrics.json").symlink_to(target)
    return change


def changes() -> Iterator[tuple[str, Change]]:
    """Every change with its name."""
    yield from files()
    yield from fields()
    yield from forms()
    yield "pickled objects", pickled
    yield "bomb", bomb
    yield "a record that is a folder", folder
    yield "a record that is a link to nothing", link("/nowhere")
    yield "a record that links to itself", link("metrics.json")


FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda a: a[:0], "half": lambda a: a[:len(a) // 2], "scalar": lambda a: np.array(1),
    "words": lambda a: np.full(len(a), "\x1b[2J"), "flat": lambda a: a.ravel(),
    "huge": lambda a: np.full(a.shape, 2 ** 62), "negative": lambda a: np.full(a.shape, -9),
    "NaN": lambda a: np.full(a.shape, np.nan), "deep": lambda a: a[..., None],
    "complex": lambda a: np.full(a.shape, 1j)}
