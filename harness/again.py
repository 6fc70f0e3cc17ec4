"""What a finished run learned from, read again."""

import numpy as np

from harness import terminal
from harness.data.dataset import Dataset
from harness.data.sources import is_missing, load, no_labels
from harness.prepare import prepare
from harness.protocol import Protocol
from harness.records import reading
from harness.runs import Run
from harness.training.run import Job
from zoo.errors import UserError
from zoo.table import backbone


def job_of(run: Run, test: str | None = None) -> tuple[Job, Dataset | None]:
    """The job that the run was, its pictures read again; and what a sweep would test on."""
    config = run.config
    source = config["data"]["provenance"]
    if is_missing(source):
        raise UserError(f"{run.id} has to be judged again on what it learned from, and {source} "
                        "isn't there any more. Put it back.")
    prepared = prepare(source, test, **reading(config))
    if prepared.dataset.content_hash != config["data"]["hash"]:
        raise UserError(f"{source} is not what {run.id} was trained on.")
    job = Job(prepared.dataset, prepared.folds(config["folds"]), backbone(config["backbone"]),
              None, Protocol.from_json(config["protocol"]), config["seed"])
    held_out = np.concatenate([validation for _, validation in job.folds])
    if not np.array_equal(held_out, run.predictions()["validation_index"]):
        raise UserError(f"{run.id} was validated on other pictures than this version would: "
                        "another one trained it. Delete it and train it again.")
    return job, prepared.test


def pictures_of(run: Run) -> Dataset:
    """The pictures that the run was made of, before cleaning; where their source is gone, those
    that it keeps itself."""
    data, keys = run.config["data"], reading(run.config)
    try:
        return load(data["provenance"], keys.get("images_key", "images"),
                    keys.get("labels_key", "labels"), tolerant=True)
    except UserError:
        images = run.sample()["images"]
        terminal.warn(f"{data['provenance']} can't be read any more, so only {len(images):,} of "
                      f"its pictures, those that {run.id} keeps, are compared.")
        return Dataset(images, no_labels(len(images)), tuple(data["classes"]), data["provenance"])
