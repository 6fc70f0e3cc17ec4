"""Options that several commands share, so that they are spelled and explained once."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.commands import EVERYWHERE
from harness.commands import command_line as command_line  # how a command ends, too

runs = click.option("--runs", default=EVERYWHERE["runs"], show_default=True, metavar="DIR",
                    help="The folder that runs are kept in.")
json_path = click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="PATH",
                         help="Write the facts as JSON, too.")
test = click.option("--test", metavar="SOURCE",
                    help="A labelled file under the shift that you expect; only measured, never "
                         "learned.")
keep = click.option("--keep", metavar="FILE|N,N,...",
                    help="Positions (one a line in a file) that cleaning must not drop.")
drop = click.option("--drop", metavar="FILE|N,N,...", help="Positions to drop as well.")
images_key = click.option("--images-key", default=EVERYWHERE["images_key"], show_default=True,
                          metavar="KEY", help="The name of the pictures in the npz file.")
labels_key = click.option("--labels-key", default=EVERYWHERE["labels_key"], show_default=True,
                          metavar="KEY", help="The name of the labels in the npz file.")


def settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """-s FIELD=VALUE for every field of the protocol."""
    return click.option(
        "-s", "--set", "settings", multiple=True, metavar="FIELD=VALUE",
        help="Change a field of the protocol, such as views=3 or boundary='last block'. "
             "May be repeated.")(function)


def parse_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """("views=3",) as {"views": "3"}."""
    from zoo.errors import UserError

    found = {}
    for pair in pairs:
        field, sign, value = pair.partition("=")
        if not sign or not field.strip():
            raise UserError(f"--set wants FIELD=VALUE, such as views=3, not {pair!r}.")
        found[field.strip()] = value.strip()
    return found


def read_positions(given: str | None) -> tuple[int, ...]:
    """Whole numbers, given as such (3,17) or in a text file, one a line; none for None."""
    from zoo.errors import UserError

    if given is None:
        return ()
    text = given
    if os.path.exists(given) or not re.fullmatch(r"[\d,\s]+", given):
        try:
            text = Path(given).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as e:
            raise UserError(f"{given[:80]} can't be read as a list of positions ({e}).") from e
    words = text.replace(",", " ").split()
    wrong = [w[:20] for w in words if not w.isdecimal() or len(w) > 18]
    if wrong:
        raise UserError(f"{given[:80]} must hold positions, whole numbers one a line, not "
                        f"{wrong[0]!r}.")
    return tuple(int(w) for w in words)
