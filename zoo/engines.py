"""Which program runs a frozen network: TensorFlow, or ONNX Runtime where that is faster.

Which one is depends on network, processor and versions, and not in a way that could be foreseen;
so both are measured once for each network and machine, and what was found is kept in the cache
folder: one choice, whatever share of the machine a job has, so that its outcome doesn't depend on
how many run at a time. ONNX Runtime computes in float32, and has to agree with TensorFlow's float32
before it is chosen; where TensorFlow would take bfloat16, the choice is one of number types, too.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo import graph as graphs
from zoo.device import cores, gpus, processor
from zoo.errors import UserError
from zoo.files import cache_folder, content_hash, read_json, write_json
from zoo.graph import Graph, to_json
from zoo.onnx_form import onnx_form
from zoo.onnx_model import NoForm
from zoo.split import ancestors, part
from zoo.versions import version

TENSORFLOW, ONNX = "tensorflow", "onnxruntime"
AGREE = 1e-5          # largest difference to TensorFlow's float32, as a share of the largest value
ROUNDS, ENOUGH = 4, 1.0  # batches at most, and seconds after which no other one begins
THREADS = "TF_NUM_INTRAOP_THREADS"  # set where several jobs divide a machine

Program = Callable[[np.ndarray], np.ndarray]  # a batch in, float32 out


def available() -> tuple[str, ...]:
    """The engines that this machine has. A GPU is TensorFlow's alone."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return (TENSORFLOW,)
    return (TENSORFLOW,) if gpus() else (TENSORFLOW, ONNX)


def program(graph: Graph, engine: str, number_type: str = "float32") -> Program:
    """``graph`` as a function of a batch; TensorFlow computes it in ``number_type``."""
    if engine == ONNX:
        return in_onnx_runtime(graph)
    compiled = graphs.compiled(graph, number_type)
    return lambda x: np.asarray(compiled(x))


def in_onnx_runtime(graph: Graph) -> Program:
    """A function that makes a session for each shape of batch that it meets; TensorFlow's where
    the graph has no ONNX form."""
    sessions: dict[tuple[int, ...], Program] = {}

    def call(x: np.ndarray) -> np.ndarray:
        if x.shape not in sessions:
            try:
                sessions[x.shape] = session(*onnx_form(graph, x.shape))
            except NoForm:
                sessions[x.shape] = program(graph, TENSORFLOW)
        return sessions[x.shape](x)

    return call


def session(model: bytes, constants: dict[str, np.ndarray]) -> Program:
    """An ONNX model as a function of a batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads()
    # Threads that wait must not keep a core busy: the next pictures are drawn meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers(
        list(constants), [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in constants.values()])
    made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda x: made.run(None, {graphs.INPUT: x.astype("float32", copy=False)})[0]


def threads() -> int:
    """How many threads a network may use."""
    told = os.environ.get(THREADS, "")
    return int(told) if told.isdigit() and int(told) else cores()


class Fastest:
    """``graph`` in float32, on the engine that is fastest for the shape of batch that comes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.chosen: dict[tuple[int, ...], str] = {}
        self.programs: dict[str, Program] = {}

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if x.shape not in self.chosen:
            self.chosen[x.shape] = choose(self.graph, x.shape)
        engine = self.chosen[x.shape]
        if engine not in self.programs:
            self.programs[engine] = program(self.graph, engine)
        return self.programs[engine](x)


def choose(graph: Graph, shape: tuple[int, ...], number_type: str = "float32") -> str:
    """The engine that runs ``graph`` fastest on a batch of raw pictures of this shape.

    number_type: what TensorFlow would compute in; ONNX Runtime always takes float32.
    """
    if ONNX not in available():
        return TENSORFLOW
    network = body(graph)
    path = cache_folder() / "engines" / f"{key(network, shape, number_type)[:40]}.json"
    found = kept(path)
    if found is None:
        found = measure(network, shape, number_type)
        found = kept(path) or found  # another process may have been faster
        with contextlib.suppress(UserError):  # it is measured again, then
            write_json(path, found)
    return str(found["engine"])


def body(graph: Graph) -> Graph:
    """The network without its head, which takes no time and differs from run to run: up to what
    the last global average averages."""
    last = [n for n in graph.nodes if n.kind == "global average"][-1:]
    if not last:
        return graph
    below = ancestors(graph, last[0].inputs[0])
    return part(graph.arrays, [n for n in graph.nodes if n.name in below])


def key(graph: Graph, shape: tuple[int, ...], number_type: str) -> str:
    """A hash of what the choice is kept for; the weights' values and the threads are no part of
    it."""
    return content_hash(to_json(graph), {k: a.shape for k, a in graph.arrays.items()}, shape,
                        number_type, processor(),
                        [version(p) for p in (TENSORFLOW, ONNX)])


def kept(path: Path) -> dict[str, Any] | None:
    """What was measured before, or None."""
    try:
        found = read_json(path)
    except UserError:
        return None
    known = isinstance(found, dict) and found.get("engine") in (TENSORFLOW, ONNX)
    return found if known else None


def measure(graph: Graph, shape: tuple[int, ...], number_type: str) -> dict[str, Any]:
    """{"engine": the one to take, "seconds": {engine: of its best batch}}; no "seconds" where
    ONNX Runtime can't be taken."""
    x = np.random.default_rng(0).integers(0, 256, shape).astype("float32")
    try:
        other = session(*onnx_form(graph, shape))
        got = other(x)
    except Exception:  # noqa: BLE001  NoForm, or ONNX Runtime's own, which have no base
        return {"engine": TENSORFLOW}
    seconds = {ONNX: best(other, x)}
    del other  # a large network doesn't fit into a small machine's memory on both at once
    way = program(graph, TENSORFLOW)
    expected = way(x)
    if not np.abs(got - expected).max() <= AGREE * np.abs(expected).max():
        return {"engine": TENSORFLOW}
    if number_type != "float32":
        way = program(graph, TENSORFLOW, number_type)
        way(x)
    seconds[TENSORFLOW] = best(way, x)
    return {"engine": min(seconds, key=lambda name: seconds[name]), "seconds": seconds}


def best(way: Program, x: np.ndarray) -> float:
    """Seconds of the fastest of some batches."""
    times = [timed(way, x)]
    while len(times) < ROUNDS and sum(times) < ENOUGH:
        times.append(timed(way, x))
    return min(times)


def timed(way: Program, x: np.ndarray) -> float:
    began = time.perf_counter()
    way(x)
    return time.perf_counter() - began
