"""Activations of the frozen part of a network, computed once for each view and kept on disk.

Two arrays a view, named by a hash of what went in (pixels, graph, number type):
the map at the boundary, float16 (n, h, w, c), which stage 2 starts from, and the pooled features
at the end of the pretrained network, float16 (n, c), which stage 1 learns from.

Rows are in a fixed random order, so that reading from start to end meets the classes mixed.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from harness.training.cache import LIMIT, Cache
from harness.training.views import Views
from zoo.engines import ONNX, TENSORFLOW, choose, program
from zoo.errors import UserError
from zoo.files import atomic, content_hash
from zoo.graph import Graph, Node, to_json
from zoo.rewrite import fast
from zoo.split import join

CHUNK = 512  # pictures rendered at a time
BATCH = 64
TRIES = 2    # at a view whose files are deleted by a process that needs room
LARGEST = 65504.0  # float16's
Step = Callable[[int], None]
Program = Callable[[np.ndarray, bool], list[np.ndarray]]

POOL = Graph((Node("pool", "global average", ("input",)),), {})


@dataclass(frozen=True)
class Frozen:
    """The network in two: ``trunk`` up to the boundary, ``tail`` from there to the end; and the
    engine that runs both."""

    trunk: Graph
    tail: Graph
    engine: str = TENSORFLOW

    @cached_property
    def keys(self) -> tuple[str, str]:
        """Hashes of the trunk, and of trunk and tail."""
        return graph_hash(self.trunk), graph_hash(self.trunk, self.tail)

    def on_fastest(self, shape: tuple[int, ...], number_type: str) -> "Frozen":
        """The same with the engine that is fastest for pictures of this shape."""
        whole = fast(join(self.trunk, self.tail, POOL))
        return replace(self, engine=choose(whole, (BATCH, *shape), number_type))

    def number_type(self, wanted: str) -> str:
        """What is computed in where ``wanted`` is what TensorFlow would take."""
        return "float32" if self.engine == ONNX else wanted


def graph_hash(*graphs: Graph) -> str:
    parts: list[Any] = []
    for graph in graphs:
        parts += [to_json(graph), *(a for _, a in sorted(graph.arrays.items()))]
    return content_hash(*parts)


def order(n: int) -> np.ndarray:
    """The picture that each of the ``n`` rows on disk belongs to."""
    return np.random.default_rng(n).permutation(n)


class Table:
    """An array on disk, read in consecutive rows. It never counts as memory, as a map would."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        version = np.lib.format.read_magic(self.file)
        if version != (1, 0):
            raise UserError(f"{path} is no file of this program's. Delete it.")
        self.shape, _, self.dtype = np.lib.format.read_array_header_1_0(self.file)
        self.start = self.file.tell()
        self.row = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        self.lock = threading.Lock()

    def rows(self, first: int, last: int) -> np.ndarray:
        """Rows first..last-1."""
        last = min(last, self.shape[0])
        out = np.empty((last - first, *self.shape[1:]), self.dtype)
        with self.lock:
            self.file.seek(self.start + first * self.row)
            got = self.file.readinto(out.data.cast("B"))
        if got != out.nbytes:
            raise UserError(f"{self.file.name} is cut off. Delete it, and run again.")
        return out


@dataclass(frozen=True)
class Activations:
    """Tables of every view, untouched first; no ``boundary`` where only features are wanted."""

    boundary: tuple[Table, ...]
    pooled: tuple[Table, ...]
    order: np.ndarray


def compute(views: Views, count: int, frozen: Frozen, cache: Cache, step: Step, *,
            maps: bool = True, number_type: str = "float32") -> Activations:
    """The activations of view 0 and of ``count`` augmented views, from the cache where they are.

    maps: whether stage 2 needs the map at the boundary. step(k) is called after each k pictures
    that were computed (see :func:`missing`).
    """
    wanted = wanted_files(views, count, frozen, maps, number_type)
    found = {view: opened(cache, keys) for view, keys in enumerate(wanted)}
    todo = [view for view, tables in found.items() if not tables]
    if todo:
        both = compiled(frozen, number_type)
        sample = both(filled(views.dataset.images[:BATCH]), True)[:1 + maps]
        need = 2 * len(views.dataset) * sum(int(np.prod(out.shape[1:])) for out in sample)
        cache.make_room(need * len(todo), {cache.path(k) for keys in wanted for k in keys})
        # Processes that need the same views begin with different ones, and find the others' later.
        for view in random.sample(todo, len(todo)):
            found[view] = made(cache, wanted[view], views, view, both, step)
    tables = list(found.values())
    return Activations(tuple(t[1] for t in tables if maps), tuple(t[0] for t in tables),
                       order(len(views.dataset)))


