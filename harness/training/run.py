"""One run: a backbone, a protocol and a data set become a classifier and its records."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness import terminal
from harness.augment.mixing import Mixing
from harness.data.dataset import Dataset
from harness.data.splits import parts
from harness.protocol import Protocol
from harness.terminal import duration
from harness.training import activations
from harness.training.activations import POOL, Frozen
from harness.training.cache import Cache
from harness.training.heads import head
from harness.training.sources import Pictures, Source, Tables
from harness.training.stages import Stage, Task, Trained, fit
from harness.training.views import Views
from harness.training.wise import between
from zoo.adapt import adapted
from zoo.backbone import Backbone
from zoo.classifier import Classifier
from zoo.cost import multiply_adds
from zoo.engines import TENSORFLOW, program
from zoo.graph import Graph
from zoo.rewrite import fast
from zoo.split import cut, join

SAMPLE = 2000  # training features that standardizing looks at
# Multiply-adds a picture up to which boundary "auto" trains a whole network: what half of VGG16
# costs, whose trunk is passed once, at 96 pixels.
LIGHT = 1e9
# Forward passes that learning from a picture takes, without and with depthwise convolutions, whose
# gradients are slower (VGG16 3.3, EfficientNetB2 5, B3 7, MobileNetV2 8.6).
LEARNING = {False: 3, True: 7}


@dataclass(frozen=True)
class Job:
    """What to train, all decided: cleaned pictures, folds, and the file of weights."""

    dataset: Dataset
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    backbone: Backbone
    weights: Path | None
    protocol: Protocol
    seed: int = 0

    @property
    def size(self) -> int:
        """The side that pictures are resized to inside the model: the protocol's or their own,
        but no less than the backbone needs."""
        wanted = self.protocol.size or max(self.dataset.images.shape[1:3])
        return max(wanted, self.backbone.minimum)

    @property
    def from_scratch(self) -> bool:
        """Nothing pretrained exists: everything is trained in one stage, with stage 1's numbers."""
        return self.backbone.pretrained is None


@dataclass
class Outcome:
    """A trained run: one member for each fold, with its learning curves."""

    members: list[Graph] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    number_type: str = "float32"
    engine: str = TENSORFLOW  # what the frozen part ran on

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def classifier(self, job: Job) -> Classifier:
        """The mean of all folds' members. Saved as trained, with its batch norms: what predicts
        rewrites it for speed. Where the protocol says so, they adapt to what is predicted."""
        members = tuple(adapted(m, job.protocol.adapt) for m in self.members)
        return Classifier(members, job.dataset.class_names, job.protocol.tta)


def train(job: Job, cache: Cache) -> Outcome:
    """Train every fold of ``job``. Nothing is written but the cache."""
    from zoo.device import number_type, release

    outcome = Outcome(number_type=number_type())
    frozen = divide(network(job), job, outcome.number_type)
    outcome.engine = frozen.engine
    release()  # both engines' copies of the network
    views = views_of(job)
    announce(job, frozen, views, cache, outcome.number_type)
    release()
    pooled, source = sources(job, frozen, views, cache, outcome)
    release()
    for train_index, validation_index in job.folds:
        task = Task(job.dataset.labels, len(job.dataset.class_names),
                    mask(train_index, len(job.dataset)), mask(validation_index, len(job.dataset)),
                    job.protocol, job.seed, outcome.number_type)
        member, history = one_fold(job, frozen, task, pooled, source, outcome)
        outcome.members.append(member)
        outcome.history.append(history)
        release()
    return outcome


def network(job: Job) -> Graph:
    """The backbone before training. From scratch each seed begins at weights of its own; random
    ones in the place of pretrained ones are the same for all, who share their activations."""
    return job.backbone.graph(job.size, job.weights, job.seed if job.from_scratch else 0)


def views_of(job: Job) -> Views:
    """What the job's network sees. Partners of mixed views never come from another fold."""
    p = job.protocol
    mixing = None if p.mixing == "none" else Mixing(p.mixing, parts(job.folds, len(job.dataset)))
    return Views(job.dataset, p.policy, p.magnitude, mixing=mixing)


def announce(job: Job, frozen: Frozen, views: Views, cache: Cache, number_type: str) -> None:
    """Say how long the run will take, from the speed of one batch on this machine."""
    p = job.protocol
    whole, tail = speed(job, frozen, number_type)
    computed = 0 if job.from_scratch else activations.missing(
        views, p.other_views, frozen, cache, maps=bool(frozen.trunk.nodes and frozen.tail.nodes),
        number_type=number_type)
    rows = sum(len(t) for t, _ in job.folds)
    judged = sum(len(v) for _, v in job.folds)
    epochs = p.epochs_1 if job.from_scratch else p.epochs_2 if frozen.tail.nodes else 0
    depthwise = any(node.kind == "depthwise" for node in frozen.tail.nodes)
    # Judging an epoch costs a forward pass for each of two views.
    tuning = epochs * (LEARNING[depthwise] * rows + 2 * judged) * tail
    total = computed * whole + tuning + (judged + p.suite) * whole
    terminal.say(f"{job.backbone.title}, {p.name}, {job.size} pixels: about {duration(total)} "
                 f"(activations {duration(computed * whole)}, fine-tuning {duration(tuning)}), "
                 "less where it stops early.")


