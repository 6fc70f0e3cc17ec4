"""What people read while a command runs: one look for tables, sentences and progress.

    say(text), warn(text), detail(text)   a line; for attention (stderr); only when verbose
    print_table(rows, columns, title)     records as a table that fits the window
    next_command(text)                    "Next: ...", the closing line of a command
    progress(total, title)                a context manager; .advance(n, text)
    set_verbosity(quiet, verbose)
    follow(verbosity())                   in a process, what the one that started it was told

On a terminal there are colours (unless NO_COLOR is set) and bars. In a pipe there are plain
lines, tables are as wide as they need to be, and progress goes to stderr every half minute.
Quiet keeps tables, warnings and errors.
"""

import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from harness.quiet import hush

PIPED = 10_000      # columns: nothing is wrapped in a pipe
EVERY = 30.0        # seconds between progress lines in a pipe
NOTEBOOK_EVERY = 1.0
_verbosity = 0
_bars = True        # whether a terminal gets bars


class Bar(Protocol):
    """What ``progress`` gives: call advance after each piece of work."""

    def advance(self, n: float = 1, text: str = "") -> None: ...


def set_verbosity(quiet: bool = False, verbose: bool = False) -> None:
    """Say less or more from here on. Quiet wins. Only when verbose does TensorFlow speak, too."""
    global _verbosity
    _verbosity = -1 if quiet else int(verbose)
    if _verbosity < 1:
        hush()


def verbosity() -> int:
    """-1 when quiet, 1 when verbose, else 0."""
    return _verbosity


def follow(verbosity: int) -> None:
    """Be one of several processes that share a terminal: as quiet or verbose as the one that
    started them, and with lines for progress, since their bars would overwrite each other."""
    global _bars
    set_verbosity(verbosity < 0, verbosity > 0)
    _bars = False


def say(text: str) -> None:
    """A line for whoever watches; not when quiet."""
    if _verbosity >= 0:
        _print(text)


def detail(text: str) -> None:
    """A line for whoever asked for more."""
    if _verbosity > 0:
        _print(text, "dim")


def warn(text: str) -> None:
    """A line on stderr, whatever the verbosity."""
    _print(f"Note: {text}", "yellow", stderr=True)


def next_command(text: str) -> None:
    """The command that usually comes next, as the closing line."""
    if _verbosity >= 0:
        _print(f"Next: {text}", "bold")


def print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str],
                title: str | None = None) -> None:
    """Print ``rows`` under the headings in ``columns`` (key: heading), in that order.

    None and missing keys are left empty, columns in which nothing stands are left out, and numbers
    stand to the right. Where the window is too narrow the columns go into several tables that all
    begin with the first column that isn't a mere number, the name.
    """
    cells = {k: [_cell(row.get(k)) for row in rows] for k in columns}
    used = [k for k in columns if any(cells[k])]
    if title:
        _print(f"\n{title}", "bold")
    if not used:
        _print("(nothing)")
        return
    headings = {k: visible(columns[k]) for k in used}
    for part in _parts(headings, cells, _console(False).width):
        _print_part(part, headings, cells)


