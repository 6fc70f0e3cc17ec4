"""Three figures of a cleaning: class balance, distances, and what would go."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.clean import CleaningReport
from harness.data.dataset import Dataset
from zoo.files import atomic

COLUMNS, SHOWN = 12, 120    # of the contact sheet


def write(dataset: Dataset, report: CleaningReport, folder: Path) -> list[Path]:
    """Write balance.png, outliers.png and contact-sheet.png; give the paths written."""
    drawn = {"balance.png": balance(report), "outliers.png": outliers(report),
             "contact-sheet.png": contact_sheet(dataset, report)}
    for name, figure in drawn.items():
        picture = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # of a script that the font lacks
            figure.savefig(picture, format="png", dpi=110)
        with atomic(folder / name) as temporary:
            temporary.write_bytes(picture.getvalue())
    return [folder / name for name in drawn]


def balance(report: CleaningReport) -> Any:
    """Pictures of each class that are kept, with the weights that would balance them."""
    figure, axes = canvas(8, 4)
    counts = report.class_counts()
    weights = report.class_weights()
    place = np.arange(len(counts))
    axes.bar(place, list(counts.values()), color="#4477aa")
    for i, (name, n) in enumerate(counts.items()):
        axes.text(i, n, f"{n:,}\n×{weights[name]:.2f}" if n else "0", ha="center", va="bottom",
                  fontsize=8)
    axes.set_xticks(place, list(counts), rotation=30, ha="right", parse_math=False)
    axes.set(ylabel="pictures kept", title="Class balance (× weight that balances it)")
    axes.margins(y=.2)
    return figure


def outliers(report: CleaningReport) -> Any:
    """Each picture's distance at its position, what is dropped for it marked."""
    figure, axes = canvas(8, 4)
    gone = np.array([r["index"] for r in report.dropped if r["reason"] == "outlier"], int)
    seen = np.array([r["index"] for r in report.outliers], int)
    place = np.arange(len(report.mask))
    axes.plot(place, report.distances, ".", color="#bbbbbb", ms=2, label="picture")
    axes.plot(seen, report.distances[seen], ".", color="#ee7733", ms=5, label="listed")
    axes.plot(gone, report.distances[gone], "x", color="#cc3311", ms=7, label="dropped")
    axes.set(xlabel="position in the file", ylabel="Mahalanobis distance", title="Outliers")
    if np.nanmax(report.distances, initial=0) > 0:
        axes.set_yscale("log")
    axes.legend(loc="upper right")
    return figure


def contact_sheet(dataset: Dataset, report: CleaningReport) -> Any:
    """One picture of each content that was dropped, then the oddest that stay."""
    shown: dict[int, str] = {}
    seen: set[int] = set()
    for row in report.dropped:
        content = min(row["index"], row["index"] if row["twin"] is None else row["twin"])
        if content not in seen:
            seen.add(content)
            shown[row["index"]] = row["reason"]
    for row in report.outliers:
        shown.setdefault(row["index"], "listed")
    rank = {"outlier": 0, "pollution": 1, "constant": 2, "unreadable": 3, "listed": 4}
    chosen = sorted(shown.items(), key=lambda item: rank.get(item[1], 5))[:SHOWN]
    rows = max(1, -(-len(chosen) // COLUMNS))
    figure, grid = canvas(COLUMNS, rows * 1.25 + .3, rows, COLUMNS)
    for axes in np.ravel(grid):
        axes.axis("off")
    for axes, (index, reason) in zip(np.ravel(grid), chosen, strict=False):
        axes.imshow(dataset.images[index])
        axes.set_title(f"{index}\n{reason}", fontsize=6)
    return figure


def canvas(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """A figure that no window needs, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)
