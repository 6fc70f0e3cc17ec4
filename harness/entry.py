"""From a finished run to a zip that is kept: pack, check, dry-run, compare."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.runs import Run, Store
from zoo.adapt import adapts
from zoo.classifier import Classifier
from zoo.errors import UserError

if TYPE_CHECKING:
    from submission.dryrun import DryRun

AGREE = 0.99  # share of pictures on which zip and harness must name the same class


@dataclass(frozen=True)
class Entry:
    """A zip that passed, and what was measured while it did."""

    path: Path
    run: str
    facts: dict[str, Any]


def choose(store: Store, select: str) -> Run:
    """The run that the strategy ranks first; demo runs only where there is nothing else."""
    from harness.leaderboard import records

    rows = records(store, select)
    if not rows:
        raise UserError(f"{store.folder} holds no finished run. Make one with: harness zoo")
    real = [r for r in rows if r["data_name"] != "demo"] or rows
    newest = max(real, key=lambda r: r["run"])["data"]
    best = min((r for r in real if r["data"] == newest), key=lambda r: r["rank"])
    return store.run(best["run"])


def make(run: Run, out: Path, half: bool = False) -> Entry:
    """Write ``out``; only a zip that passes every step gets that name.

    Raises UserError, naming the step, where one fails.
    """
    import os
    import tempfile

    from submission.dryrun import dry_run
    from submission.pack import pack
    from submission.rules import check, errors
    from zoo.files import user_errors

    classifier = Classifier.load(run.classifier_folder)
    if any(adapts(g) for g in classifier.graphs):
        raise UserError(f"{run.id} normalizes with the statistics of the batch that it predicts, "
                        "and this contest's rules forbid that a picture's label depends on the "
                        "others. Train it, or its members, again with --set adapt=0 (the cache "
                        "still holds what is frozen), or name another run with --run.")
    with user_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".packing-") as folder:
            draft = pack(classifier, Path(folder) / out.name, manifest(run), half)
            findings = check(draft)
            if broken := errors(findings):
                raise UserError(f"The zip breaks a rule and was not kept: {broken[0].sentence}")
            sample = run.sample()
            labels = run.predictions()["validation_labels"][sample["position"]]
            report = dry_run(draft, sample["images"], labels)
            facts = compare(classifier, sample["images"], labels, report)
            os.replace(draft, out)
    return Entry(out, run.id, {**facts, "bytes": out.stat().st_size,
                               "findings": [f.to_json() for f in findings],
                               "dry_run": report.to_json()})


def compare(classifier: Classifier, images: np.ndarray, labels: np.ndarray, report: "DryRun"
            ) -> dict[str, float]:
    """Accuracy of zip and harness on the same pictures. Raises UserError where they differ."""
    if not report.ok:
        raise UserError(f"The dry run failed and the zip was not kept: {report.sentence}")
    ours = classifier.predict(images).argmax(1)
    zipped = np.asarray(report.predictions)
    agreement = float((ours == zipped).mean())
    facts = {"accuracy_harness": float((ours == labels).mean()),
             "accuracy_zip": float((zipped == labels).mean()), "agreement": agreement,
             "pictures": len(images)}
    if agreement < AGREE:
        raise UserError(
            f"The zip predicts otherwise than the harness: they agree on {100 * agreement:.1f} % "
            f"of {len(images)} validation pictures ({100 * facts['accuracy_zip']:.1f} % against "
            f"{100 * facts['accuracy_harness']:.1f} % accuracy). It was not kept.")
    return facts


def manifest(run: Run) -> dict[str, Any]:
    """What the zip says about itself."""
    config = run.config
    return {"run": run.id, "backbone": config["backbone"], "weights": config["weights"],
            "protocol": config["protocol"], "data": config["data"]["hash"],
            "seed": config["seed"], "folds": config["folds"],
            "validation": run.metrics["validation"]["accuracy"],
            "forecast": next(iter(run.forecasts), None)}