def _print_part(keys: list[str], headings: Mapping[str, str],
                cells: Mapping[str, list[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for key in keys:
        table.add_column(Text(headings[key]), overflow="fold",
                         justify="right" if _numeric(cells[key]) else "left")
    for i in range(len(cells[keys[0]])):
        table.add_row(*(Text(cells[k][i]) for k in keys))
    _console(False).print(table)


def _parts(headings: Mapping[str, str], cells: Mapping[str, list[str]], room: int
           ) -> list[list[str]]:
    """The keys of each table to print, so that none is wider than ``room`` if that can be had."""
    from rich.cells import cell_len

    width = {k: 2 + max(cell_len(headings[k]), *(cell_len(c) for c in cells[k])) for k in headings}
    name = next((k for k in headings if not _numeric(cells[k])), next(iter(headings)))
    parts: list[list[str]] = [[]]
    for key in headings:
        # Numbers before the name, such as ranks, would mean nothing without it.
        if name in parts[-1] and sum(width[k] for k in parts[-1]) + width[key] - 2 > room:
            parts.append([name])
        parts[-1].append(key)
    return [part for part in parts if part != [name]] or parts


def _cell(value: Any) -> str:
    return "" if value is None else visible(str(value))


def _numeric(texts: list[str]) -> bool:
    """Whether a column holds nothing but numbers, with or without a unit."""
    heads = [t.split()[0].replace(",", "").rstrip("%") for t in texts if t.split()]
    for head in heads:
        try:
            float(head)
        except ValueError:
            return False
    return bool(heads)


def visible(text: str) -> str:
    """``text`` with control characters made harmless: a file's words must not steer a terminal."""
    if text.isprintable():  # nearly all are, and pictures' addresses are long
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
                   else f"\\x{ord(c):02x}" for c in text)


def _print(text: str, style: str = "", stderr: bool = False) -> None:
    from rich.text import Text

    _console(stderr).print(Text(visible(text), style=style), soft_wrap=True)


@cache
def _shared_console(stderr: bool) -> Any:
    from rich.console import Console

    # Its file is looked up at every print, so that redirections are seen.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, force_jupyter=False)


def _console(stderr: bool) -> Any:
    console = _shared_console(stderr)
    console._width = None if console.is_terminal else PIPED
    return console


@contextmanager
def progress(total: float, title: str) -> Iterator[Bar]:
    """Show how far ``total`` pieces of work are, and about how long the rest takes.

    >>> with progress(100, "pictures") as bar:
    ...     bar.advance(60, "now the larger ones")
    """
    if _verbosity < 0 or total <= 0:
        yield _Silent()
    elif _bars and _console(False).is_terminal:
        with _rich(total, title) as bar:
            yield bar
    else:
        lines = _Lines(total, visible(title))
        yield lines
        lines.end()


class _Silent:
    def advance(self, n: float = 1, text: str = "") -> None:
        pass


class _Rich:
    def __init__(self, bars: Any, task: Any) -> None:
        self.bars, self.task = bars, task

    def advance(self, n: float = 1, text: str = "") -> None:
        self.bars.update(self.task, advance=n, text=visible(text))


@contextmanager
def _rich(total: float, title: str) -> Iterator[Bar]:
    """A bar that goes when it is done, or stays when verbose."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("{task.description}", markup=False), BarColumn(),
                  TextColumn("{task.percentage:>3.0f} %", markup=False),
                  TimeRemainingColumn(elapsed_when_finished=True),
                  TextColumn("{task.fields[text]}", markup=False),
                  console=_console(False), transient=_verbosity == 0) as bars:
        yield _Rich(bars, bars.add_task(visible(title), total=total, text=""))


class _Lines:
    """Progress as lines on stderr; in a notebook as one line that is overwritten."""

    def __init__(self, total: float, title: str) -> None:
        self.total, self.title, self.done = total, title, 0.0
        self.notebook = "ipykernel" in sys.modules and "ipykernel" in type(sys.stdout).__module__
        self.began = self.last = time.monotonic()
        self.shown = False

    def advance(self, n: float = 1, text: str = "") -> None:
        self.done += n
        now = time.monotonic()
        if now - self.last >= (NOTEBOOK_EVERY if self.notebook else EVERY):
            self.last, self.shown = now, True
            share = min(1.0, self.done / self.total)
            rest = (now - self.began) * (1 - share) / share if share else 0.0
            self._write(f"{self.title}: {100 * share:.0f} %, about {duration(rest)} left"
                        + (f", {visible(text)}" if text else ""))

    def end(self) -> None:
        if self.shown:
            self._write(f"{self.title}: {duration(time.monotonic() - self.began)}", last=True)

    def _write(self, line: str, last: bool = False) -> None:
        if self.notebook:
            sys.stdout.write(f"\r{line:<79}" + ("\n" if last else ""))
            sys.stdout.flush()
        else:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def duration(seconds: float) -> str:
    """Seconds as people say them: 8 s, 3 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
