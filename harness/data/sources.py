"""Where pictures come from: one function for every kind of source.

A source is the embedded demo ("demo", "demo-test"), a MedMNIST name ("medmnist:bloodmnist128"),
an npz file, or a folder of pictures. Adding one is a row in SOURCES.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.data.archives import Npz
from harness.data.dataset import BLOOD_CELLS, Dataset
from zoo.errors import UserError

DEMO = ("demo", "demo-test")
SIDE = (8, 4096)            # pixels, smallest and largest
CLASSES = 1000
COMPETITION = (96, 96, 3)
FAINT = 16          # fractions up to no more than this hardly are 0..255
# Pictures of each class in the training split of BloodMNIST (MedMNIST v2, Yang et al. 2023), which
# the contest's pictures are.
CELLS = (852, 2181, 1085, 2026, 849, 993, 2330, 1643)
LIKE = 0.1                  # share of pictures that may lie in other classes than there
NAME_KEYS = ("class_names", "classes", "label_names")


def load(source: str | os.PathLike[str], images_key: str = "images", labels_key: str = "labels",
         labelled: bool = True, tolerant: bool = False) -> Dataset:
    """Read a data set.

    source: see above; labelled: False reads a target file, whose labels become -1 where it has
    none; tolerant: pictures that can't be used (NaN, unreadable files) are marked in
    ``Dataset.unreadable`` instead of refusing an npz file. Raises UserError: what is wrong,
    where, what to do.
    """
    text = str(source)
    if not text:
        raise UserError("No source of pictures is named. Name a file or a folder, or use demo.")
    for matches, read in SOURCES:
        if matches(text):
            dataset = read(text, images_key, labels_key, labelled, tolerant)
            check_words(text, *dataset.class_names)
            return dataset
    raise UserError(f"{text!r} is no source of pictures.")


def check_words(*words: str) -> None:
    """Refuse names that no record could hold, because they aren't written in UTF-8."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as e:
            raise UserError(f"The name {word!r} isn't written in UTF-8. Rename the file, the "
                            "folder, or the class.") from e


def load_judged(source: str | os.PathLike[str], images_key: str = "images",
                labels_key: str = "labels") -> Dataset:
    """Read a labelled set that nothing is trained on: classes may be missing, or all but one."""
    dataset = load(source, images_key, labels_key, labelled=False)
    if not dataset.labelled:
        raise UserError(f"{source} holds no labels under {labels_key!r}. Name the array that holds "
                        "them with --labels-key.")
    if dataset.unreadable:
        raise UserError(f"{len(dataset.unreadable):,} pictures of {source} can't be read, the "
                        f"first is number {dataset.unreadable[0]}. Remove them from it.")
    return replace(dataset, class_names=dataset.class_names or usual_names(
        dataset.images, np.bincount(dataset.labels)))


def is_missing(source: str) -> bool:
    """Whether ``source`` is a path, and nothing is there."""
    named = source in DEMO or ":" in source
    return not named and not os.path.exists(source)  # False for names that are too long, too


Reader = Callable[[str, str, str, bool, bool], Dataset]


def read_demo(source: str, images_key: str, labels_key: str, labelled: bool,
              tolerant: bool) -> Dataset:
    from harness.data import demo

    return demo.train() if source == "demo" else demo.test()


def read_medmnist(source: str, images_key: str, labels_key: str, labelled: bool,
                  tolerant: bool) -> Dataset:
    from harness.data import medmnist

    return medmnist.load(source)


def read_folder(source: str, images_key: str, labels_key: str, labelled: bool,
                tolerant: bool) -> Dataset:
    from harness.data import folders

    return folders.load(Path(source), labelled)


def read_npz(source: str, images_key: str, labels_key: str, labelled: bool,
             tolerant: bool) -> Dataset:
    """Read an npz file; a MedMNIST file gives its training split where no key was named."""
    from harness.data import medmnist

    path = Path(source)
    if not os.path.exists(path):
        raise UserError(f"{source[:200]} does not exist. Check the path, or use --data demo.")
    if not path.is_file():  # a device or a pipe would be read without end
        raise UserError(f"{path} is neither a file nor a folder. Write the data into a file.")
    with Npz(path) as npz:
        if images_key == "images" and "images" not in npz.keys and medmnist.is_one(npz.keys):
            return medmnist.read_split(npz, "train")
        need(npz, images_key, "--images-key")
        if labelled:
            need(npz, labels_key, "--labels-key")
        images, unreadable = as_images(npz.read(images_key), path, images_key, tolerant)
        labels = no_labels(len(images))
        if labels_key in npz.keys and (labelled or labels_key != images_key):
            labels = as_labels(npz.read(labels_key), path, labels_key, len(images))
        names = names_in(npz)
        role = medmnist.role_of(path, images_key) or "competition"
    if labelled:
        names = class_names(images, labels, names, path, labels_key)
    elif names and labels.max() >= len(names):
        refuse_label(labels, len(names), path, labels_key)
    return Dataset(images, labels, names or (), str(path), role, unreadable)


