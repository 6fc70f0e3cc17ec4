"""Test-time augmentation: a finished run that averages over turned and mirrored views."""

import dataclasses
from typing import Any

from harness import finish
from harness.again import job_of
from harness.runs import Run, Store, identity
from harness.sweep import test_record
from harness.training.run import Outcome
from zoo.classifier import Classifier
from zoo.errors import UserError


def make(store: Store, run: Run, tta: str, test: str | None = None) -> Run:
    """The classifier of ``run`` with ``tta`` ("flip": 2 views, "dihedral": 8), as a run of its own.

    Nothing is trained; everything is judged again, on the source ``test``, too. Raises UserError
    where the run is an ensemble or has views already, or its pictures are gone.
    """
    if "members" in run.config:
        raise UserError(f"{run.id} is made of several runs. Give its members test-time "
                        "augmentation first.")
    if run.config["protocol"]["tta"] != "none":
        raise UserError(f"{run.id} has test-time augmentation already "
                        f"({run.config['protocol']['tta']}). Name a run without.")
    job, held = job_of(run, test)
    job = dataclasses.replace(job, protocol=dataclasses.replace(job.protocol, tta=tta))
    config = {**configuration(run, tta), "test": test_record(held)}
    with store.new(f"{run.config['backbone']}-{tta}", config["identity"]) as folder:
        if folder is not None:
            outcome = Outcome(list(Classifier.load(run.classifier_folder).graphs), run.history)
            finish.write(folder, config, job, outcome, held)
    return finish.tested(store.made(config["identity"]), held, config["test"])


def configuration(run: Run, tta: str) -> dict[str, Any]:
    """That of ``run``, but for the views; ``of`` tells where they were added."""
    protocol = {**run.config["protocol"], "tta": tta,
                "name": f"{run.config['protocol']['name']}, {tta}"}
    return {**run.config, "protocol": protocol, "of": run.id,
            "identity": identity({"run": run.config["identity"], "tta": tta})}
