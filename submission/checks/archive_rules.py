"""Rules 1 to 16: the archive and what lies in it."""

import difflib
import sys
from collections import Counter
from collections.abc import Iterator

from submission.archive import DAMAGES
from submission.checks import facts
from submission.checks.facts import Facts
from submission.rule import ERROR, NOTE, WARNING, Rule
from zoo.zips import Zip

LARGE = 500 << 20       # bytes; uploads of this size were accepted, yet they take long
PACKED = (".zip", ".tar", ".gz", ".rar", ".7z")
LEFT_OVER = (*PACKED, ".ipynb", ".pyc", ".log", ".tmp", ".bak", ".swp", ".pdf",
             ".png", ".jpg", ".jpeg", ".csv", ".tfevents")
WEIGHTS = (".keras", ".h5", ".hdf5", ".npz", ".npy", ".pkl", ".pickle", ".tflite", ".pb",
           ".onnx", ".pt", ".pth", ".ckpt", ".safetensors", ".joblib", ".bin")
METADATA = ("metadata", "metadata.yaml")
STARTS = {facts.POINTER: "it is a Git LFS pointer", b"Rar!": "it is a RAR archive",
          b"7z\xbc\xaf": "it is a 7z archive", b"\x1f\x8b": "it is a .gz archive",
          b"<": "it is a web page", b"PK\3\4": "its end is missing, it wasn't copied whole"}
NAME = 64               # characters that the platform keeps of a file's name


def damaged(f: Facts) -> Iterator[str]:
    if f.archive.damage:
        with f.archive.path.open("rb") as file:
            start = file.read(64)
        why = next((what for mark, what in STARTS.items() if start.startswith(mark)),
                   f.archive.damage if start else "it is empty")
        yield f"{f.archive.path.name} is no zip that can be read: {why}."
    elif f.archive.bomb is None and f.archive.broken:
        yield f"{f.archive.broken}."


def dangerous(f: Facts) -> Iterator[str]:
    for reason in f.archive.refusals():
        yield f"The archive isn't unpacked: {reason}."
        return


def twice(f: Facts) -> Iterator[str]:
    for name in sorted(n for n, count in Counter(f.archive.names).items() if count > 1):
        yield f"{name} is in the archive more than once; which one counts is not defined."


def no_model(f: Facts) -> Iterator[str]:
    if f.archive.damage or "model.py" in f.archive.names:
        return
    inner = [n for n in f.names if n.replace("\\", "/").lower().endswith("/model.py")]
    scripts = [n for n in f.names if n.lower().endswith((".py", ".ipynb"))]
    near = difflib.get_close_matches("model.py", scripts, n=1, cutoff=0.5)
    where = (f"it lies in a folder, as {inner[0]}" if inner else
             f"there is {near[0]}" if near else "nothing resembles it")
    yield f"There is no model.py at the root of the archive; {where}."


def unreadable(f: Facts) -> Iterator[str]:
    if "model.py" in f.archive.names and f.archive.model is None:
        yield "model.py is no UTF-8 text."
    elif f.sources:
        yield from (f"{file} is no UTF-8 text." for file, text in f.unread.items() if text is None)


def pointers(f: Facts) -> Iterator[str]:
    for name in f.pointers:
        yield f"{name} is a Git LFS pointer of {f.archive.sizes[name]} bytes, not the file itself."


def empty(f: Facts) -> Iterator[str]:
    for name in f.names:
        if not f.archive.sizes[name] and (name.lower().endswith(WEIGHTS) or name == "model.py"):
            yield f"{name} is empty."


def damaged_weights(f: Facts) -> Iterator[str]:
    for network in f.networks:
        if not network.kind and f.archive.sizes[network.name] and network.name not in f.pointers:
            yield f"{network.name} is no Keras file that can be read, or a damaged one."
    for name in f.names:
        if name.lower().endswith(WEIGHTS) and name not in [n.name for n in f.networks]:
            start = f.archive.read(name, 64).lstrip().lower()
            if start.startswith((b"<!doctype", b"<html", b"<?xml")):
                yield f"{name} is a web page, not what was to be downloaded."
            elif name.lower().endswith(".npz") and start.startswith(b"pk") and not whole(f, name):
                yield f"{name} is damaged: arrays that numpy can't read."


def whole(f: Facts, name: str) -> bool:
    """Whether a zip in the archive has its list of files, which stands at its end."""
    try:
        with f.archive.open(name) as stream, Zip(stream):
            return True
    except DAMAGES:
        return False


