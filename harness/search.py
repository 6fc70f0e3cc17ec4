"""The report's Table 2 as a search space, explored with Optuna on cached activations.

What is sought is accuracy on the stress suite, never on clean validation.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from harness import terminal
from harness.data.dataset import Dataset
from harness.prepare import Prepared
from harness.protocol import Protocol, with_settings
from harness.sweep import Spec
from harness.training import activations
from harness.training.activations import Frozen
from harness.training.cache import Cache
from harness.training.heads import head
from harness.training.run import (
    Job,
    Outcome,
    divide,
    mask,
    sample,
    sources,
    views_of,
    with_weights,
)
from harness.training.sources import Tables
from harness.training.stages import Stage, Task, fit, predictions
from harness.training.views import Views
from harness.training.wise import between
from zoo.errors import UserError
from zoo.files import content_hash
from zoo.graph import Graph, compiled
from zoo.split import join
from zoo.table import backbone

# field: (kind, choices or range)
SPACE: dict[str, tuple[str, Any]] = {
    "dropout": ("float", (0.0, 0.6)),
    "l2": ("log", (1e-6, 1e-2)),
    "l1": ("choice", (0.0, 1e-5, 1e-4)),
    "dense": ("choice", (0, 128, 256, 512)),
    "rate_1": ("log", (1e-5, 1e-2)),
    "rate_2": ("log", (1e-6, 1e-3)),
    "batch": ("choice", (16, 32, 64)),
    "patience": ("choice", (5, 10, 15)),
    "magnitude": ("choice", (0.5, 1.0, 1.5)),
    "boundary": ("choice", ("last block", "half")),
}

# Fields that change how a finished network predicts, and their values that don't.
UNJUDGED = {"tta": "none", "adapt": 0.0}


def suggest(trial: Any, fields: list[str]) -> dict[str, Any]:
    """One point of the space, limited to ``fields``."""
    point: dict[str, Any] = {}
    for name in fields:
        kind, where = SPACE[name]
        point[name] = (trial.suggest_categorical(name, list(where)) if kind == "choice"
                       else trial.suggest_float(name, *where, log=kind == "log"))
    return point


class Objective:
    """Suite accuracy of a protocol on one fold; whatever is frozen is computed once and cached.

    Raises UserError for a backbone or a protocol that can't be judged so.
    """

    def __init__(self, spec: Spec, prepared: Prepared, cache: Cache) -> None:
        from harness.judge.suite import make_suite
        from zoo.device import number_type

        row = backbone(spec.backbone)
        if row.pretrained is None:
            raise UserError(f"{row.title} has nothing frozen to search on. Choose a pretrained "
                            "backbone.")
        for field, nothing in UNJUDGED.items():
            if getattr(spec.protocol, field) != nothing:
                raise UserError(f"The search can't judge {field}={getattr(spec.protocol, field)}: "
                                "it works on cached activations of single pictures. Leave it out "
                                "here, and set it for `harness zoo`.")
        self.spec, self.data, self.cache = spec, prepared.dataset, cache
        self.fold = prepared.folds(spec.folds)[0]
        self.number_type = number_type()
        held = self.fold[1]
        suite = make_suite(self.data.images[held], self.data.labels[held], spec.protocol.policy,
                           spec.protocol.suite)
        distorted = suite.operation != "clean"
        self.suite = Dataset(suite.images[distorted], suite.label[distorted],
                             self.data.class_names, "stress suite")

    @property
    def name(self) -> str:
        """What the study is called: another protocol, start or data set makes another study."""
        decisive = {"protocol": self.spec.protocol.to_json(), "weights": self.spec.origin,
                    "data": self.data.content_hash}
        return (f"{self.spec.backbone}-{self.spec.protocol.name.rstrip('+')}-"
                f"{content_hash(decisive)[:8]}")

    def accuracy(self, protocol: Protocol, after_epoch: Callable[[dict[str, float]], None]
                 ) -> float:
        """Train both stages under ``protocol``; after_epoch(record) may raise to stop."""
        job = Job(self.data, (self.fold,), backbone(self.spec.backbone), self.spec.weights,
                  protocol, self.spec.seed)
        frozen = divide(job.backbone.graph(job.size, job.weights), job, self.number_type)
        found, source = sources(job, frozen, views_of(job), self.cache,
                                Outcome(number_type=self.number_type))
        pooled = cast(Tables, found)  # None from scratch alone
        task = Task(job.dataset.labels, len(job.dataset.class_names),
                    mask(self.fold[0], len(job.dataset)), mask(self.fold[1], len(job.dataset)),
                    protocol, job.seed, self.number_type)
        top = head(protocol, pooled.tables[0].shape[1], task.classes, job.seed,
                   sample(pooled, task))
        first = fit(top, pooled, task, Stage.first(protocol), protocol.other_views)
        whole = with_weights(top, first.weights)
        if frozen.tail.nodes:
            whole = join(frozen.tail, activations.POOL, whole)
            tuned = fit(whole, source, task, Stage.second(protocol), protocol.other_views,
                        after_epoch=after_epoch)
            if protocol.wise:
                tuned = between(whole, tuned, source, task, Stage.second(protocol),
                                protocol.other_views)
            whole = with_weights(whole, tuned.weights)
        return self.judge(frozen, whole)

    def judge(self, frozen: Frozen, whole: Graph) -> float:
        """Accuracy on the distorted pictures of the suite, from their cached activations.

        whole: what follows the boundary; the head alone where nothing else is trained.
        """
        views = Views(self.suite, "none")
        found = activations.compute(views, 0, frozen, self.cache, lambda n: None,
                                    maps=bool(frozen.tail.nodes), number_type=self.number_type)
        rows = Tables(found.boundary or found.pooled, found.order, views)
        everything = np.ones(len(self.suite), bool)
        program = compiled(whole, self.number_type)
        hits = [out.argmax(1) == self.suite.labels[picture]
                for out, picture in predictions(program, rows.read(0, everything))]
        return float(np.concatenate(hits).mean())


def explore(objective: Objective, fields: list[str], trials: int, folder: Path
            ) -> list[dict[str, Any]]:
    """Run ``trials`` more trials of the objective's study, which is kept in ``folder``.

    Returns one record a finished trial, the best first. Raises UserError where Optuna is missing.
    """
    optuna = load_optuna()
    folder.mkdir(parents=True, exist_ok=True)
    name = objective.name
    backend = optuna.storages.journal.JournalFileBackend(str(folder / f"{name}.log"))
    study = optuna.create_study(
        study_name=name, direction="maximize", load_if_exists=True,
        storage=optuna.storages.JournalStorage(backend),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
    # One seed for all calls would draw the first call's trials again.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    base = objective.spec.protocol

    def trial(t: Any) -> float:
        def after_epoch(record: dict[str, float]) -> None:
            t.report(record["augmented_accuracy"], int(record["epoch"]))
            if t.should_prune():
                raise optuna.TrialPruned

        return objective.accuracy(with_settings(base, suggest(t, fields)), after_epoch)

    with terminal.progress(trials, f"search, {name}") as bar:
        study.optimize(trial, n_trials=trials, callbacks=[lambda s, t: bar.advance(1)])
    done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    rows = [{"trial": t.number, "suite": t.value, **t.params} for t in done]
    return sorted(rows, key=lambda r: -float(r["suite"]))


def load_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("The search needs Optuna: pip install 'shift-harness[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
