"""Rule and Finding: what a check looks for, and what it found."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = {
    ERROR: "the platform will refuse the zip, fail, or score it as nothing",
    WARNING: "it may fail or lose points there",
    NOTE: "it works, and could be better",
}


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    look: called with the facts; yields the sentences to report, each one saying what and where.
    pitfalls: numbers in the list of known pitfalls that this rule is there for.
    """

    number: int
    severity: str
    title: str
    remedy: str
    look: Callable[[Any], Iterable[str]]
    pitfalls: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found."""

    number: int
    severity: str
    sentence: str
    remedy: str

    @property
    def rule(self) -> str:
        return f"rule {self.number}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find(rules: Iterable[Rule], facts: Any) -> list[Finding]:
    """All findings of ``rules``, errors first."""
    order = list(SEVERITIES)
    found = [Finding(r.number, r.severity, sentence, r.remedy)
             for r in rules for sentence in sentences(r, facts)]
    return sorted(found, key=lambda f: (order.index(f.severity), f.number))


def sentences(rule: Rule, facts: Any) -> list[str]:
    """What a rule has to say, once each; nothing of code that is too deep to be read."""
    try:
        return list(dict.fromkeys(rule.look(facts)))
    except RecursionError:
        return []


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.severity == ERROR]
