"""Leave-one-world-out study of the forecasts, on stored predictions.

    python -m benchmarks.forecast                 judge again what is stored beside this file
    python -m benchmarks.forecast --data FILE --shifted FILE --weights DIR
                                                  train the small networks and predict anew

Two sets of networks are stored. The small ones this program trains itself, within a day on two
cores: small pictures, few epochs. The full-size ones are what a contest's team would have: whole
pictures, all the data, the protocols `seed` and `strong` and parts of them. They were trained on a
GPU by a copy of the training loop in PyTorch, from the same weights, views and folds, and judged
on another half of the validation pictures than the suite is made of.

Worlds are distorted test sets (see ``benchmarks.worlds``); whatever a world is made of is hidden
from the suite that its forecasts may use. Networks and their predictions are kept in a folder, so
that the study goes on where it stopped. The table is written to docs/forecast.md.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.study import Case, guesses, summary
from benchmarks.worlds import make_worlds, tilted
from harness.judge.evidence import ARRAYS, Evidence, of_run

SMALL_NETWORKS = Path(__file__).with_name("forecast.npz")
FULL_SIZE = Path(__file__).with_name("forecast_full_size.npz")
TABLE = Path(__file__).parent.parent / "docs" / "forecast.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
WORLDS, SEED = 23, 0
TRAINING = 6000   # pictures; a tenth validates and makes the suite, as in a contest's file
PICTURES = 500    # of each world, from the rest
SMALL = {"views": 1, "epochs_1": 15, "epochs_2": 2, "size": 64, "suite": 2000}
# (backbone, changes of the protocol "quick")
NETWORKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("mobilenetv2", {"policy": "none", "boundary": "head"}),
    ("mobilenetv2", {"policy": "report", "boundary": "head"}),
    ("mobilenetv2", {"policy": "random", "boundary": "head"}),
    ("mobilenetv2", {"policy": "none"}),
    ("mobilenetv2", {"policy": "random"}),
    ("mobilenetv2", {"policy": "random", "boundary": "half", "rate_2": 3e-4}),
    ("mobilenetv2", {"policy": "basic", "boundary": "half", "rate_2": 3e-4}),
    ("mobilenetv2", {"policy": "basic", "boundary": "head", "size": 40}),
    ("smallcnn2", {"policy": "none", "epochs_1": 8}),
    ("smallcnn3", {"policy": "random", "epochs_1": 8}),
    ("vgg16", {"policy": "none", "boundary": "head", "size": 48}),
    ("vgg16", {"policy": "random", "boundary": "head", "size": 48}),
)


@click.command()
@click.option("--data", metavar="SOURCE", help="Training pictures: train and predict anew.")
@click.option("--shifted", metavar="FILE", help="A labelled npz that is one more world.")
@click.option("--weights", default="auto", show_default=True, metavar="DIR|WORD")
@click.option("--folder", default="runs-forecast", show_default=True, type=click.Path(
    path_type=Path), help="Where networks and predictions are kept.")
@click.option("--most", default=len(NETWORKS), show_default=True, help="Networks to train.")
def main(data: str | None, shifted: str | None, weights: str, folder: Path, most: int) -> None:
    """Judge every way and baseline; print the table and write docs/forecast.md."""
    if data:
        store(SMALL_NETWORKS, *predict(data, shifted, weights, folder, most))
    parts = []
    for title, path in (("Full-size networks", FULL_SIZE), ("Small networks", SMALL_NETWORKS)):
        evidence, cases, titles = stored(path)
        parts += [f"### {title}", "", about(evidence, cases), "", *table(evidence, cases), "",
                  *networks(evidence, cases, titles), ""]
    text = "\n".join(parts).rstrip()
    click.echo(text)
    write(text)


def predict(data: str, shifted: str | None, weights: str, folder: Path, most: int
            ) -> tuple[list[Evidence], list[Case], list[str]]:
    """Train the networks, or find them trained, and let them predict every world."""
    from harness.data.sources import load
    from harness.prepare import prepare
    from harness.protocol import protocol
    from harness.runs import Store
    from harness.sweep import plan, run_job
    from harness.training import cache

    prepared = prepare(data)
    order = np.random.default_rng(SEED).permutation(len(prepared.dataset))
    mine, rest = np.sort(order[:TRAINING]), prepared.dataset.subset(np.sort(order[TRAINING:]))
    small = replace(prepared, dataset=prepared.dataset.subset(mine), group=prepared.group[mine])
    runs = []
    for name, changes in NETWORKS[:most]:
        chosen = protocol("quick", {**SMALL, **changes})
        spec = plan([name], chosen, weights, 1, 1, demo=False)[0]
        runs.append(run_job(spec, small, Store(folder), cache.default()))
    worlds = make_worlds(WORLDS, SEED)
    sets = [(w.name, *distorted(w, rest, i)) for i, w in enumerate(worlds)]
    if shifted:
        target = load(shifted)
        sets.append((Path(shifted).stem, target.images, target.labels))
    evidence = [e for e in map(of_run, runs) if e is not None]
    said = [predictions(run, sets, folder) for run in runs]
    visible = [w.visible(evidence[0].operation) for w in worlds]
    visible += [np.ones(len(evidence[0].label), bool)] * bool(shifted)
    cases = [Case(name, seen, tuple(s[i] for s in said), labels)
             for i, ((name, _, labels), seen) in enumerate(zip(sets, visible, strict=True))]
    return evidence, cases, [title(r) for r in runs]


def distorted(world: Any, rest: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A world's pictures and labels, drawn from those that no network has seen."""
    rng = np.random.default_rng([SEED, number, 1])
    index = tilted(rest.labels, PICTURES, world.tilt, rng)
    return world.render(rest.images[index], SEED + number), rest.labels[index]


