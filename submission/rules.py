"""The rules of `harness check`: one table, and what a zip breaks. Nothing of the zip is run.

An error means that the platform will refuse the zip, fail on it, or score it as nothing, and that
this can be seen for certain; what is merely likely is a warning.
"""

import os
from collections.abc import Iterable

from submission import dryrun_rules
from submission.archive import Archive
from submission.checks import archive_rules, code_rules, network_rules, prediction_rules
from submission.checks.facts import Facts
from submission.rule import SEVERITIES, Finding, Rule, errors, find

RULES: tuple[Rule, ...] = (*archive_rules.RULES, *code_rules.RULES, *network_rules.RULES,
                           *prediction_rules.RULES)
GROUPS = {
    "The archive": archive_rules.RULES,
    "Importing, building and calling model.py": code_rules.RULES,
    "The networks": network_rules.RULES,
    "What predict does": prediction_rules.RULES,
    "The dry run": dryrun_rules.RULES,
}
# Pitfalls that no zip shows: the division by a wrong sum, numbers that lie before the zip is
# made, and the platform's own troubles, which are the client's and the ledger's work.
NOT_IN_A_ZIP = (34, 35, 36, 37, 40, 42, 44)

__all__ = ["NOT_IN_A_ZIP", "RULES", "Finding", "check", "errors", "markdown"]


def check(path: str | os.PathLike[str]) -> list[Finding]:
    """Everything that is wrong with a zip, errors first. Raises UserError where it isn't there."""
    with Archive(path) as archive:
        usable = not (archive.damage or next(archive.refusals(), None) or archive.broken)
        rules = RULES if usable else archive_rules.RULES[:4]
        return find(rules, Facts(archive))


def markdown() -> str:
    """All rules as a page."""
    parts = ["# The rules", "",
             "`harness check ZIP` looks for what stands here without running the zip; rules from "
             "201 on are those of `harness dry-run ZIP`. `harness check --rules` prints this page.",
             "", *(f"- **{name}**: {text}." for name, text in SEVERITIES.items()), ""]
    for title, rows in GROUPS.items():
        parts += [f"## {title}", "", *table(rows), ""]
    return "\n".join(parts)


def table(rules: Iterable[Rule]) -> list[str]:
    head = ["| rule | severity | what must hold, or what goes wrong | what to do |",
            "|---:|---|---|---|"]
    return head + [f"| {r.number} | {r.severity} | {r.title} | {r.remedy.replace('|', '/')} |"
                   for r in rules]
