"""MedMNIST files: their splits kept apart, and BloodMNIST kept away from contest entries.

The contest's cells are BloodMNIST's training split, and its hidden tests are most likely distorted
copies of the other two. Training, tuning or choosing an entry with any of them would make every
forecast a lie, so such pictures carry the benchmark's name as their role, which preparing an entry
refuses. As a benchmark of its own BloodMNIST can be loaded split by split.

Yang et al., "MedMNIST v2", Scientific Data 10, 2023; CC BY 4.0.
"""

import os
from collections.abc import Collection
from pathlib import Path

from harness.data.archives import Npz
from harness.data.dataset import BLOOD_CELLS, Dataset
from zoo.errors import UserError

SPLITS = ("train", "val", "test")
COUNTS = (11_959, 1_712, 3_421)     # BloodMNIST's splits
BENCHMARK = "BloodMNIST"
ADDRESS = "https://zenodo.org/records/10519652/files/"
# name: (file, md5 as MedMNIST states it)
FILES = {"bloodmnist28": ("bloodmnist.npz", "7053d0359d879ad8a5505303e11de1dc"),
         "bloodmnist64": ("bloodmnist_64.npz", "2b94928a2ae4916078ca51e05b6b800b"),
         "bloodmnist128": ("bloodmnist_128.npz", "adace1e0ed228fccda1f39692059dd4c"),
         "bloodmnist224": ("bloodmnist_224.npz", "b718ff6835fcbdb22ba9eacccd7b2601")}


def is_one(keys: Collection[str]) -> bool:
    """Whether an npz file with these arrays is laid out as MedMNIST's are."""
    return {f"{s}_{what}" for s in SPLITS for what in ("images", "labels")} <= set(keys)


def is_bloodmnist(npz: Npz) -> bool:
    """By the file's name, or by the sizes of the splits where it was renamed."""
    if not is_one(npz.keys):
        return False
    sizes = tuple((npz.shape(f"{s}_images")[0] or (0,))[0] for s in SPLITS)
    return npz.path.name.lower().startswith("bloodmnist") or sizes == COUNTS


def role_of(path: Path, key: str) -> str | None:
    """The benchmark whose pictures lie under ``key`` in the npz file; None where it is none.

    Validation and test splits of other MedMNIST files are held out as well.
    """
    with Npz(path) as npz:
        if key not in npz.keys or not is_one(npz.keys):
            return None
        if is_bloodmnist(npz):
            return BENCHMARK
    return f"MedMNIST {key}" if key in ("val_images", "test_images") else None


def read_split(npz: Npz, split: str) -> Dataset:
    """One split of a MedMNIST file, with the file's own division as its role.

    Raises UserError for what no harness for one label a picture can use: several labels a
    picture, volumes.
    """
    from harness.data import sources

    images_key, labels_key = f"{split}_images", f"{split}_labels"
    images, _ = sources.as_images(npz.read(images_key), npz.path, images_key)
    labels = sources.as_labels(npz.read(labels_key), npz.path, labels_key, len(images))
    known = BLOOD_CELLS if is_bloodmnist(npz) else sources.names_in(npz)
    names = sources.class_names(images, labels, known, npz.path, labels_key)
    role = role_of(npz.path, images_key) or "competition"
    # A run is read again by this name, and the file's own name stands for its training split.
    provenance = str(npz.path) if split == "train" else f"{npz.path} ({split})"
    return Dataset(images, labels, names, provenance, role)


def load(source: str) -> Dataset:
    """Read "medmnist:NAME" or "medmnist:FILE.npz", with "/val" or "/test" for another split.

    A named file is looked for in the current folder and in ~/.medmnist, and fetched into the
    latter where it is in neither; what was cut off goes on where it stopped, and the md5 must be
    the stated one. Raises UserError.
    """
    name = source.removeprefix("medmnist:")
    split = "train"
    head, _, tail = name.rpartition("/")
    if tail in SPLITS and head:
        name, split = head, tail
    path = Path(name) if name.endswith(".npz") else find(name)
    with Npz(path) as npz:
        if not is_one(npz.keys):
            raise UserError(f"{path} is no MedMNIST file: it lacks train_images and the like. "
                            "Give it without 'medmnist:', and its keys with --images-key.")
        return read_split(npz, split)


def find(name: str) -> Path:
    """The local file of a data set, fetched if need be."""
    known = FILES.get(name.lower().replace("_", "")) or FILES.get(f"{name.lower()}28")
    if known is None:
        raise UserError(f"{name!r} is no MedMNIST set that can be fetched; those are "
                        f"{', '.join(FILES)}. Fetch others yourself and give medmnist:FILE.npz.")
    file, md5 = known
    home = Path(os.environ.get("HARNESS_MEDMNIST") or Path.home() / ".medmnist")
    for path in (Path(file), home / file):
        if path.is_file():
            return path
    return fetched(home / file, md5)


def fetched(target: Path, md5: str) -> Path:
    """Fetch a file, going on where an earlier attempt was cut off."""
    from zoo import weights

    url = f"{ADDRESS}{target.name}"
    try:
        weights.download(url, target, md5)
    except weights.NotFetched as e:
        raise UserError(f"{target.name} is neither here nor in {target.parent}, and fetching {url} "
                        f"failed: {e}. Fetch it on another machine and put it into "
                        f"{target.parent}.") from e
    return target
