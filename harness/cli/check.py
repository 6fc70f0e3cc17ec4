"""harness check: a zip against the numbered rules."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from submission.rule import Finding


@click.command()
@click.argument("zip_path", metavar="ZIP", required=False,
                type=click.Path(path_type=Path, dir_okay=False))
@click.option("--rules", "only_rules", is_flag=True, help="Print all rules and end.")
@options.json_path
def command(zip_path: Path | None, only_rules: bool, json_path: Path | None) -> None:
    """Check a zip, ours or anybody's, without running anything in it.

    Ends with code 1 where a rule is broken that costs the submission (an error), with 0 where
    there are at most warnings and notes, and with 2 where the file can't be checked at all.

    \b
    harness check submission.zip
    harness check theirs.zip --json findings.json
    harness check --rules
    """
    from harness import terminal
    from submission import rules
    from zoo.files import file_hash, write_json

    if only_rules:
        click.echo(rules.markdown())
        return
    if zip_path is None:
        raise click.UsageError("Name the zip: harness check submission.zip")
    findings = rules.check(zip_path)
    show(findings, f"{zip_path}: {count(findings)}")
    wrong = rules.errors(findings)
    if json_path:
        write_json(json_path, {"zip": str(zip_path), "sha256": file_hash(zip_path),
                               "ok": not wrong, "rules": len(rules.RULES),
                               "findings": [f.to_json() for f in findings]})
    again = options.command_line("check", zip_path)
    terminal.next_command(f"{again}   (when it is mended)" if wrong
                          else options.command_line("dry-run", zip_path))
    if wrong:
        sys.exit(1)


def show(findings: list["Finding"], title: str) -> None:
    """Findings as a table, errors first; the title alone where there are none."""
    from harness import terminal

    if not findings:
        terminal.say(title)
        return
    terminal.print_table([f.to_json() for f in findings],
                         {"severity": "severity", "number": "rule", "sentence": "what",
                          "remedy": "what to do"}, title=title)


def count(findings: list["Finding"]) -> str:
    """ "2 errors, 1 warning", or that nothing was found."""
    from submission.rule import SEVERITIES

    numbers = {s: sum(f.severity == s for f in findings) for s in SEVERITIES}
    parts = [f"{n} {s}{'s' * (n != 1)}" for s, n in numbers.items() if n]
    return ", ".join(parts) or "nothing found"