def missing(views: Views, count: int, frozen: Frozen, cache: Cache, *, maps: bool = True,
            number_type: str = "float32") -> int:
    """How many pictures :func:`compute` will have to pass through the trunk."""
    wanted = wanted_files(views, count, frozen, maps, number_type)
    return len(views.dataset) * sum(absent(cache, keys) for keys in wanted)


def wanted_files(views: Views, count: int, frozen: Frozen, maps: bool,
                 number_type: str) -> list[list[str]]:
    """For each view the keys of its files: pooled features, then the map where it is wanted."""
    result = []
    number_type = frozen.number_type(number_type)
    for view in range(count + 1):
        key = views.key(view)
        pooled = content_hash("pooled", key, frozen.keys[1], number_type)[:40]
        boundary = content_hash("boundary", key, frozen.keys[0], number_type)[:40]
        result.append([pooled, boundary] if maps else [pooled])
    return result


def opened(cache: Cache, keys: list[str]) -> list[Table]:
    """The tables of a view; none where one is missing. An open file outlives its deletion."""
    try:
        return [] if absent(cache, keys) else [Table(cache.path(k)) for k in keys]
    except FileNotFoundError:
        return []


def made(cache: Cache, keys: list[str], views: Views, view: int, both: Program, step: Step
         ) -> list[Table]:
    """The tables of a view that was not there."""
    for _ in range(TRIES):
        fill([cache.path(k) for k in keys], views, view, both, step)
        if tables := opened(cache, keys):
            return tables
    raise UserError(f"Other processes delete from {cache.folder} what this one writes, since it "
                    f"is too small for all of them. Raise {LIMIT} (in GB), or run fewer at a time.")


def absent(cache: Cache, keys: list[str]) -> bool:
    return any(cache.find(key) is None for key in keys)


def compiled(frozen: Frozen, number_type: str) -> Program:
    """A function of raw pictures and whether their pooled features are wanted (else 0 columns):
    [pooled features, map at the boundary], float16."""
    trunk = program(fast(frozen.trunk), frozen.engine, number_type)
    rest = program(fast(join(frozen.tail, POOL)), frozen.engine, number_type)

    def both(x: np.ndarray, features: bool) -> list[np.ndarray]:
        boundary = trunk(x)
        pooled = rest(boundary) if features else boundary[..., :0]
        return [np.clip(out, -LARGEST, LARGEST).astype("float16") for out in (pooled, boundary)]

    return both


def fill(paths: list[Path], views: Views, view: int, both: Program, step: Step) -> None:
    """Render one view, pass it through the trunk, and write those of its files that are missing.

    paths: of the pooled features, and of the map where it is wanted.
    """
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    if not missing:  # another view is the same, or another process was faster
        step(len(views.dataset))
        return
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(atomic(paths[i])) for i in missing]
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(t.open("wb")) for t in targets]
            for pictures in rendered(views, view, order(len(views.dataset))):
                for start in range(0, len(pictures), BATCH):
                    part = pictures[start:start + BATCH]
                    outputs = both(filled(part), 0 in missing)
                    for f, i in zip(files, missing, strict=True):
                        rows = outputs[i][:len(part)]
                        if f.tell() == 0:
                            write_header(f, (len(views.dataset), *rows.shape[1:]))
                        f.write(rows.tobytes())
                    step(len(part))


def filled(rows: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """Exactly ``batch`` rows, the missing ones zero, so that nothing is traced twice."""
    short = batch - len(rows)
    return np.concatenate([rows, np.zeros_like(rows, shape=(short, *rows.shape[1:]))])


def rendered(views: Views, view: int, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The pictures of a view, chunk by chunk, the next one being drawn while one is used."""
    chunks = [rows[i:i + CHUNK] for i in range(0, len(rows), CHUNK)]
    return ahead(lambda chunk: views.render(chunk, view), chunks)


def ahead(load: Callable[[Any], Any], groups: list[Any]) -> Iterator[Any]:
    """load(group) for each group, the next one being loaded while one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(load, groups[0]) if groups else None
        for following in [*groups[1:], None]:
            if coming is None:
                return
            now = coming.result()
            coming = pool.submit(load, following) if following is not None else None
            yield now


def write_header(f: IO[bytes], shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(
        f, {"descr": "<f2", "fortran_order": False, "shape": shape})