SOURCES: tuple[tuple[Callable[[str], bool], Reader], ...] = (
    (lambda s: s in DEMO, read_demo),
    (lambda s: s.startswith("medmnist:"), read_medmnist),
    (os.path.isdir, read_folder),
    (lambda s: True, read_npz),
)


def need(npz: Npz, key: str, option: str) -> None:
    """Refuse a file without ``key``, and say which it has."""
    if key not in npz.keys:
        if npz.keys and not npz.arrays:
            raise UserError(f"{npz.path} is a zip that holds no array, but files such as "
                            f"{npz.keys[0]!r}. Unpack it, and name its folder that holds one "
                            "folder a class.")
        there = ", ".join(repr(k) for k in npz.keys[:20]) or "none at all"
        raise UserError(f"{npz.path} has no array {key!r}; it holds {there}. "
                        f"Name the right one with {option}.")


def as_images(array: np.ndarray, path: Path, key: str,
              tolerant: bool = False) -> tuple[np.ndarray, tuple[int, ...]]:
    """Check pictures and give them as uint8 (N, H, W, 3), and which of them are NaN.

    Grey pictures, (N, H, W) or (N, H, W, 1), get three equal channels. Whole numbers from 0 to
    255 of any type are taken; others are refused rather than scaled by guesswork.
    """
    where = f"{path}: {key!r}"
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3):
        hint = ""
        if array.ndim == 4 and array.shape[1] in (1, 3):
            hint = " Put the channels last with images.transpose(0, 2, 3, 1)."
        elif array.ndim == 4 and array.shape[2] in (1, 3):
            hint = " Put the pictures first with images.transpose(3, 0, 1, 2)."
        elif array.ndim == 4 and array.shape[-1] == 4:
            hint = " Take the transparency off with images[..., :3]."
        raise UserError(f"{where} has the shape {array.shape}; pictures must be (N, height, "
                        f"width, 3), or (N, height, width) for grey ones.{hint}")
    if not len(array):
        raise UserError(f"{where} holds no picture at all.")
    if not all(SIDE[0] <= n <= SIDE[1] for n in array.shape[1:3]):
        raise UserError(f"{where} holds pictures of {array.shape[1]}x{array.shape[2]} pixels; "
                        f"from {SIDE[0]}x{SIDE[0]} to {SIDE[1]}x{SIDE[1]} can be used.")
    bad: tuple[int, ...] = ()
    if array.dtype.kind in "iu" and array.min() == 0 and array.max() == 1:
        raise UserError(f"{where} holds only 0 and 1, which are hardly different as pictures of "
                        "0..255. Write them as (images * 255).astype('uint8').")
    if array.dtype != np.uint8:
        array, bad = to_uint8(array, where, tolerant)
    if array.shape[-1] == 1:
        array = np.repeat(array, 3, axis=-1)
    return np.ascontiguousarray(array), bad


def to_uint8(array: np.ndarray, where: str, tolerant: bool) -> tuple[np.ndarray, tuple[int, ...]]:
    """Pictures of another type as uint8, where nothing is lost by it."""
    if array.dtype.kind not in "iuf":
        raise UserError(f"{where} holds {array.dtype}, not numbers. Pictures must be uint8, "
                        "0..255.")
    bad = np.array([], np.int64)
    if array.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))
        if len(bad) and not tolerant:
            raise UserError(f"{where} holds NaN or infinity in {len(bad):,} of {len(array):,} "
                            f"pictures, the first is number {bad[0]}. Remove them, or write the "
                            "pictures as uint8; `harness clean` lists them.")
        if len(bad):
            array = array.copy()
            array[bad] = 0
    low, high = array.min(), array.max()
    whole = array.dtype.kind != "f" or bool((array == np.floor(array)).all())
    fraction = array.dtype.kind == "f" and low >= 0 and 0 < high <= 1
    if low < 0 or high > 255 or not whole or fraction:
        scaled = ("images * 255" if fraction else
                  "(images + 1) * 127.5" if low >= -1 and high <= 1 else
                  "images" if low >= 0 and FAINT < high <= 255 else None)
        hint = (f" Write them as ({scaled}).round().astype('uint8')." if scaled else
                " Scale them to that range, and write them as uint8.")
        raise UserError(f"{where} holds {array.dtype} from {low:.4g} to {high:.4g}; pictures must "
                        f"be whole numbers, 0..255.{hint}")
    return array.astype(np.uint8), tuple(int(i) for i in bad)


