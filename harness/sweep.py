"""The sweep: a list of jobs, each of which becomes a run in the store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import terminal
from harness.data.dataset import Dataset
from harness.prepare import Prepared
from harness.protocol import Protocol
from harness.runs import Run, Store, identity
from harness.training.cache import Cache
from harness.training.views import MIXED
from zoo.backbone import Backbone
from zoo.device import release
from zoo.errors import UserError
from zoo.table import backbone

WEIGHTS = ("auto", "imagenet", "none")
SCRATCH = "from scratch"  # origin of the weights of a backbone that has no pretrained ones


@dataclass(frozen=True)
class Spec:
    """One line of the list: everything about a run but the pictures."""

    backbone: str
    weights: Path | None
    origin: dict[str, str]
    protocol: Protocol
    folds: int
    seed: int


def plan(backbones: list[str], protocol: Protocol, weights: str, folds: int, seeds: int,
         demo: bool) -> list[Spec]:
    """The jobs of a sweep, their weights found (or downloaded) before anything is trained.

    weights: "auto", "imagenet", "none", or a folder. Raises UserError where pretrained weights are
    wanted and can't be had; on the demo data random ones will do.
    """
    specs = []
    for row in [backbone(name) for name in backbones]:
        path, origin = find_weights(row, weights, demo)
        specs += [Spec(row.name, path, origin, protocol, folds, seed) for seed in range(seeds)]
    return specs


def find_weights(row: Backbone, weights: str, demo: bool) -> tuple[Path | None, dict[str, str]]:
    """The file of pretrained weights, and what the run's record says of it."""
    from zoo import weights as sources

    if row.pretrained is None:
        return None, {"origin": SCRATCH}
    if weights == "none":
        return None, {"origin": "random"}
    file = row.pretrained
    try:
        path = sources.find(file.name, file.address, file.hash,
                            None if weights in WEIGHTS else weights)
    except sources.NotHad:
        if not demo or weights != "auto":
            raise
        return None, {"origin": "random"}
    return path, sources.describe(path)


def configuration(spec: Spec, prepared: Prepared) -> dict[str, Any]:
    """What decides the outcome of a run, and its identity."""
    data = prepared.dataset
    config: dict[str, Any] = {
        "backbone": spec.backbone, "weights": spec.origin, "protocol": spec.protocol.to_json(),
        "data": {"name": Path(data.provenance).name, "provenance": data.provenance,
                 "hash": data.content_hash, "n": len(data), "classes": list(data.class_names),
                 "size": list(data.images.shape[1:3])},
        "folds": spec.folds, "seed": spec.seed}
    # A field that is younger than some runs counts only where it says something.
    decisive = {k: v for k, v in config["protocol"].items() if k != "adapt" or v}
    named = {"protocol": {**decisive, "name": ""}, "data": config["data"]["hash"]}
    config["identity"] = identity({**config, **named})
    config["reading"] = prepared.reading
    config["test"] = test_record(prepared.test)
    return config


def test_record(test: Dataset | None) -> dict[str, Any] | None:
    if test is None:
        return None
    return {"name": Path(test.provenance).name, "hash": test.content_hash, "n": len(test)}


def run_job(spec: Spec, prepared: Prepared, store: Store, cache: Cache) -> Run:
    """Train, judge and record one job, unless the store already holds its run."""
    from harness import finish
    from harness.training.run import Job, train

    config = configuration(spec, prepared)
    done = store.find(config["identity"])
    if done:
        terminal.say(f"{backbone(spec.backbone).title}: finished before ({done.id})")
        if done.config["data"]["classes"] != config["data"]["classes"]:
            terminal.warn(f"{done.id} was trained before its classes were renamed, and says the "
                          f"old names. Remove {done.folder} to train it under the new ones.")
        return finish.tested(done, prepared.test, config["test"])
    job = Job(prepared.dataset, prepared.folds(spec.folds), backbone(spec.backbone),
              spec.weights, spec.protocol, spec.seed)
    with store.new(words(spec), config["identity"]) as folder:
        if folder is not None:
            outcome = train(job, cache)
            finish.write(folder, config, job, outcome, prepared.test)
    return store.made(config["identity"])


def words(spec: Spec) -> str:
    """What the names of a job's runs say of it."""
    return f"{spec.backbone}-{spec.protocol.name.replace('+', '')}"


def sweep(specs: list[Spec], prepared: Prepared, store: Store, cache: Cache,
          jobs: int | None = None, cluster: str | None = None) -> list[Run]:
    """Run every job: one after another, in ``jobs`` processes (None: one for each GPU), or on a
    cluster (the address of a Dask scheduler). The runs come back in the list's order; forecasts
    are made afterwards."""
    from harness import jobs as many

    prepared.write_cleaning(store.folder)
    if cluster:
        many.on_cluster(specs, prepared, store, cluster)
    elif (processes := many.at_once(specs, prepared, store, jobs)) > 1:
        many.in_processes(specs, prepared, store, cache, processes)
    runs = []
    for i, spec in enumerate(specs):
        title = backbone(spec.backbone).title
        terminal.say(f"[{i + 1}/{len(specs)}] {title}, weights {spec.origin['origin']}, "
                     f"protocol {spec.protocol.name}")
        runs.append(run_job(spec, prepared, store, cache))
        release()
    return runs


def check(rows: list[Backbone], protocol: Protocol) -> None:
    """Refuse what a protocol asks of a backbone in vain, before anything is trained."""
    if protocol.mixing != "none" and protocol.views < MIXED:
        raise UserError(f"mixing={protocol.mixing} needs at least {MIXED} views, since the first "
                        f"one stays unmixed and judges: set views={MIXED} or more, or mixing=none.")
    for row in rows:
        if protocol.adapt and not row.batch_norms:
            raise UserError(f"{row.title} has no batch normalization that could adapt: set "
                            "adapt=0, or choose backbones that have it.")
