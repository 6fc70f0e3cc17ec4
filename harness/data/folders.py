"""Folders of pictures: one folder a class, any format that Pillow reads without other programs."""

import os
import re
import stat
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.archives import available_memory
from harness.data.dataset import Dataset
from harness.data.sources import CLASSES, SIDE, no_labels
from harness.terminal import say
from zoo.errors import UserError

NAMES = "classes.txt"
# EPS and WMF are drawn by other programs; the rest are stubs for plug-ins that read nothing.
REFUSED = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "FPX", "MIC"}
FILE = 1 << 30      # bytes; a larger file is no picture of this size
DEPTHS = (8, 10, 12, 14, 16)    # bits that cameras measure, and store in 16
# Folders named so, or "seg_train" and the like, are no classes where two different ones are there.
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}

Size = tuple[int, int]  # height, width


def load(path: Path, labelled: bool) -> Dataset:
    """Read every picture below ``path``.

    Folders are classes, in the order of ``classes.txt`` where there is one (a folder's name a
    line), of their numbers where all are numbers, alphabetical otherwise, where those that hold no
    picture are passed over. Where sizes differ, pictures are cropped in the middle and resized to
    the commonest size. Unreadable pictures are black and listed in ``Dataset.unreadable``.
    labelled: False takes pictures that lie in no folder, where there are no classes' folders.
    Raises UserError.
    """
    names = class_folders(path)
    files, labels = listed(path, names)
    loose = len(list(pictures(path, below=False)))
    if files:
        say_passed_over(path, names, loose)
    if not labelled and not files:
        names, files = (), list(pictures(path))
        labels = no_labels(len(files))
    check_classes(path, names, labels, loose, labelled)
    images, bad = read_all(path, files)
    return Dataset(images, labels, names, str(path), unreadable=bad)


def check_classes(path: Path, names: tuple[str, ...], labels: np.ndarray, loose: int,
                  labelled: bool) -> None:
    """Refuse a folder without pictures, and one with a single class where labels are wanted."""
    if not len(labels):
        there = f"{loose:,} pictures, but none in a class's folder" if loose else "no pictures"
        raise UserError(f"{path} holds {there}. Each class wants a folder of its own in it, such "
                        "as monocyte/0001.png.")
    if labelled and len(np.unique(labels)) < 2:
        only = names[labels[0]]
        raise UserError(f"{path} holds pictures of one class only, {only!r}. Each class wants a "
                        "folder of its own, and at least two are needed to learn anything. If the "
                        f"classes' folders lie deeper, name the one that holds them, such as "
                        f"{path / only}.")


def class_folders(path: Path) -> tuple[str, ...]:
    """The classes' folders in the order of their labels."""
    try:
        present = sorted(e.name for e in os.scandir(path)
                         if not e.name.startswith(".") and e.is_dir() and not loops(path, e))
    except OSError as e:
        raise UserError(f"{path} can't be read as a folder ({e.strerror}).") from e
    if len(present) > CLASSES:
        raise UserError(f"{path} holds {len(present):,} folders; at most {CLASSES:,} classes can "
                        "be told apart. Name the folder that holds one folder a class.")
    stated = read_names(path / NAMES)
    filled = [name for name in present if next(pictures(path / name), None)]
    if stated is None:
        parts = {name: word for name in filled for word in re.split(r"[^a-z]+", name.lower())
                 if word in SPLITS}
        if len(set(parts.values())) > 1:
            raise UserError(f"{path} holds the parts of a data set ({', '.join(parts)}), not one "
                            "folder a class. Name one of these folders instead; if they are "
                            f"classes, list them in {NAMES}.")
        if filled and len(filled) < len(present):
            passed = ", ".join(name for name in present if name not in filled)
            say(f"{path}: passed over, because no picture lies in it: {passed[:200]}.")
        numbered = all(name.isdecimal() for name in filled)
        return tuple(sorted(filled, key=int) if numbered else filled)
    unknown = sorted(set(filled) - set(stated))
    if unknown:
        raise UserError(f"{path / NAMES} doesn't list the folder {unknown[0]!r}. Add it, or move "
                        "the folder away.")
    return stated


def loops(path: Path, entry: os.DirEntry[str]) -> bool:
    """Whether a link leads back to the folder itself or to one above it."""
    return entry.is_symlink() and path.resolve().is_relative_to(Path(entry.path).resolve())


def read_names(path: Path) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"{path} can't be read as a list of classes ({e}).") from e
    names = tuple(line.strip() for line in lines if line.strip())
    if not names or len(set(names)) < len(names):
        raise UserError(f"{path} must name each class's folder once, one a line.")
    outside = [n for n in names if n == ".." or n != Path(n).name or "\\" in n or "\0" in n]
    if outside:
        raise UserError(f"{path} names {outside[0]!r}, which is no folder beside it. Write the "
                        "folder's name alone.")
    return names


def listed(path: Path, names: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """Every picture in the classes' folders, and its label (N,)."""
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        found = list(pictures(path / name))
        files += found
        labels += [label] * len(found)
    return files, np.array(labels, np.int64)


def pictures(folder: Path, below: bool = True) -> Iterator[Path]:
    """Files that may be pictures in ``folder``, sorted, and below it; links to folders aren't
    followed."""
    from PIL import Image

    known = Image.registered_extensions()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if below and not f.startswith("."))
        for name in sorted(names):
            suffix = Path(name).suffix.lower()
            if not name.startswith(".") and (suffix in known or not suffix):
                yield Path(place, name)