def predictions(run: Any, sets: list[tuple[str, np.ndarray, np.ndarray]], folder: Path
                ) -> list[np.ndarray]:
    """What a run says of each set: float32 (n, K); kept under the hash of the pictures."""
    from harness.judge.forecast import probabilities
    from zoo.files import content_hash, write_arrays

    images = np.concatenate([pictures for _, pictures, _ in sets])
    path = folder / "predictions" / f"{run.id}-{content_hash(images)[:12]}.npz"
    if not path.exists():
        click.echo(f"{run.id}: {len(images)} pictures of {len(sets)} worlds")
        write_arrays(path, probabilities=probabilities(run, images))
    with np.load(path) as z:
        whole = z["probabilities"]
    return np.split(whole, np.cumsum([len(labels) for _, _, labels in sets])[:-1])


def title(run: Any) -> str:
    p = run.config["protocol"]
    boundary = "all" if run.config["weights"]["origin"] == "from scratch" else p["boundary"]
    return f"{run.config['backbone']}, {p['policy']}, {boundary}, {p['size']} px"


def store(path: Path, evidence: list[Evidence], cases: list[Case], titles: list[str]) -> None:
    """Keep what the study needs: probabilities as float16, whose rounding moves no class."""
    from zoo.files import write_arrays

    first = evidence[0]
    arrays = {f"suite_{f}": getattr(first, f) for f in ARRAYS[1:-1]}
    arrays |= {"names": np.array([e.name for e in evidence]), "titles": np.array(titles),
               "validation": np.array([e.validation for e in evidence]),
               "suite": np.stack([e.probabilities for e in evidence]).astype("float16"),
               "held_out": np.stack([e.held_out for e in evidence]),
               "worlds": np.array([c.name for c in cases]),
               "visible": np.stack([c.visible for c in cases]),
               "sizes": np.array([len(c.labels) for c in cases]),
               "labels": np.concatenate([c.labels for c in cases]).astype("int16"),
               "said": np.concatenate([np.stack(c.probabilities) for c in cases], axis=1
                                      ).astype("float16")}
    write_arrays(path, **arrays)


def stored(path: Path) -> tuple[list[Evidence], list[Case], list[str]]:
    """What :func:`store` wrote."""
    with np.load(path) as z:
        a = {k: z[k] for k in z.files}
    shared = {f: a[f"suite_{f}"] for f in ARRAYS[1:-1]}
    evidence = [Evidence(str(n), p.astype("float32"), held_out=h, validation=float(v), **shared)
                for n, p, h, v in zip(a["names"], a["suite"], a["held_out"], a["validation"],
                                      strict=True)]
    ends = np.cumsum(a["sizes"])[:-1]
    parts = zip(a["worlds"], a["visible"], np.split(a["said"].astype("float32"), ends, axis=1),
                np.split(a["labels"], ends), strict=True)
    return evidence, [Case(str(w), v, tuple(p), y) for w, v, p, y in parts], a["titles"].tolist()


def table(evidence: list[Evidence], cases: list[Case]) -> list[str]:
    """A Markdown table: one row a way, then one a baseline."""
    from tabulate import tabulate

    found = guesses(evidence, cases)
    ranked = sorted(found, key=lambda name: (name.startswith("bound"), found[name][0].low is None,
                                             name))
    rows = []
    for name in ranked:
        s = summary(found[name])
        cover = "" if s["coverage"] is None else f"{s['coverage']:.0f} ± {s['coverage_se']:.0f}"
        width = "" if s["width"] is None else f"{s['width']:.0f}"
        rows.append([name, f"{s['mae']:.1f} ± {s['mae_se']:.1f}", cover, width,
                     f"{s['spearman']:.2f}", f"{s['regret']:.1f}", f"{s['pairs']:.0f}"])
    heads = ["way", "mean absolute error, points", "coverage of the 90 % interval, %",
             "its width, points", "Spearman", "regret, points", "pairs"]
    return tabulate(rows, heads, tablefmt="pipe", disable_numparse=True).splitlines()


def networks(evidence: list[Evidence], cases: list[Case], titles: list[str]) -> list[str]:
    """A Markdown table of the networks, with their accuracies."""
    from tabulate import tabulate

    truths = np.stack([c.truth for c in cases])
    rows = [[t, f"{100 * e.validation:.1f}", f"{100 * e.plain:.1f}", f"{100 * w.mean():.1f}",
             f"{100 * w.min():.0f}-{100 * w.max():.0f}"]
            for t, e, w in zip(titles, evidence, truths.T, strict=True)]
    return tabulate(rows, ["network", "validation", "suite", "worlds, mean", "worlds, range"],
                    tablefmt="pipe", disable_numparse=True).splitlines()


def about(evidence: list[Evidence], cases: list[Case]) -> str:
    kinds = [c.name.split()[0] for c in cases]
    counted = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
    return (f"{len(evidence)} networks, {len(cases)} worlds ({counted}), "
            f"{len(evidence) * len(cases)} pairs. ± is the standard error with worlds drawn anew.")


def write(text: str) -> None:
    """Put the tables into docs/forecast.md, between its marks."""
    from zoo.files import write_text

    old = TABLE.read_text(encoding="utf-8") if TABLE.exists() else f"{BEGIN}\n{END}\n"
    head, rest = old.split(BEGIN, 1)
    write_text(TABLE, f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    main()