def speed(job: Job, frozen: Frozen, number_type: str) -> tuple[float, float]:
    """Seconds a picture for the whole network, as its activations are computed, and for its tail
    alone, as it is trained."""
    pictures = activations.filled(job.dataset.images[:activations.BATCH])
    both = activations.compiled(frozen, number_type)
    tail = program(fast(join(frozen.tail, POOL)), TENSORFLOW, number_type)
    _, boundary = both(pictures, True)
    tail(boundary)
    times = []
    for work in (lambda: both(pictures, True), lambda: tail(boundary)):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) / len(pictures))
    return times[0], times[1]


def mask(index: np.ndarray, n: int) -> np.ndarray:
    marked = np.zeros(n, bool)
    marked[index] = True
    return marked


def divide(network: Graph, job: Job, number_type: str) -> Frozen:
    """The network, cut at the protocol's boundary, on the engine that is fastest for it."""
    boundary = boundary_of(network, job)
    if boundary == "head":
        frozen = Frozen(network, Graph((), {}))
    elif boundary == "all":
        frozen = Frozen(Graph((), {}), network)
    else:
        frozen = Frozen(*cut(network, job.backbone.boundaries[boundary]))
    if job.from_scratch:
        return frozen
    return frozen.on_fastest(job.dataset.images.shape[1:], number_type)


def boundary_of(network: Graph, job: Job) -> str:
    """Where stage 2 begins; "auto" is decided by what the network costs."""
    if job.from_scratch:
        return "all"
    if job.protocol.boundary != "auto":
        return job.protocol.boundary
    light = multiply_adds(network, job.dataset.images.shape[1:]) <= LIGHT
    return "all" if light else "half"


def sources(job: Job, frozen: Frozen, views: Views, cache: Cache, outcome: Outcome
            ) -> tuple[Tables | None, Source]:
    """What stage 1 reads and what stage 2 reads."""
    count = job.protocol.other_views
    on_the_fly = Pictures(views, count)
    if job.from_scratch:
        return None, on_the_fly
    maps = bool(frozen.trunk.nodes) and bool(frozen.tail.nodes)
    total = activations.missing(views, count, frozen, cache, maps=maps,
                                number_type=outcome.number_type)
    with outcome.timed("trunk"), terminal.progress(total, f"{job.backbone.title}: activations"
                                                   ) as bar:
        found = activations.compute(views, count, frozen, cache, bar.advance, maps=maps,
                                    number_type=outcome.number_type)
    pooled = Tables(found.pooled, found.order, views)
    return pooled, Tables(found.boundary, found.order, views) if maps else on_the_fly


def one_fold(job: Job, frozen: Frozen, task: Task, pooled: Tables | None, source: Source,
             outcome: Outcome) -> tuple[Graph, dict[str, Any]]:
    """Both stages of one fold: the finished graph, and its learning curves."""
    p, name = job.protocol, job.backbone.title
    views = p.other_views
    stages: dict[str, Trained] = {}
    if pooled is None:
        top = head(p, features(frozen.tail, job.dataset.images.shape[1:]), task.classes, job.seed)
    else:
        top = head(p, pooled.tables[0].shape[1], task.classes, job.seed, sample(pooled, task))
        with outcome.timed("stage 1"), watched(p.epochs_1, task, f"{name}: stage 1, head") as step:
            stages["stage 1"] = fit(top, pooled, task, Stage.first(p), views, step)
        top = with_weights(top, stages["stage 1"].weights)
    whole = join(frozen.tail, POOL, top)
    if frozen.tail.nodes:
        stage = Stage.first(p) if pooled is None else Stage.second(p)
        with outcome.timed("stage 2"), watched(stage.epochs, task, f"{name}: stage 2, fine-tuning"
                                               ) as step:
            tuned = fit(whole, source, task, stage, views, step)
            if p.wise and pooled is not None:
                tuned = between(whole, tuned, source, task, stage, views)
        stages["stage 2"] = tuned
        whole = with_weights(whole, tuned.weights)
    warn_of_divergence(name, stages)
    history = {k: {"best": t.best, "wise": t.share, "epochs": t.history} for k, t in stages.items()}
    return join(frozen.trunk, whole), history


def warn_of_divergence(name: str, stages: dict[str, Trained]) -> None:
    """Say of which stages nothing was kept."""
    for stage, trained in stages.items():
        if trained.history and not trained.best:
            terminal.warn(f"{name}: {stage} diverged (no epoch's loss is a number), so the weights "
                          "are those it began with. Lower rate_1 and rate_2.")


def features(tail: Graph, shape: tuple[int, ...]) -> int:
    """How many pooled features a network gives: what it does to one empty picture (H, W, 3)."""
    from zoo.graph import run

    empty = np.zeros((1, *shape), "float32")
    return int(run(join(tail, POOL), empty).shape[-1])


def sample(pooled: Tables, task: Task) -> np.ndarray:
    """Features of some training pictures, over all views."""
    parts = []
    for view in range(len(pooled.tables)):
        rows = pooled.tables[view].rows(0, SAMPLE)
        parts.append(rows[task.train[pooled.order[:len(rows)]]])
    return np.concatenate(parts).astype("float32")


def with_weights(graph: Graph, weights: dict[str, np.ndarray]) -> Graph:
    return Graph(graph.nodes, {**graph.arrays, **weights})


@contextmanager
def watched(epochs: int, task: Task, title: str) -> Iterator[Any]:
    with terminal.progress(epochs * int(task.train.sum()), title) as bar:
        yield bar.advance
