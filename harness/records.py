"""What a run's records must look like before anybody computes with them.

    Record                     a dict in which a missing key is a sentence, not a KeyError
    read_record(path)          a JSON file as Records, its known fields checked
    check_arrays(name, ...)    the arrays of an npz, their kinds and lengths

Runs come from other machines, versions and people. Fields that nobody here knows are left alone.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UserError
from zoo.files import read_json

Check = Callable[[Any], bool]
MEND = "Delete the run's folder, or train it again."
LONGEST = 10_000  # characters of a word


class Missing(UserError, KeyError):
    """A field that isn't there, for people and for whoever expects a KeyError of a dict."""

    def __str__(self) -> str:
        return str(self.args[0])


class Record(dict[str, Any]):
    """A part of a record; ``path`` is the file that it is from."""

    path: Path = Path()

    def __missing__(self, key: str) -> Any:
        raise Missing(f"{self.path} has no {key!r}: it is damaged, or of another version. {MEND}")


def number(value: Any) -> bool:
    try:
        return (isinstance(value, int | float) and not isinstance(value, bool)
                and math.isfinite(value))
    except OverflowError:
        return False


def share(value: Any) -> bool:
    return number(value) and 0 <= value <= 1


def amount(value: Any) -> bool:
    return number(value) and value >= 0


def whole(value: Any) -> bool:
    return isinstance(value, int) and number(value) and 0 <= value < 2 ** 53


def word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def words(value: Any) -> bool:
    return isinstance(value, list) and all(map(word, value))


def positions(value: Any) -> bool:
    return isinstance(value, list) and all(map(whole, value))


def amounts(value: Any) -> bool:
    return isinstance(value, list) and all(map(amount, value))


def seconds(value: Any) -> bool:
    return isinstance(value, dict) and all(map(amount, value.values()))


WORST = {"name": word, "recall": share, "precision": share}
JUDGED = {"accuracy": share, "worst_class": WORST}
# name: its known fields; a dict for a record in the record, a list for many of a kind, a tuple for
# what may be None as well
SHAPES: dict[str, Any] = {
    "config": {"backbone": word, "weights": {"origin": word}, "protocol": {"name": word},
               "data": {"hash": word, "name": word, "provenance": word, "classes": words},
               "reading": {"images_key": word, "labels_key": word, "keep": positions,
                           "drop": positions},
               "folds": whole, "seed": whole, "identity": word, "members": words,
               "shares": amounts, "of": word},
    "metrics": {"validation": JUDGED, "test": (JUDGED, None), "suite": {"all": (share, None)},
                "parameters": whole, "milliseconds": amount},
    "environment": {"seconds": seconds},
    "history": [{}],
    "forecast": [{"run": word, "way": word, "forecast": share, "low": share, "high": share,
                  "sampling": amount, "assumes": word}],
}

MAY_BE_MISSING = {"identity", "members", "of", "reading", "shares", "sampling", "assumes"}


def reading(config: dict[str, Any]) -> dict[str, Any]:
    """How a run's source was read: arguments of ``harness.prepare.prepare``."""
    return {k: v for k, v in config.get("reading", {}).items() if k in SHAPES["config"]["reading"]}


def read_record(path: Path) -> Any:
    """The JSON at ``path`` (config.json, ...) as Records.

    Raises UserError where it can't be read, or where a known field is not what it must be.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist. {MEND}")
    try:
        value = recorded(read_json(path), path)
    except RecursionError as e:
        raise UserError(f"{path} is damaged: it is nested too deeply. {MEND}") from e
    check(value, SHAPES[path.stem], path, path.stem)
    return value


def recorded(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        made = Record({k: recorded(v, path) for k, v in value.items()})
        made.path = path
        return made
    return [recorded(v, path) for v in value] if isinstance(value, list) else value


def check(value: Any, shape: Any, path: Path, name: str) -> None:
    """Raise UserError where ``value``, which is there, isn't of this shape."""
    if isinstance(shape, tuple):
        if value is not None:
            check(value, shape[0], path, name)
    elif isinstance(shape, list):
        refuse(not isinstance(value, list), path, name)
        for one in value:
            check(one, shape[0], path, name)
    elif isinstance(shape, dict):
        refuse(not isinstance(value, dict), path, name)
        for key in shape.keys() & value.keys():
            check(value[key], shape[key], path, f"{name}: {key}")
    else:
        refuse(not shape(value), path, name)


def require(record: Any, name: str) -> None:
    """Raise UserError where a field that every command needs is missing from ``record``."""
    shape = SHAPES[name]
    for one, fields in ([(r, shape[0]) for r in record] if isinstance(shape, list)
                        else [(record, shape)]):
        for key in fields.keys() - MAY_BE_MISSING:
            part = one[key]
            for inner in fields[key] if isinstance(fields[key], dict) else ():
                part[inner]


def refuse(wrong: bool, path: Path, name: str) -> None:
    if wrong:
        raise UserError(f"{path} is damaged: {name} is not what it must be. {MEND}")


# name of the npz: arrays that must be there, (axes, kinds, whose length it shares)
ARRAYS: dict[str, dict[str, tuple[int, str, str]]] = {
    "predictions": {"validation": (2, "f", "validation"),
                    "validation_labels": (1, "iu", "validation"),
                    "validation_index": (1, "iu", "validation"),
                    "validation_fold": (1, "iu", "validation")},
    "suite": {"probabilities": (2, "f", "probabilities"), "label": (1, "iu", "probabilities"),
              "source": (1, "iu", "probabilities"), "operation": (1, "U", "probabilities"),
              "strength": (1, "iu", "probabilities"), "held_out": (1, "b", "probabilities")},
    "sample": {"images": (4, "u", "images"), "position": (1, "iu", "images")},
}
TEST = {"test": (2, "f", "test"), "test_labels": (1, "iu", "test")}
LABELS = {"validation_labels": "validation", "label": "probabilities"}


def check_arrays(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``arrays`` of predictions.npz, suite.npz or sample.npz. Raises UserError."""
    wanted = dict(ARRAYS[path.stem])
    if path.stem == "predictions" and "test" in arrays:
        wanted |= TEST if "test_labels" in arrays else {"test": TEST["test"]}
    for name, (axes, kinds, like) in wanted.items():
        refuse(name not in arrays, path, name)
        array = arrays[name]
        refuse(array.ndim != axes or array.dtype.kind not in kinds or not len(array)
               or len(array) != len(arrays[like]), path, name)
        refuse(array.dtype.kind == "f" and not np.isfinite(array).all(), path, name)
        if name in LABELS:
            classes = arrays[LABELS[name]].shape[1]
            refuse(bool((array < 0).any() or (array >= classes).any()), path, name)
    return arrays
