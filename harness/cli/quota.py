"""harness quota: what may still be sent."""

from pathlib import Path

import click

from harness.cli import options, remote


@click.command()
@remote.host
@remote.competition
@options.json_path
def command(host: str, competition: int | None, json_path: Path | None) -> None:
    """Show for every phase whether it is open and how many submissions are left.

    Failed submissions don't count, cancelled ones do. Days are days of UTC.

    \b
    harness quota --competition 4430
    """
    from harness import terminal
    from zoo.files import write_json

    client = remote.connect(host)
    found = remote.choose(client, competition)
    rows, facts = [], []
    for p in found.phases:
        may, reason = client.may_submit(p.id)
        may = may and p.open
        reason = reason or ("" if p.open else f"{p.start} to {p.end or 'open end'}")
        rows.append({"phase": p.name, "open": {"Current": "yes", "Next": "not yet"}.get(
            p.status, "closed"), "today": left(p.used_today, p.per_day),
            "all": left(p.used, p.per_person), "may": "yes" if may else "no", "why": reason})
        facts.append({"phase": p.name, "id": p.id, "status": p.status, "used_today": p.used_today,
                      "per_day": p.per_day, "used": p.used, "per_person": p.per_person,
                      "may_submit": may, "reason": reason})
    used, allowed = client.storage()
    terminal.print_table(rows, {"phase": "phase", "open": "open", "today": "left today",
                                "all": "left in all", "may": "may submit", "why": "why not"},
                         title=f"{found.title} ({found.id}), you are "
                               f"{found.participant or 'not registered'}")
    terminal.say(f"Storage: {used / 1e9:.2f} of {allowed / 1e9:.0f} GB used.")
    if json_path:
        write_json(json_path, {"competition": found.id, "participant": found.participant,
                               "phases": facts, "storage_used": used, "storage": allowed})
    terminal.next_command(options.command_line("submit", "submission.zip", host=host,
                                               competition=competition))


def left(used: int, limit: int | None) -> str:
    """"3 of 5", or the words for no limit."""
    return "no limit" if limit is None else f"{max(0, limit - used)} of {limit}"
