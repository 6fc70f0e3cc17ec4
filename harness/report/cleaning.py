"""The page's section about cleaning: what was dropped and why, balance, outliers."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from harness.records import reading
from harness.report import pictures, svg
from harness.report.damage import DAMAGE
from harness.runs import Store
from zoo.errors import UserError
from zoo.files import read_json

SHOWN = 12   # pictures of each reason
WORDS = {"pollution": "One picture many times, or changed a little, under several labels: no "
                      "picture of a class.",
         "duplicate": "An exact copy of a picture that was kept.",
         "conflicting": "One picture with two labels: neither is trusted.",
         "unreadable": "The file could not be read as a picture.",
         "constant": "One colour everywhere.",
         "outlier": "Too far from every other picture of its class.",
         "asked": "Dropped by --drop."}


def sections(store: Store) -> list[dict[str, Any]]:
    """What cleaning found in each data set, the newest first, from the store's records."""
    paths = sorted(store.folder.glob("cleaning-*.json"), key=lambda p: p.stat().st_mtime)
    keys = keys_used(store) if paths else {}
    return [attempt(path, keys) for path in reversed(paths)]


def keys_used(store: Store) -> dict[str, dict[str, Any]]:
    """The keys that the data set of each hash was read with, as its runs say."""
    found = {}
    for run in store.finished():
        with contextlib.suppress(*DAMAGE):
            found[run.config["data"]["hash"]] = {
                key: word for key, word in reading(run.config).items() if key.endswith("_key")}
    return found


def attempt(path: Path, keys: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One record as a section, or a sentence where it is damaged."""
    try:
        record = read_json(path)
        return section(record, keys.get(record.get("content_hash"), {}))
    except DAMAGE as e:
        return {"name": path.name, "damaged": str(e) or type(e).__name__}


def section(record: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """keys: arguments of ``load`` that name the file's arrays."""
    images = source_pictures(str(record["source"]), int(record["n"]), keys)
    reasons: dict[str, list[dict[str, Any]]] = {}
    for line in record["dropped"]:
        reasons.setdefault(str(line["reason"]), []).append(line)
    return {"name": Path(str(record["source"])).name, "n": int(record["n"]),
            "dropped": len(record["dropped"]),
            "groups": len(record.get("groups", [])), "suspects": suspects(record, images),
            "balance": balance(record["class_counts"]), "outliers": outliers(record),
            "pictures": images is not None,
            "reasons": [{"reason": name, "count": len(lines), "words": WORDS.get(name, ""),
                         "thumbs": [thumb(line, images) for line in distinct(lines)]}
                        for name, lines in sorted(reasons.items())]}


def source_pictures(source: str, n: int, keys: dict[str, Any]) -> np.ndarray | None:
    """The pictures of the file that was cleaned, where it still lies there with ``n`` pictures."""
    from harness.data.sources import load

    try:
        # A record may name anything: a pipe or a device would be read for ever.
        if source != "demo" and not (Path(source).is_file() or Path(source).is_dir()):
            return None
        images = load(source, tolerant=True, **keys).images
    except (UserError, OSError):
        return None
    return images if len(images) == n else None


def distinct(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first lines with different twins: a picture that stands there 1,600 times comes once."""
    seen: set[Any] = set()
    found = []
    for line in lines:
        twin = line.get("twin")
        if twin is None or twin not in seen:
            seen.add(twin)
            found.append(line)
        if len(found) == SHOWN:
            break
    return found


def thumb(line: dict[str, Any], images: np.ndarray | None) -> dict[str, Any]:
    index = int(line["index"])
    shown = images is not None and 0 <= index < len(images)
    return {"index": index, "twin": line.get("twin"),
            "image": pictures.address(images[index], 64) if shown and images is not None else None}


def suspects(record: dict[str, Any], images: np.ndarray | None) -> list[dict[str, Any]]:
    """The first suspected labels."""
    return [{**line, **thumb(line, images)} for line in record.get("suspected_labels", [])[:SHOWN]]


def balance(counts: dict[str, int]) -> list[dict[str, Any]]:
    most = max([1, *counts.values()])
    return [{"name": name, "count": int(n), "share": n / most} for name, n in counts.items()]


def outliers(record: dict[str, Any]) -> dict[str, Any] | None:
    """The figure of distances, where cleaning recorded them."""
    distances = np.array([line["distance"] for line in record.get("outliers", [])], float)
    if not distances.size:
        return None
    counts, edges = np.histogram(distances, bins=min(40, max(5, distances.size // 5)))
    return {"n": int(distances.size), "figure": svg.histogram(
        [float(e) for e in edges], [int(c) for c in counts],
        "outliers: how many pictures lie at which distance", "Mahalanobis distance")}
