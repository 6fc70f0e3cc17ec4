"""Rules 28 to 33: whether the files that the code opens are in the archive."""

import ast
import difflib
import posixpath
import re
from collections.abc import Iterator

from submission.checks.facts import Facts
from submission.checks.paths import FILES, FileName
from submission.rule import ERROR, NOTE, WARNING, Rule

ELSEWHERE = re.compile(r"^(/content/|/gdrive/|/kaggle/|/drive/|/mnt/|/home/|/Users/|/root/|"
                       r"[A-Za-z]:[\\/]|~/)|(^|/)drive/My ?Drive/")
PLACE = "/app/ingested_program/"  # where the platform unpacks the archive
PLACEHOLDER = re.compile(r"your[_ -]|model_name|path[_/]to|<[^>]+>|placeholder|filename\.|"
                         r"example_|xxx", re.I)


def opened(f: Facts) -> Iterator[FileName]:
    for paths in f.paths:
        yield from paths.files


def sure(f: Facts, file: FileName) -> bool:
    """Whether the file must be there: it is opened, and no code makes any."""
    return file.sure and not any(paths.making for paths in f.paths)


def missing_file(f: Facts) -> Iterator[str]:
    told = set()
    for file in opened(f):
        if not sure(f, file) or "*" in file.pattern or found(f, file) or foreign(file):
            continue
        told.add(last(file.pattern))
        what = "has left a placeholder," if PLACEHOLDER.search(file.pattern) else "points to"
        yield (f"Line {file.line} of {file.code} {what} {file.pattern!r}, which isn't in the "
               f"archive; {hint(f, file.pattern)}.")
    for where, entry in absent(f):
        if last(entry) not in told:
            yield f"{where} opens {entry!r}, which isn't in the archive; {hint(f, entry)}."


def last(path: str) -> str:
    return path.replace("\\", "/").split("/")[-1]


def hint(f: Facts, path: str) -> str:
    """What the archive holds in the place of a file."""
    if "\\" in path and f.named(path.replace("\\", "/")):
        return "only Windows takes a backslash for the end of a folder's name"
    other = f.named(last(path))
    near = difflib.get_close_matches(last(path), map(last, f.names), n=1, cutoff=0.4)
    return (f"it holds {other}, elsewhere or spelled otherwise" if other else
            f"the nearest is {near[0]}" if near else "nothing resembles it")


def absent(f: Facts) -> Iterator[tuple[str, str]]:
    """(where, name) of files that are opened for certain, in the archive's folder, and not there.

    Of those that one call opens, the first.
    """
    for where, paths in f.opened:
        for entry in paths:
            inside = not entry.startswith(("/", "../")) and "\\" not in entry
            if inside and entry.lower().endswith(FILES) and entry not in f.names and not any(
                    n.startswith((entry + "/", entry + ".index")) for n in f.names):
                yield where, entry
                break


def foreign(file: FileName) -> bool:
    """Whether the path leads out of the archive, which is the next rules' matter."""
    return bool(ELSEWHERE.search(file.pattern)) or file.pattern.startswith("../")


def found(f: Facts, file: FileName) -> bool:
    """Whether the archive holds the file, spelled exactly so."""
    wanted = posixpath.normpath(file.pattern).removeprefix(PLACE)
    entry = f.named(wanted) or f.named(wanted + ".index")      # of a checkpoint, several files
    return entry is not None and ("*" in wanted or wanted in entry)


def doubtful_file(f: Facts) -> Iterator[str]:
    certain = {last(entry) for _, entry in absent(f)}
    for file in opened(f):
        if (not sure(f, file) or "*" in file.pattern) and f.named(file.pattern) is None \
                and not found(f, file) and last(file.pattern) not in certain \
                and not (foreign(file) and (file.sure or file.harmless)):
            yield (f"Line {file.line} of {file.code} may open {file.pattern!r}; no such file is "
                   "there.")


def missing_folder(f: Facts) -> Iterator[str]:
    """A network opened by a name without a suffix: a SavedModel's folder."""
    if any(paths.making for paths in f.paths):
        return
    for s in f.sources:
        for name, call in s.calls:
            last = name.split(".")[-1]
            text = constant(call)
            if last not in ("load_model", "TFSMLayer") and not name.endswith("saved_model.load") \
                    or text is None or "." in text.split("/")[-1] or ELSEWHERE.search(text) \
                    or s.guarded(call) or s.home_made(call):
                continue
            if not any(text.strip("./") in n for n in f.archive.names):
                yield f"Line {call.lineno} of {s.file} loads {text!r}, which isn't in the archive."


def constant(call: ast.Call) -> str | None:
    """The file or the end of the path that a call opens, where the code spells it out."""
    given = call.args[:1] or [k.value for k in call.keywords
                              if k.arg in ("filepath", "path", "export_dir")]
    return end_of_path(given[0]) if given else None


def end_of_path(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return end_of_path(node.right)
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] in (
            "join", "joinpath", "Path", "str", "abspath", "with_name", "fspath"):
        return end_of_path(node.args[-1])
    return None


def elsewhere(f: Facts) -> Iterator[str]:
    told = False
    for paths in f.paths:
        for node in paths.source.walk(ast.Constant):
            if not isinstance(node, ast.Constant):
                continue
            text = node.value
            if isinstance(text, str) and "\n" not in text and ELSEWHERE.search(text) \
                    and paths.opened(node):
                told = True
                yield (f"Line {node.lineno} of {paths.source.file} points to {text!r}, on another "
                       "machine.")
    for where, found in f.opened:
        yield from (f"{where} points to {p!r}, on another machine." for p in found
                    if ELSEWHERE.search(p) and not told)


def above(f: Facts) -> Iterator[str]:
    told = False
    for file in opened(f):
        if sure(f, file) and file.pattern.startswith("../") \
                and f.named(file.pattern.split("/")[-1]) is None:
            told = True
            yield (f"Line {file.line} of {file.code} opens {file.pattern!r}, above the archive's "
                   "folder.")
    for where, paths in f.opened:
        yield from (f"{where} opens {p!r}, above the archive's folder." for p in paths
                    if re.fullmatch(r"(\.\./)+[^/]+", p) and not told)


def bare_name(f: Facts) -> Iterator[str]:
    if any("__file__" in s.text or "getcwd" in s.text for s in f.sources):
        return
    for file in opened(f):
        if f.named(file.pattern) and not file.pattern.startswith("/"):
            yield (f"Line {file.line} of {file.code} opens {file.pattern!r}, which works only in "
                   "the archive's own folder.")
            return


RULES = (
    Rule(28, ERROR, "Every file that is opened is in the zip",
         "Zip that file, or correct the name in model.py.", missing_file, (1, 2, 4)),
    Rule(29, WARNING, "Every file that may be opened is in the zip",
         "Zip that file, or take the line out.", doubtful_file, (1, 2)),
    Rule(30, ERROR, "Every folder that is opened is in the zip", "Zip that folder.", missing_folder,
         (1, 2)),
    Rule(31, ERROR, "No path leads to another machine",
         "Put the file beside model.py: Path(__file__).parent / NAME.", elsewhere, (20,)),
    Rule(32, ERROR, "No path leads above the archive", "Put the file beside model.py.", above,
         (20,)),
    Rule(33, NOTE, "Files are found from any working directory",
         "Open them as Path(__file__).parent / NAME.", bare_name, (20,)),
)
