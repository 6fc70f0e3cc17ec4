"""Write the parts of the documentation that the program itself knows: run it after a change.

    .venv/bin/python docs/generate.py      docs/cli.md, and the table in docs/protocol.md
"""

import dataclasses
from pathlib import Path

DOCS = Path(__file__).parent
BEGIN, END = "<!-- written by docs/generate.py -->\n", "<!-- end -->\n"


def cli() -> str:
    """docs/cli.md: what ``--help`` says of every command."""
    import click

    from harness.cli.main import COMMANDS, group

    parts = ["# Commands", "", "Written by `docs/generate.py` from what `--help` says.", ""]
    parent = click.Context(group, info_name="harness", **group.context_settings)
    parts += ["```text", group.get_help(parent), "```", ""]
    for name in COMMANDS:
        command = group.get_command(parent, name)
        if command is None:
            raise RuntimeError(f"no command {name}")
        context = click.Context(command, info_name=name, parent=parent, terminal_width=90,
                                max_content_width=90)
        parts += [f"## harness {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)


def protocols() -> str:
    """A table of every protocol's fields."""
    from tabulate import tabulate

    from harness.protocol import PRESETS, Protocol

    rows = [[f"`{f.name}`", *(str(getattr(p, f.name)).lower() for p in PRESETS.values())]
            for f in dataclasses.fields(Protocol) if f.name != "name"]
    return tabulate(rows, ["field", *PRESETS], tablefmt="pipe", disable_numparse=True) + "\n"


def with_table(text: str, table: str) -> str:
    """``text`` with ``table`` between the two marks."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + table + "\n" + END + rest.split(END)[1]


def documents() -> dict[Path, str]:
    """Every written document and its text."""
    protocol = DOCS / "protocol.md"
    return {DOCS / "cli.md": cli(),
            protocol: with_table(protocol.read_text("utf-8"), protocols())}


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
