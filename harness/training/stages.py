"""A stage of training: the loop over batches that never leaves the compiled graph."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from harness.protocol import Protocol
from harness.training.activations import filled
from harness.training.gradients import kinds
from harness.training.heads import HEAD, LOGITS, trainable
from harness.training.optimizer import AdamW, subtract
from harness.training.replicas import Replicas
from harness.training.sources import Batch, Source
from zoo.graph import Graph, run
from zoo.rewrite import folded

EVALUATED = 64     # pictures a batch, when judging
PLATEAU = (3, 0.5)  # epochs without a better loss, and what the rate is then multiplied by

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Stage:
    """What a stage trains with: the fields of the protocol that belong to it."""

    epochs: int
    rate: float
    decay: float
    schedule: str
    warmup: float
    head_rate: float
    ema: float

    @classmethod
    def first(cls, p: Protocol) -> "Stage":
        return cls(p.epochs_1, p.rate_1, p.decay_1, p.schedule, 0.0, 1.0, 0.0)

    @classmethod
    def second(cls, p: Protocol) -> "Stage":
        return cls(p.epochs_2, p.rate_2, p.decay_2, p.schedule, p.warmup, p.head_rate, p.ema)


@dataclass
class Trained:
    """The weights that are kept, and the learning curves: one record an epoch."""

    weights: Weights
    history: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    share: float = 1.0  # of the way from the weights before to those after, see wise.py


@dataclass(frozen=True)
class Task:
    """What is learned: labels (N,) of all pictures, and which train (N,) and which validate."""

    labels: np.ndarray
    classes: int
    train: np.ndarray
    validation: np.ndarray
    protocol: Protocol
    seed: int
    number_type: str = "float32"

    def targets(self, picture: np.ndarray) -> np.ndarray:
        """Soft labels float32 (..., K), scaled by the weight of their class."""
        p = self.protocol
        smooth = np.full((self.classes, self.classes), p.label_smoothing / self.classes, "float32")
        smooth[np.diag_indices(self.classes)] += 1 - p.label_smoothing
        if p.class_weights:
            counts = np.bincount(self.labels[self.train], minlength=self.classes)
            smooth *= (self.train.sum() / ((counts > 0).sum() * np.maximum(counts, 1)))[:, None]
        return smooth[self.labels[picture]]

    def mixed_targets(self, batch: Batch) -> np.ndarray:
        """The targets of a batch's rows, (steps, batch, K): of mixed ones, both pictures' in the
        proportion in which they were mixed."""
        y = self.targets(batch.picture)
        if not batch.share.any():
            return y
        return y + batch.share[..., None] * (self.targets(batch.partner) - y)


def fit(graph: Graph, source: Source, task: Task, stage: Stage, views: int,
        step: Callable[[int], None] = lambda n: None,
        after_epoch: Callable[[dict[str, float]], None] = lambda record: None) -> Trained:
    """Train the weights of ``graph`` on what ``source`` shows, and keep the best epoch's.

    The best is the epoch with the lowest loss on validation pictures, the mean over view 0 and
    the first augmented one (where ``views`` > 0): validation under distortion steers better than
    clean validation does. step(k) is called after each k pictures, after_epoch(record) after each
    epoch.
    """
    learner = Learner(graph, task, stage)
    kept = Trained(learner.weights())
    lowest, waited, rate = np.inf, 0, 1.0
    total = max(1, stage.epochs * (int(task.train.sum()) // learner.batch))
    for epoch in range(stage.epochs):
        began = time.perf_counter()
        losses: list[float] = []
        for batch in source.epoch(epoch, task.train, learner.batch, task.seed):
            losses.append(learner.learn(batch.x, task.mixed_targets(batch), rate, total))
            step(batch.picture.size)
        loss, scores = learner.judge(source, views)
        kept.history.append({
            "epoch": epoch + 1, "train_loss": float(np.mean(losses)) if losses else np.nan,
            "validation_loss": scores[0][0], "validation_accuracy": scores[0][1],
            "augmented_loss": scores[-1][0], "augmented_accuracy": scores[-1][1],
            "rate": learner.rate(rate, total), "seconds": time.perf_counter() - began})
        waited += 1
        if loss < lowest:
            lowest, waited, kept.best, kept.weights = loss, 0, epoch + 1, learner.weights()
        after_epoch(kept.history[-1])
        if waited >= task.protocol.patience:
            break
        if stage.schedule == "plateau" and waited and waited % PLATEAU[0] == 0:
            rate *= PLATEAU[1]
    learner.empty()
    return kept


class Learner:
    """The variables of one stage and the compiled functions that change and judge them."""

    def __init__(self, graph: Graph, task: Task, stage: Stage) -> None:
        import tensorflow as tf

        self.graph, self.task, self.stage = graph, task, stage
        self.folded, self.kinds = folded(graph), kinds(task.number_type)
        self.batch = min(task.protocol.batch, max(1, int(task.train.sum())))
        self.replicas = Replicas(self.batch)
        names = trainable(graph)
        self.averaged = {k: tf.Variable(graph.arrays[k]) for k in names} if stage.ema else {}
        self.fixed = {k: tf.constant(v) for k, v in graph.arrays.items() if k not in names}
        self.done = tf.Variable(0, dtype=tf.int64)
        self.parts = [[k for k in names if (k.split("/")[0] in HEAD) == head]
                      for head in (False, True)]
        with self.replicas.scope():
            self.variables = {k: tf.Variable(graph.arrays[k], name=k) for k in names}
            self.optimizers = [AdamW([self.variables[k] for k in part], stage.decay)
                               for part in self.parts]
        # AutoGraph would rewrite all that they call, for seconds, to no end.
        compiled = partial(tf.function, autograph=False, reduce_retracing=True)
        self._learn, self._predict = compiled(self.steps), compiled(self.logits)

    def weights(self) -> Weights:
        """The weights to keep: the moving average where there is one."""
        return {k: v.numpy() for k, v in (self.averaged or self.variables).items()}

    def set_weights(self, weights: Weights) -> None:
        for k, v in weights.items():
            (self.averaged or self.variables)[k].assign(v)

    def empty(self) -> None:
        """Give the memory of all variables back; the learner is of no use afterwards.

        TensorFlow keeps graphs with loops, and what they use, after their function is gone: each
        run of a sweep would leave its weights and their moments behind.
        """
        import tensorflow as tf

        moments = [v for optimizer in self.optimizers for v in optimizer.moments]
        for variable in (*self.variables.values(), *self.averaged.values(), *moments):
            for v in getattr(variable, "values", (variable,)):  # one on every device
                tf.raw_ops.AssignVariableOp(resource=v.handle, value=tf.zeros([0], v.dtype))

    def judge(self, source: Source, views: int) -> tuple[float, list[tuple[float, float]]]:
        """The loss that decides what is kept, and (loss, accuracy) of each view it is a mean of."""
        scores = [self.score(source.read(view, self.task.validation))
                  for view in ((0, 1) if views else (0,))]
        return float(np.mean([s[0] for s in scores])), scores

    def learn(self, x: np.ndarray, y: np.ndarray, factor: float, total: int) -> float:
        """Take a step for each batch in x (steps, batch, ...); the mean loss."""
        import tensorflow as tf

        return float(self._learn(x, y, tf.constant(factor, "float32"),
                                 tf.constant(total, tf.int64)))

    def steps(self, x: Any, y: Any, factor: Any, total: Any) -> Any:
        import tensorflow as tf

        count = tf.shape(x)[0]
        _, sum_of_losses = tf.while_loop(
            lambda i, so_far: i < count,
            lambda i, so_far: (i + 1, so_far + self.one_step(x[i], y[i], factor, total)),
            (tf.constant(0), tf.constant(0.0)))
        return sum_of_losses / tf.cast(count, "float32")

    def one_step(self, x: Any, y: Any, factor: Any, total: Any) -> Any:
        loss = self.replicas.step(self.update, x, y, self.scheduled(factor, total))
        self.average()
        self.done.assign_add(1)
        return loss

    def update(self, x: Any, y: Any, rate: Any, share: Any, replica: Any) -> Any:
        """Change the variables by the gradient of the loss, which is returned; see Replicas."""
        import tensorflow as tf

        own = tf.cast(replica, tf.int64) * 2**32  # dropout draws other numbers on every device
        seed = tf.stack([self.task.seed + own, self.done * len(self.graph.nodes)])
        with tf.GradientTape() as tape:
            logits = self.forward(x, self.variables, seed)
            # Not TensorFlow's fused loss: its gradient is wrong where targets don't sum to 1.
            loss = -tf.reduce_mean(tf.reduce_sum(y * tf.nn.log_softmax(logits), 1))
            penalized = share * (loss + self.penalty())
        gradients = self.replicas.total(tape.gradient(penalized, self.variables))
        for optimizer, part, times in zip(self.optimizers, self.parts,
                                          (1.0, self.stage.head_rate), strict=True):
            optimizer.apply([gradients[k] for k in part], rate * times, self.done + 1)
        return loss

    def forward(self, x: Any, weights: Mapping[str, Any], seed: Any = None) -> Any:
        """Logits; dropout acts where there is a seed."""
        return run(Graph(self.folded.nodes, {}), x, until=LOGITS, seed=seed, kinds=self.kinds,
                   weights=self.folded.arrays({**self.fixed, **weights}),
                   number_type=self.task.number_type)

    def penalty(self) -> Any:
        import tensorflow as tf

        kernels = [v for k, v in self.variables.items() if k.split("/")[0] in HEAD
                   and k.endswith("kernel")]
        p = self.task.protocol
        return tf.add_n([p.l1 * tf.reduce_sum(tf.abs(k)) + p.l2 * tf.reduce_sum(k * k)
                         for k in kernels])

    def scheduled(self, factor: Any, total: Any) -> Any:
        """The learning rate of this step: warm-up, then half a cosine; or the plateau's factor."""
        import tensorflow as tf

        if self.stage.schedule != "cosine":
            return self.stage.rate * factor
        share = tf.cast(self.done, "float32") / tf.cast(total, "float32")
        warm = tf.minimum(1.0, (share + 1e-3) / max(self.stage.warmup, 1e-3))
        rest = tf.clip_by_value((share - self.stage.warmup) / (1 - self.stage.warmup), 0.0, 1.0)
        return self.stage.rate * warm * 0.5 * (1 + tf.cos(np.pi * rest))

    def rate(self, factor: float, total: int) -> float:
        return float(self.scheduled(factor, total))

    def average(self) -> None:
        """Exponential moving average; a short memory at first, so that the start is forgotten."""
        import tensorflow as tf

        if self.averaged:
            done = tf.cast(self.done, "float32")
            decay = tf.minimum(self.stage.ema, (1 + done) / (10 + done))
            for k, mean in self.averaged.items():
                subtract(mean, 1 - decay, mean - self.variables[k])

    def logits(self, x: Any) -> Any:
        return self.forward(x, self.averaged or self.variables)

    def score(self, rows: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
        """(cross entropy with smoothed labels, accuracy) of the weights that would be kept."""
        smooth = self.task.protocol.label_smoothing
        losses, hits = [], []
        for logits, picture in predictions(self._predict, rows):
            labels = self.task.labels[picture]
            shifted = logits - logits.max(1, keepdims=True)
            log = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
            losses.append(-(1 - smooth) * log[np.arange(len(labels)), labels]
                          - smooth * log.mean(1))
            hits.append(logits.argmax(1) == labels)
        return float(np.mean(np.concatenate(losses))), float(np.mean(np.concatenate(hits)))


def predictions(program: Callable[[Any], Any], rows: Iterator[tuple[np.ndarray, np.ndarray]]
                ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(outputs, pictures) batch by batch, each batch filled up to one size."""
    for x, picture in rows:
        for start in range(0, len(x), EVALUATED):
            part = x[start:start + EVALUATED]
            full = filled(part, EVALUATED)
            yield np.asarray(program(full))[:len(part)], picture[start:start + EVALUATED]
