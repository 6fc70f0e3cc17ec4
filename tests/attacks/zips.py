"""Zips that are damaged or hostile; nothing in them may run, escape or fill the memory."""

import io
import json
import stat
import struct
import zipfile
from collections.abc import Iterator

GOOD = "class Model:\n    def predict(self, X):\n        return [0] * len(X)\n"
# Leaves a folder behind wherever it is imported or run.
TRAP = "import os\nos.mkdir('executed')\n" + GOOD


def packed(*members: tuple[str, bytes | str], compression: int = zipfile.ZIP_STORED) -> bytes:
    import warnings

    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(stream, "w", compression) as z:
            for name, content in members:
                z.writestr(name, content)
    return stream.getvalue()


def linked(target: str) -> bytes:
    """A zip whose weights are a symbolic link."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        z.writestr("model.py", GOOD)
        info = zipfile.ZipInfo("weights.npz")
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        z.writestr(info, target)
    return stream.getvalue()


def lying(size: int) -> bytes:
    """A zip whose table of contents says that its last member has ``size`` bytes."""
    data = bytearray(packed(("model.py", GOOD), ("weights.npz", b"x" * 50)))
    place = data.rfind(b"PK\1\2")
    data[place + 24:place + 28] = struct.pack("<I", size)
    return bytes(data)


def bomb() -> bytes:
    """Much of nothing: a thousandfold when expanded."""
    return packed(("model.py", GOOD), ("weights.npz", bytes(600 << 20)),
                  compression=zipfile.ZIP_DEFLATED)


def hostile() -> Iterator[tuple[str, bytes]]:
    whole = packed(("model.py", TRAP), ("manifest.json", "{}"))
    for share in range(0, 30):
        yield f"cut off at {share}/30", whole[:len(whole) * share // 30]
    for place in range(0, len(whole), 9):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        yield f"byte {place} changed", bytes(changed)
    for name in ("../model.py", "/model.py", "..\\model.py", "C:\\model.py", "a/../../model.py",
                 "model.py\0.txt", "a" * 5000, "\u202eyp.ledom", "model.py/", "<script>.py",
                 "\x1b[2Jmodel.py", "CON", ".", "..", "//server/model.py", "model\n.py"):
        yield f"member {name[:20]!r}", packed(("model.py", TRAP), (name, "x"))
        yield f"only {name[:20]!r}", packed((name, TRAP))
    for target in ("/etc/passwd", "../../secret", "model.py", "."):
        yield f"link to {target}", linked(target)
    for size in (0, 10, 2 ** 31, 2 ** 32 - 2):
        yield f"says {size}", lying(size)
    yield "nothing", b""
    yield "empty zip", packed()
    yield "zip in a zip", packed(("inner.zip", whole))
    yield "twice", packed(("model.py", GOOD), ("model.py", TRAP))
    yield "many members", packed(*[(f"{i}.txt", "") for i in range(70_000)])
    for name, source in {
            "no syntax": "class Model(:", "null bytes": "class Model:\0",
            "not text": b"\xff\xfe\x80",
            "deep": "(" * 5000 + ")" * 5000, "deep minus": "-" * 100_000 + "1",
            "long line": "x = '" + "a" * 1_000_000 + "'", "only spaces": " \n" * 1000,
            "tabs": "class Model:\n\tdef a(self):\n        pass", "trap": TRAP,
            "coding": "# coding: rot13\nvzcbeg bf", "wrong coding": "# coding: nonsense\n",
            "nested": "".join("    " * i + "if 1:\n" for i in range(95)) + "    " * 95 + "pass",
            "elifs": "if 1: pass\n" + "elif 2: pass\n" * 3000}.items():
        yield f"model.py: {name}", packed(("model.py", source))
    for name, text in {"deep": "[" * 100_000, "list": "[]", "null": "null",
                       "huge number": "9" * 5000,
                       "not text": b"\xff\xfe", "words": "{", "escape": json.dumps(
                           {"run": "../../../etc", "model": {"classes": -1}})}.items():
        yield f"manifest: {name}", packed(("model.py", GOOD), ("manifest.json", text))
