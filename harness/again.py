"""A finished run's job, its pictures read again: for runs that are made of runs."""

from harness.prepare import prepare
from harness.protocol import Protocol
from harness.runs import Run
from harness.training.run import Job
from zoo.errors import UserError
from zoo.table import backbone


def job_of(run: Run) -> Job:
    """The job that the run was, its pictures read again."""
    config = run.config
    prepared = prepare(config["data"]["provenance"], **config.get("reading", {}))
    if prepared.dataset.content_hash != config["data"]["hash"]:
        raise UserError(f"{config['data']['provenance']} is not what {run.id} was trained on.")
    return Job(prepared.dataset, prepared.folds(config["folds"]), backbone(config["backbone"]),
               None, Protocol(**config["protocol"]), config["seed"])
