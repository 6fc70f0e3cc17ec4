"""Why a run loses points: findings in words, the costliest first, with what usually helps.

What usually helps is what the published ladders of one contest's teams agree on. Points are of
accuracy on the hidden test that is expected beforehand (see ``harness.judge.hidden``), as far as
the run's own records tell; a finding that costs nothing directly stands at the end with 0.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.augment import FAMILIES, OPERATIONS
from harness.judge.evidence import Evidence, design, of_run
from harness.judge.hidden import expected
from harness.judge.metrics import calibration_error, nll
from harness.judge.suite import STRENGTHS
from zoo.table import ROWS

if TYPE_CHECKING:
    from harness.runs import Run

TEMPERATURES = np.geomspace(0.25, 8, 41)
NOTICEABLE = 0.5  # points; what costs less is left out
# Backbones that carry the training pictures' statistics in batch norms.
BATCH_NORMED = tuple(row.name for row in ROWS if row.batch_norms)
HELPS = {
    "blur": "blur, sharpening and lower resolution in the augmentation",
    "noise": "noise of several kinds in the augmentation, and fine-tuning more than the head",
    "resolution": "compression and downscaling in the augmentation; a larger --size",
    "light": "brightness, contrast and gamma in the augmentation, drawn for each picture",
    "colour": "hue, channel order, stain and inversion in the augmentation (policy random)",
    "geometry": "rotation, zoom and perspective in the augmentation; views at prediction (tta)",
    "occlusion": "erasing and grid masks in the augmentation",
    "overlay": "overlays in the augmentation, and CutMix or MixUp",
}


@dataclass(frozen=True)
class Finding:
    """What was found (``kind``), the points that it costs, in words, and what usually helps."""

    kind: str
    points: float
    words: str
    helps: str


def diagnose(run: "Run") -> list[dict[str, Any]]:
    """Findings about a ``harness.runs.Run``, ranked by points lost."""
    found = [finding for look in LOOKS for finding in look(run)]
    return [asdict(f) for f in sorted(found, key=lambda f: -f.points)]


def heat_map(evidence: Evidence) -> dict[str, list[float | None]]:
    """Accuracy of each family at strengths 1..5, over single operations and compositions alike;
    None where the suite has no picture."""
    member = families_of(evidence)
    return {family: [evidence.share((member[:, i] > 0) & (evidence.strength == s))
                     for s in STRENGTHS] for i, family in enumerate(FAMILIES)}


def families_of(evidence: Evidence) -> np.ndarray:
    """float (m, families): each family's part in a row; a composition's families share 1."""
    return design(evidence.operation, evidence.strength, FAMILIES)[:, 2:]


def costs(evidence: Evidence) -> dict[str, float]:
    """Points that each family costs on the expected hidden test; they sum to the whole fall."""
    lost = expected(evidence) * (evidence.validation - evidence.right)
    return dict(zip(FAMILIES, (100 * lost @ families_of(evidence)).tolist(), strict=True))


def shift(run: "Run") -> list[Finding]:
    """The families of distortions that cost most."""
    evidence = of_run(run)
    if evidence is None:
        return []
    member, found = families_of(evidence), []
    for i, (family, points) in enumerate(costs(evidence).items()):
        alone = evidence.share(member[:, i] == 1)
        if points < NOTICEABLE or alone is None:
            continue
        worst = hardest(evidence, family)
        found.append(Finding(
            f"shift: {family}", points,
            f"Under {family} alone accuracy falls from {100 * evidence.validation:.1f} to "
            f"{100 * alone:.1f} %{worst}.", HELPS.get(family, "this family in the augmentation")))
    return found


def hardest(evidence: Evidence, family: str) -> str:
    """"; the hardest is ...", of a family's single operations that have some pictures."""
    names = [n for n, o in OPERATIONS.items() if o.family == family]
    shares = {n: evidence.share(rows) for n in names
              if (rows := evidence.operation == n).sum() >= 5}
    known = {n: s for n, s in shares.items() if s is not None}
    if not known:
        return ""
    name = min(known, key=lambda n: known[n])
    return f"; the hardest is {name} ({100 * known[name]:.0f} %)"


def overfit(run: "Run") -> list[Finding]:
    """Likelihood of the training pictures against the validation pictures', at the kept epoch."""
    losses = [kept for fold in run.history for stage in list(fold.values())[-1:]
              if (kept := losses_at_best(stage)) is not None]
    if not losses:
        return []
    train, validation = np.mean(losses, axis=0).tolist()
    ceiling = 1 - run.metrics["validation"]["accuracy"]
    points = 100 * float(min(np.exp(-train) - np.exp(-validation), ceiling))
    if points < NOTICEABLE:
        return []
    return [Finding("over-fit", points,
                    f"At the kept epoch the loss is {train:.2f} on training pictures, as they were "
                    f"shown, and {validation:.2f} on untouched validation pictures.",
                    "more augmented views, more dropout or weight decay, fewer layers unfrozen")]