def rubbish(f: Facts) -> Iterator[str]:
    found = [n for n in f.archive.names if facts.rubbish(n)
             or n.lower().endswith(LEFT_OVER)]
    if found:
        size = sum(f.archive.sizes[n] for n in found)
        yield (f"{len(found)} files don't belong into a submission, {size / 1e6:.1f} MB, "
               f"such as {found[0]}.")


def unused(f: Facts) -> Iterator[str]:
    """Weights that model.py never names: old ones, or ones that it should have loaded."""
    if f.source is None or any("*" in file.pattern for paths in f.paths for file in paths.files):
        return
    code = " ".join(f.archive.read(n).decode("utf-8", "replace")
                    for n in f.names if n.endswith(".py"))
    generic = any(word in code for word in ("listdir", "glob", "iterdir", "scandir", "walk("))
    for name in f.names:
        parts = name.split("/")
        if name.lower().endswith(WEIGHTS) and not generic and not any(p in code for p in parts) \
                and not ours(f):
            yield f"model.py never names {name}, {f.archive.sizes[name] / 1e6:.1f} MB."


def ours(f: Facts) -> bool:
    return {"graph0.json", "weights0.npz", "manifest.json"} <= set(f.archive.names)


def large(f: Facts) -> Iterator[str]:
    size = f.archive.path.stat().st_size
    if size > LARGE:
        yield f"The zip has {size / 1e6:,.0f} MB."


def metadata(f: Facts) -> Iterator[str]:
    for name in METADATA:
        if name in f.archive.names:
            yield f"{name} at the root is read by the platform as an order how to run the zip."


def no_weights(f: Facts) -> Iterator[str]:
    held = [n for n in f.names
            if n.lower().endswith((*WEIGHTS, *PACKED)) or ".data-" in n]     # of a checkpoint
    if f.source and not held and sum(f.archive.sizes.values()) < 1 << 20:
        yield "The archive holds no weights at all."


def long_name(f: Facts) -> Iterator[str]:
    if len(f.archive.path.name) > NAME:
        yield f"The zip's name has {len(f.archive.path.name)} characters."


def own_modules(f: Facts) -> Iterator[str]:
    """Files that would hide a package that model.py needs."""
    python = sorted(sys.stdlib_module_names - {"test"})     # which nothing imports
    for name in ("numpy", "tensorflow", "keras", "h5py", *python):
        if f"{name}.py" in f.names or f"{name}/__init__.py" in f.names:
            yield f"The archive brings its own {name}, which hides the real one."


def backslashes(f: Facts) -> Iterator[str]:
    for name in f.names:
        if "\\" in name:
            yield (f"{name} has backslashes in its name, so on the platform it is one file of that "
                   "name, in no folder.")
            return


RULES = (
    Rule(1, ERROR, "The zip can be read", "Make the zip again, and upload that.", damaged, (41,)),
    Rule(2, ERROR, "Nothing in it is dangerous to unpack",
         "Zip plain files with relative names, no links, no passwords.", dangerous),
    Rule(3, WARNING, "Every file is there once", "Zip from an empty folder.", twice),
    Rule(4, ERROR, "model.py is at the root", "Zip the files themselves, not their folder.",
         no_model, (1, 5)),
    Rule(5, ERROR, "Code is text", "Save it as UTF-8.", unreadable),
    Rule(6, ERROR, "Files are files, not pointers", "Fetch it first: git lfs pull.", pointers,
         (6,)),
    Rule(7, ERROR, "No file is empty", "Save it again, then zip it.", empty, (1, 6)),
    Rule(8, ERROR, "Files of weights are whole", "Save the network again, then zip it.",
         damaged_weights, (1, 6)),
    Rule(9, NOTE, "Nothing superfluous is in it",
         "Zip model.py and what it opens, nothing else.", rubbish, (7,)),
    Rule(10, NOTE, "Every weight file is used",
         "Remove it, or let model.py open it: is it the one that you meant to send?", unused,
         (2, 3)),
    Rule(11, NOTE, "The zip isn't huge",
         "Save without the optimizer, or as float16; each upload counts against the quota.", large,
         (7,)),
    Rule(12, WARNING, "No metadata file changes how it is run", "Remove or rename it.", metadata),
    Rule(13, WARNING, "Weights are in the zip", "Put the trained weights beside model.py.",
         no_weights, (1,)),
    Rule(14, NOTE, "The zip's name is short", "Rename it: 64 characters are kept.", long_name),
    Rule(15, WARNING, "No file hides a package", "Give the file another name.", own_modules, (18,)),
    Rule(16, WARNING, "Folders end with slashes, not backslashes",
         "Zip it with another program, such as 7-Zip or Python's zipfile.", backslashes, (5,)),
)