def say_passed_over(path: Path, names: tuple[str, ...], loose: int) -> None:
    """Say which files are no pictures, or lie in no class's folder."""
    if loose:
        say(f"{path}: files passed over, because they lie in no class's folder: {loose:,}.")
    others = unknown(path, names)
    if others:
        kinds = ", ".join(sorted(others)[:8])
        say(f"{path}: files passed over, because they are of no kind of picture that can be read "
            f"({kinds}): {others.total():,}.")


def unknown(path: Path, names: tuple[str, ...]) -> Counter[str]:
    """How many files of each other kind lie in the classes' folders."""
    from PIL import Image

    known = Image.registered_extensions()
    found: Counter[str] = Counter()
    for name in names:
        for _, folders, files in os.walk(path / name):
            folders[:] = [f for f in folders if not f.startswith(".")]
            suffixes = (Path(f).suffix.lower() for f in files if not f.startswith("."))
            found.update(s for s in suffixes if s and s not in known)
    return found


def read_all(path: Path, files: list[Path]) -> tuple[np.ndarray, tuple[int, ...]]:
    """Pictures u8 (N, H, W, 3) and the positions of those that can't be read."""
    headers = [header_of(file) for file in files]
    counted = Counter(header[0] for header in headers if header is not None)
    if not counted:
        raise UserError(f"{path}: none of its {len(files):,} files can be read as a picture from "
                        f"{SIDE[0]}x{SIDE[0]} to {SIDE[1]}x{SIDE[1]} pixels.")
    size, usual = shared_size(counted)
    need = len(files) * size[0] * size[1] * 3
    if need > available_memory():
        raise UserError(f"{path}: {len(files):,} pictures of {size[0]}x{size[1]} pixels need "
                        f"{need / 1e9:.1f} GB of memory and only {available_memory() / 1e9:.1f} GB "
                        "are free. Use fewer or smaller pictures.")
    if len(counted) > 1:
        say(f"{path}: {counted.total() - counted[size]:,} of {counted.total():,} pictures were "
            f"resized to {size[0]}x{size[1]}, {usual}.")
    images = np.zeros((len(files), *size, 3), np.uint8)

    def read(i: int) -> bool:
        picture = None if headers[i] is None else decoded(files[i], size, bits)
        if picture is not None:
            images[i] = picture
        return picture is not None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        deep = [file for file, header in zip(files, headers, strict=True) if header and header[1]]
        highest = max(pool.map(brightest, deep), default=0)
        bits = next(b for b in DEPTHS if highest < 1 << b)
        fine = list(pool.map(read, range(len(files))))
    if not any(fine):
        raise UserError(f"{path}: none of its {len(files):,} files can be read as a picture.")
    return images, tuple(i for i, ok in enumerate(fine) if not ok)


def shared_size(counted: Counter[Size]) -> tuple[Size, str]:
    """The size that all pictures get, and why: the commonest; of several, the most usual one."""
    most = max(counted.values())
    common = sorted(size for size, n in counted.items() if n == most)
    if len(common) == 1:
        return common[0], "the commonest size"
    middle = np.median(list(counted.elements()), 0)
    return min(common, key=lambda size: np.abs(middle - size).sum()), "nearest to the median size"


def opened(file: Path) -> Any:
    """A Pillow image whose pixels aren't read yet. Raises what Pillow raises, and OSError."""
    from PIL import Image

    Image.init()
    status = file.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > FILE:
        raise OSError("no regular file of a sensible size")
    return Image.open(file, formats=[f for f in Image.OPEN if f not in REFUSED])


def header_of(file: Path) -> tuple[Size, bool] | None:
    """Height and width, turned as the picture says, and whether it has 16 bits; None where it's
    unusable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with opened(file) as image:
                width, height = image.size
                if image.format == "TIFF":  # some versions of Pillow turn its size, some don't
                    width, height = image.tag_v2[256], image.tag_v2[257]
                if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                    width, height = height, width
                deep = is_deep(image, image.format)
    except Exception:  # Pillow's readers raise whatever a damaged file makes them stumble over
        return None
    fits = all(SIDE[0] <= n <= SIDE[1] for n in (height, width))
    return ((height, width), deep) if fits else None


def is_deep(image: Any, format: str | None) -> bool:
    """Whether it is grey with 16 bits."""
    return image.mode.startswith("I;16") or (image.mode == "I" and format == "PNG")


def brightest(file: Path) -> int:
    """The highest value of a picture; 0 where it can't be read."""
    try:
        with opened(file) as image:
            return int(np.asarray(image).max())
    except Exception:  # as above
        return 0


def decoded(file: Path, size: Size, bits: int) -> np.ndarray | None:
    """The picture as u8 (H, W, 3); None where it can't be read. bits: those that 16 hold."""
    from PIL import Image, ImageOps

    try:
        with opened(file) as image:
            picture = as_rgb(ImageOps.exif_transpose(image), image.format, bits)
            if (picture.height, picture.width) != size:
                picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(picture)
    except Exception:  # as above
        return None


def as_rgb(image: Any, format: str | None, bits: int) -> Any:
    """Any mode as RGB: 16-bit grey, of which ``bits`` are used, is scaled, and what is transparent
    becomes white."""
    from PIL import Image

    if is_deep(image, format):
        values = np.asarray(image) >> (bits - 8)
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        fractions = values.max(initial=0) <= 1 and (values != np.floor(values)).any()  # 0..1?
        if fractions or not ((values >= 0) & (values <= 255)).all():
            raise ValueError("its range of values is unknown")
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
