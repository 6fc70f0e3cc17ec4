"""Measure every part against the plain way of doing the same work; write docs/benchmarks.md.

    python -m benchmarks [PART ...]

Parts that are not named keep what the page says of them.
"""

import importlib
import platform
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

# module: (title, what is compared)
PARTS = {
    "sweep": ("A sweep", "The `seed` protocol against a plain Keras script (`fit` with "
              "augmentation layers, frozen backbone, then the last block) on the same pictures, "
              "split, epochs and batch. Building, compiling and judging count on both sides, "
              "loading TensorFlow on neither, and our cache is empty at first. `ceiling`: how "
              "many times fewer multiply-adds ours takes, so the most that it could be faster by "
              "if both computed at one speed and did nothing else. `number type`: what ours "
              "computes in, and how many times faster this machine multiplies large matrices in "
              "it than in float32, which the plain script computes in. What is above the two "
              "multiplied is not the cache's: it comes from a faster network, or from what the "
              "plain script does besides: compiling, which weighs the more the shorter the "
              "training is, and augmentation in every epoch."),
    "trunk": ("Frozen backbones", "Pictures of 96 x 96 a second through the network without its "
              "top: Keras' own, compiled, against ours on the engine and in the number type that "
              "this machine is fastest with. `ratio`: the median of interleaved rounds; `low`, "
              "`high`: their range; `processor`: the ratio of processor time, which other programs "
              "hardly touch; `share of limit`: our multiply-adds a second over those of a product "
              "of two large matrices in the same number type, measured in the same run; `timm`: "
              "its network on PyTorch, where that is installed, 64 pictures at a time, in a "
              "process of its own, and `timm ratio` ours against it, both ways' best of eight "
              "batches."),
    "steps": ("Training steps", "Pictures of 96 x 96 a second through training steps of the whole "
              "network with a new head, batches of 32: Keras' compiled model (`train_on_batch`), "
              "in the number type that is faster for it, against ours. Batch norms stay in "
              "inference mode on both sides; ours keeps a moving average of the weights besides."),
    "augmentation": ("Augmentation", "Pictures of 96 x 96 a second: our policies, Keras' layers, "
                     "tf.image."),
    "cleaning": ("Cleaning", "All of cleaning, each size in a process of its own; pictures beyond "
                 "those of the file are blends of two. `pictures' GiB`: what they take alone."),
    "packed": ("The submission", "The packed `model.py` against `load_model(...).predict`, each in "
               "a fresh process; ratios above 1 are in our favour."),
    "growth": ("Growth", "One run on 1, 4 and 16 times as many pictures."),
}


def main(names: list[str]) -> int:
    unknown = [n for n in names if n not in PARTS]
    if unknown:
        print(f"There is no part {unknown[0]!r}. There are: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    sections = read(PAGE)
    for name in names or list(PARTS):
        try:
            module = importlib.import_module(f"benchmarks.{name}")
        except ModuleNotFoundError as e:
            print(f"{name} is left out: {e}", file=sys.stderr)
            continue
        sections[PARTS[name][0]] = section(name, module.measure())
        write(PAGE, sections)
    return 0


def section(name: str, rows: list[dict[str, Any]]) -> str:
    """What the page says of one part: what, a table, and on which machine."""
    from tabulate import tabulate

    table = tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3g")
    return f"{PARTS[name][1]}\n\n{table}\n\n{machine()}\n"


def machine() -> str:
    """Where and when it was measured, and how busy the machine was besides."""
    import datetime
    import os

    from zoo.device import describe
    from zoo.versions import version

    about = describe()
    busy = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (f"_{about['device']}, {about['processor']}, {about['cores']} cores, "
            f"{about['number_type']}; TensorFlow {version('tensorflow')}, Keras "
            f"{version('keras')}, Python {platform.python_version()}; "
            f"{datetime.date.today()}{busy}._")


def read(page: Path) -> dict[str, str]:
    """{title: text} of the sections on the page."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    parts = [part.partition("\n") for part in text.split("\n## ")[1:]]
    return {title: body.strip() + "\n" for title, _, body in parts}


def write(page: Path, sections: dict[str, str]) -> None:
    from zoo.files import write_text

    titles = [title for title, _ in PARTS.values() if title in sections]
    head = ("# Benchmarks\n\nWritten by `make bench`. Ways that are compared are timed in turn in "
            "one run, so that a busy machine slows both; the spread says how far to trust it.\n")
    write_text(page, "\n".join([head, *(f"## {t}\n\n{sections[t]}" for t in titles)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
