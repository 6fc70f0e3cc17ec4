"""What the commands that talk to the platform share: host, competition, phase, ledger."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from harness.commands import EVERYWHERE
from zoo.errors import UserError

if TYPE_CHECKING:
    from submission.codabench import Client, Competition
    from submission.ledger import Entry, Ledger
    from submission.watch import Outcome

host = click.option("--host", envvar="HARNESS_HOST", default=EVERYWHERE["host"], show_default=True,
                    metavar="URL", help="The platform. Also read from HARNESS_HOST.")
phase = click.option("--phase", metavar="NAME", help="The phase, by name or number. Default: the "
                                                     "open one.")


class CompetitionNumber(click.ParamType):
    """4430, or the address of the competition's page."""

    name = "competition"

    def convert(self, value: Any, param: click.Parameter | None,
                ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(?:.*/competitions/)?(\d{1,18})/?(?:[?#].*)?", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no competition. Write its number, such as 4430, or the "
                      "address of its page.", param, ctx)
        return int(found[1])


def competition(function: Callable[..., Any]) -> Callable[..., Any]:
    """--competition, a number or an address."""
    return click.option("--competition", type=CompetitionNumber(), envvar="HARNESS_COMPETITION",
                        metavar="NUMBER", help="The competition's number, or its page's address. "
                        "Also read from HARNESS_COMPETITION. Default: the only one that you take "
                        "part in.")(function)


def connect(address: str) -> "Client":
    """A client with the token kept for ``address``."""
    from submission.codabench import Client
    from submission.tokens import find_token
    from submission.transport import Transport, origin

    where = origin(address)
    warn_of_plain(where)
    return Client(Transport(where, find_token(where), say=progress))


def warn_of_plain(where: str) -> None:
    """Say it where a token would travel unencrypted to another machine."""
    if where.startswith("http://") and not re.fullmatch(
            r"localhost|127(\.\d+){3}|::1", urlsplit(where).hostname or ""):
        click.echo(f"harness: {where} is not encrypted; others on the way can read the token.",
                   err=True)


def progress(sentence: str) -> None:
    """What goes on, for people: not part of the output."""
    from harness import terminal

    click.echo(terminal.visible(sentence), err=True)


def choose(client: "Client", number: int | None) -> "Competition":
    """The competition asked for, or the only one that the user takes part in."""
    if number is None:
        mine = client.competitions()
        if len(mine) != 1:
            names = ", ".join(f"{n} ({title})" for n, title in mine) or "none"
            raise UserError(f"Which competition? You take part in: {names}. Choose one with "
                            "--competition NUMBER, or set HARNESS_COMPETITION.")
        number = mine[0][0]
    return client.competition(number)


def open_ledger(runs: str) -> "Ledger":
    """The ledger beside the runs."""
    from harness.runs import Store

    return Store(runs).ledger


def chosen_entry(ledger: "Ledger", client: "Client", number: int | None) -> "Entry | None":
    """The attempt with that submission; for None the user's newest that the host still has.

    The platform counts submissions up; a ledger's last line may be an older one that was added.
    """
    mine = [e for e in ledger.entries() if e.host == client.host and e.submission is not None]
    if number is None:
        user = client.username()
        mine = [e for e in mine if e.user in (None, user) and e.state != "gone"]
        if not mine:
            raise UserError(f"{ledger.path} holds no submission that is still on {client.host}. "
                            "Name one by its number, or run `harness sync`.")
        return max(mine, key=lambda e: int(e.submission or 0))
    return next((e for e in mine if e.submission == number), None)


def percent(value: float | None) -> str:
    """A share as people read it; values above 1 as they are."""
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if 0 <= value <= 1 else f"{value:g}"


def outcome_row(entry: "Entry", outcome: "Outcome") -> dict[str, Any]:
    """One submission as a table's row."""
    return {"submission": outcome.number, "run": entry.run or "", "phase": entry.phase or "",
            "state": outcome.state, "status": outcome.status, "forecast": percent(entry.forecast),
            "score": percent(outcome.score), "note": outcome.note}


HEADINGS = {"submission": "submission", "run": "run", "phase": "phase", "state": "state",
            "status": "platform says", "forecast": "forecast", "score": "score", "note": "note"}


def outcome_facts(entry: "Entry", outcome: "Outcome") -> dict[str, Any]:
    """The same, as JSON."""
    return {"submission": outcome.number, "attempt": entry.attempt, "sha256": entry.sha256,
            "run": entry.run, "forecast": entry.forecast, "competition": entry.competition,
            "phase": entry.phase, "state": outcome.state, "status": outcome.status,
            "details": outcome.details, "score": outcome.score, "scores": outcome.scores,
            "on_leaderboard": outcome.on_board, "note": outcome.note}


def show_failure(client: "Client", outcome: "Outcome") -> None:
    """Why it failed: the participant's traceback where there is one."""
    from harness import terminal
    from submission import logs

    if outcome.details:
        click.echo(f"The platform says: {logs.printable(outcome.details)}")
    for number in outcome.failed:
        try:
            found = logs.fetch(client, number)
        except UserError as e:
            click.echo(terminal.visible(f"No log: {e}"))
            continue
        name, text = logs.explain(found)
        click.echo(f"\n{name} of submission {number}:\n{text}\n" if text
                   else f"All logs of submission {number} are empty.")
        if hint := logs.hint(found):
            click.echo(hint)