def as_labels(array: np.ndarray, path: Path, key: str, n: int) -> np.ndarray:
    """Check labels and give them as int64 (N,); (N, 1) is taken as well."""
    where = f"{path}: {key!r}"
    if array.dtype.kind not in "iuf":
        hint = (" Write them as numpy.unique(labels, return_inverse=True)[1], and their names, "
                "numpy.unique(labels), as 'class_names'." if array.dtype.kind in "USb" else "")
        raise UserError(f"{where} holds {array.dtype}; labels must be whole numbers from 0.{hint}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = ("" if array.ndim != 2 else " Write them as labels[0]." if array.shape == (1, n)
                else " If they are one-hot, write them as labels.argmax(1).")
        raise UserError(f"{where} has the shape {array.shape}; labels must be (N,) or (N, 1), one "
                        f"number a picture.{hint}")
    if len(array) != n:
        raise UserError(f"{where} holds {len(array):,} labels for {n:,} pictures. "
                        "Both must have the same length.")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
        raise UserError(f"{where} holds NaN or fractions; labels must be whole numbers from 0.")
    outside = (array < 0) | (array >= CLASSES)
    if outside.any():
        first = int(np.argmax(outside))
        raise UserError(f"{where}: label {array[first]:.12g} of picture {first} is out of range; "
                        f"labels go from 0 to the number of classes minus one (below {CLASSES}).")
    return array.astype(np.int64)


def no_labels(n: int) -> np.ndarray:
    return np.full(n, -1, np.int64)


def names_in(npz: Npz) -> tuple[str, ...] | None:
    """The class names that a file holds itself; an array of something else is left unread."""
    for key in NAME_KEYS:
        if key not in npz.keys:
            continue
        shape, dtype = npz.shape(key)
        if dtype.kind in "US" and len(shape) == 1 and shape[0] <= CLASSES:
            names = tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n)
                          for n in npz.read(key))
            if len(set(names)) == len(names):   # or they are one a picture
                return names
    return None


def class_names(images: np.ndarray, labels: np.ndarray, names: tuple[str, ...] | None,
                path: Path, key: str = "labels") -> tuple[str, ...]:
    """Names for the labels that occur; refuses one class only, and labels out of range."""
    counts = np.bincount(labels)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        raise UserError(f"{path}: {key!r} holds one class only ({present[0]}). "
                        "At least two are needed to learn anything.")
    known = names
    if known is None and usual_names(images, counts) == BLOOD_CELLS:
        known = BLOOD_CELLS
    if known is not None:
        if len(counts) > len(known):
            refuse_label(labels, len(known), path, key)
        return known
    if len(counts) - len(present) > max(1, len(counts) // 4):
        gap = int(np.flatnonzero(counts == 0)[0])
        if counts[gap:].sum() * 2 < counts.sum():
            refuse_label(labels, gap, path, key)
        raise UserError(f"{path}: {key!r} holds {len(present)} different labels, up to "
                        f"{present[-1]}; they must go from 0 to {len(present) - 1}. Write them as "
                        "numpy.unique(labels, return_inverse=True)[1].")
    return usual_names(images, counts)


def usual_names(images: np.ndarray, counts: np.ndarray) -> tuple[str, ...]:
    """Names for classes that the file doesn't name."""
    if images.shape[1:] == COMPETITION and is_competition(counts):
        return BLOOD_CELLS
    return tuple(f"class {c}" for c in range(len(counts)))


def is_competition(counts: np.ndarray) -> bool:
    """Eight classes hold (nearly) all pictures, each about as many as in the contest: a stray
    ninth label is a fault then, not a class."""
    k, n = len(CELLS), counts.sum()
    if len(counts) < k or counts[k:].sum() * 200 >= n:
        return False
    differ = np.abs(counts[:k] / counts[:k].sum() - np.array(CELLS) / sum(CELLS)).sum() / 2
    return bool(differ < LIKE)


def refuse_label(labels: np.ndarray, k: int, path: Path, key: str) -> None:
    first = int(np.argmax(labels >= k))
    raise UserError(f"{path}: {key!r}: label {labels[first]} of picture {first} is out of range; "
                    f"the file has {k} classes, 0..{k - 1}. Correct it, or remove the picture.")
