"""Small figures as inline SVG. Colours come from the page's style sheet, so both themes work.

Everything textual is escaped here. Figures are drawn at the size at which a phone shows them, so
that their words stay readable.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

WIDTH, HEIGHT = 320, 200
LEFT, RIGHT, TOP, BOTTOM = 38, 18, 10, 30

Points = Sequence[tuple[float, float]]


class Axes:
    """Maps data to a figure's plane, and collects its elements."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], label: str,
                 height: int = HEIGHT) -> None:
        self.x, self.y, self.label, self.height = _span(x), _span(y), label, height
        self.parts: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        (x0, x1), (y0, y1) = self.x, self.y
        return (LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
                TOP + (y1 - y) / (y1 - y0) * (self.height - TOP - BOTTOM))

    def add(self, markup: str) -> None:
        self.parts.append(markup)

    def line(self, points: Points, kind: str) -> None:
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*p)) for p in points)
        if path:
            self.add(f'<polyline class="line {kind}" points="{path}"/>')

    def dot(self, x: float, y: float, kind: str, title: str = "", radius: float = 4) -> None:
        cx, cy = self.at(x, y)
        words = f"<title>{escape(title)}</title>" if title else ""
        self.add(f'<circle class="dot {kind}" cx="{cx:.1f}" cy="{cy:.1f}" r="{radius}">'
                 f'{words}</circle>')

    def bar(self, x0: float, x1: float, y: float, kind: str) -> None:
        (left, top), (right, bottom) = self.at(x0, y), self.at(x1, self.y[0])
        self.add(f'<rect class="bar {kind}" x="{left:.1f}" y="{top:.1f}" '
                 f'width="{max(0.0, right - left):.1f}" height="{max(0.0, bottom - top):.1f}"/>')

    def frame(self, x_ticks: Iterable[float], y_ticks: Iterable[float], x_title: str,
              percent: bool = False, x_percent: bool = False) -> None:
        """Grid lines and the words at them; drawn below whatever comes later."""
        for tick in y_ticks:
            _, y = self.at(self.x[0], tick)
            self.add(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/><text class="tick end" x="{LEFT - 5}" y="{y + 4:.1f}">'
                     f'{number(tick, percent)}</text>')
        for tick in x_ticks:
            x, _ = self.at(tick, self.y[0])
            self.add(f'<text class="tick mid" x="{x:.1f}" y="{self.height - BOTTOM + 14}">'
                     f'{number(tick, x_percent)}</text>')
        self.add(f'<text class="tick mid" x="{(LEFT + WIDTH - RIGHT) / 2}" '
                 f'y="{self.height - 3}">{escape(x_title)}</text>')

    def svg(self) -> Markup:
        return Markup(f'<svg class="figure" viewBox="0 0 {WIDTH} {self.height}" role="img" '  # noqa: S704
                      f'aria-label="{escape(self.label)}">{"".join(self.parts)}</svg>')


def _span(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def number(value: float, percent: bool = False) -> str:
    return f"{100 * value:.0f} %" if percent else f"{value:.10g}"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within low..high, at most about ``most`` of them."""
    import math

    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-9) / most))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def learning_curves(stage: dict[str, Any], what: str) -> Markup:
    """Loss or accuracy of one stage: a line a fold, a ring at the epoch that was kept."""
    lines = {k: v for k, v in stage["lines"].items() if k.endswith(what)}
    values = [y for of_kind in lines.values() for line in of_kind for _, y in line]
    if not values:
        return Markup("")
    top = 1.0 if what == "accuracy" else max(values)
    low = min(values) if what == "accuracy" else min(0.0, *values)
    axes = Axes((1, stage["epochs"]), (low, max(top, low + 1e-6)),
                f"{what} over the epochs of {stage['stage']}")
    axes.frame([t for t in ticks(1, stage["epochs"]) if t == int(t)] or [1], ticks(*axes.y),
               "epoch", percent=what == "accuracy")
    for kind, of_kind in lines.items():
        for line, best in zip(of_kind, stage["best"], strict=True):
            axes.line(line, kind.split("_")[0])
            if kind.startswith("validation"):
                for x, y in line:
                    if x == best:
                        axes.dot(x, y, "ring", f"kept: epoch {best}, {number(round(y, 4))}")
    return axes.svg()


def reliability(series: dict[str, list[dict[str, float]]], bins: int) -> Markup:
    """Accuracy against confidence; the bars are the share of pictures of the first series."""
    axes = Axes((0, 1), (0, 1), "accuracy against confidence", height=240)
    axes.frame(ticks(0, 1), ticks(0, 1), "confidence", percent=True, x_percent=True)
    for b in next(iter(series.values())):
        left = min(int(b["confidence"] * bins), bins - 1)
        axes.bar((left + 0.1) / bins, (left + 0.9) / bins, b["share"], "share")
    axes.line([(0, 0), (1, 1)], "ideal")
    for kind, found in series.items():
        axes.line([(b["confidence"], b["accuracy"]) for b in found], kind)
        for b in found:
            axes.dot(b["confidence"], b["accuracy"], kind,
                     f"{kind}: said {number(b['confidence'], True)}, right "
                     f"{number(b['accuracy'], True)}", 3)
    return axes.svg()


def histogram(edges: Sequence[float], counts: Sequence[int], label: str, x_title: str
              ) -> Markup:
    """Counts, by bars as high as their square roots, so that single pictures show."""
    heights = [c ** 0.5 for c in counts]
    axes = Axes((edges[0], edges[-1]), (0, max([1.0, *heights])), label)
    marks = [t for t in (0, 1, 10, 100, 1000, 10_000, 100_000) if t ** 0.5 <= axes.y[1]]
    axes.frame(ticks(*axes.x), (), x_title)
    for mark in marks:
        _, y = axes.at(axes.x[0], mark ** 0.5)
        axes.add(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                 f'<text class="tick end" x="{LEFT - 5}" y="{y + 4:.1f}">{mark:,}</text>')
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        axes.bar(left, right, height, "validation")
    return axes.svg()


def forecasts(points: Sequence[dict[str, Any]]) -> Markup:
    """Forecast (with its interval) against what was returned."""
    values = [v for p in points for v in (p["low"], p["high"], p["forecast"], p["score"])
              if v is not None]
    low, high = max(0.0, min(values) - 0.02), min(1.0, max(values) + 0.02)
    axes = Axes((low, high), (low, high), "forecast against returned score", height=260)
    axes.frame(ticks(low, high), ticks(low, high), "forecast", percent=True, x_percent=True)
    axes.line([(low, low), (high, high)], "ideal")
    for p in points:
        if p["low"] is not None:
            axes.line([(p["low"], p["score"]), (p["high"], p["score"])], "forecast")
        axes.dot(p["forecast"], p["score"], "returned",
                 f"{p['run']}: forecast {100 * p['forecast']:.1f} %, "
                 f"returned {100 * p['score']:.1f} %")
    return axes.svg()