def losses_at_best(stage: dict[str, Any]) -> tuple[float, float] | None:
    for epoch in stage.get("epochs", []):
        if epoch.get("epoch") == stage.get("best") and "train_loss" in epoch:
            return float(epoch["train_loss"]), float(epoch["validation_loss"])
    return None


def twins(run: "Run") -> list[Finding]:
    """Pictures that stand more than once among the kept validation pictures, turned or not."""
    images = run.sample()["images"]
    keys = [min(np.rot90(side, k).tobytes() for side in (x, x[:, ::-1]) for k in range(4))
            for x in images]
    double = len(keys) - len(set(keys))
    if not double:
        return []
    accuracy = run.metrics["validation"]["accuracy"]
    return [Finding("leak", 100 * accuracy * double / len(keys),
                    f"{double} of {len(keys)} sampled validation pictures stand there twice; if "
                    "the training part holds some, too, validation flatters.",
                    "harness clean, and splits that keep twins together")]


def classes(run: "Run") -> list[Finding]:
    """Classes whose recall on the suite lies far below the average class's."""
    evidence = of_run(run)
    if evidence is None:
        return []
    names, weight = run.config["data"]["classes"], expected(evidence)
    overall, found = float(weight @ evidence.right), []
    for k, name in enumerate(names):
        rows = evidence.label == k
        part = float(weight[rows].sum())
        if rows.sum() < 10 or part == 0:
            continue
        recall = float(weight[rows] @ evidence.right[rows]) / part
        points = 100 * part * (overall - recall)
        if points >= NOTICEABLE:
            wrong = np.bincount(evidence.probabilities[rows].argmax(1), minlength=len(names))
            wrong[k] = -1
            found.append(Finding(
                f"class: {name}", points,
                f"Of distorted {name} {100 * recall:.0f} % are recognized, of all "
                f"{100 * overall:.0f} %; most often they are taken for {names[wrong.argmax()]}.",
                "class weights, and more views of this class"))
    return found


def calibration(run: "Run") -> list[Finding]:
    """How far confidence is from accuracy, clean and distorted, and the temperature that mends."""
    evidence = of_run(run)
    if evidence is None:
        return []
    p = run.predictions()
    clean = calibration_error(p["validation"], p["validation_labels"])
    rows = evidence.distorted
    distorted = calibration_error(evidence.probabilities[rows], evidence.label[rows])
    if max(clean, distorted) < 0.02:
        return []
    t = temperature(evidence.probabilities[rows], evidence.label[rows])
    return [Finding("calibration", 0.0,
                    f"Confidence misses accuracy by {100 * clean:.1f} points on clean pictures and "
                    f"{100 * distorted:.1f} on distorted ones; temperature {t:.1f} mends the "
                    "latter best. Accuracy doesn't change by it.",
                    "label smoothing, MixUp, the mean of several networks")]


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The divisor of the logits under which the labels are likeliest."""
    log = np.log(np.maximum(probabilities, 1e-12))

    def loss(t: float) -> float:
        powers = np.exp((log - log.max(1, keepdims=True)) / t)
        return nll(powers / powers.sum(1, keepdims=True), labels)

    return float(min(TEMPERATURES, key=loss))


def batch_norm(run: "Run") -> list[Finding]:
    """Batch-normed networks that lose more to light and colour than to the other families."""
    evidence, name = of_run(run), str(run.config["backbone"])
    if evidence is None or not any(word in name.lower() for word in BATCH_NORMED):
        return []
    cost = costs(evidence)
    tone = (cost["light"] + cost["colour"]) / 2
    others = float(np.mean([v for f, v in cost.items() if f not in ("light", "colour")]))
    if 2 * (tone - others) < NOTICEABLE:
        return []
    return [Finding("batch norm", 2 * (tone - others),
                    f"Light and colour cost {tone:.1f} points each, the other families {others:.1f}"
                    " on average: stored statistics of batch norms may no longer fit.",
                    "colour augmentation; a backbone without batch norm (ConvNeXt, VGG)")]


def resolution(run: "Run") -> list[Finding]:
    """Networks that see small pictures and lose to blur and low resolution."""
    evidence = of_run(run)
    size = run.config["protocol"].get("size") or max(run.config["data"]["size"])
    if evidence is None or size >= 160:
        return []
    cost = costs(evidence)
    points = cost["blur"] + cost["resolution"]
    others = 2 * float(np.mean([v for f, v in cost.items() if f not in ("blur", "resolution")]))
    if points - others < NOTICEABLE:
        return []
    return [Finding("resolution", points - others,
                    f"Blur and low resolution cost {points:.1f} points, two other families "
                    f"{others:.1f} on average, at {size} pixels.", "a larger --size")]


LOOKS: tuple[Callable[["Run"], list[Finding]], ...] = (
    shift, overfit, twins, classes, calibration, batch_norm, resolution)
