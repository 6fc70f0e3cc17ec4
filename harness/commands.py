"""Commands as one types them: for the closing line of a command, and for the page.

It alone looks into ``harness.cli`` from outside: what an option is called stands there once.
"""

import shlex
from typing import Any


def command_line(name: str, *arguments: object, **given: Any) -> str:
    """``harness name`` as one types it into a shell; what is None or the default is left out.

    given: values by the names of the command's parameters. A tuple repeats its option, a list is
    one value with commas.

    >>> command_line("submission", runs="runs", out="my cells.zip")
    "harness submission --out 'my cells.zip'"
    """
    import click

    from harness.cli.main import group

    command = group.get_command(click.Context(group), name)
    if command is None:
        raise KeyError(name)
    known = {p.name: p for p in command.params}
    words, plain = ["harness", name], [str(a) for a in arguments]
    for key, value in given.items():
        option = known[key]
        if value is True:
            words.append(option.opts[-1])
            continue
        for one in value if isinstance(value, tuple) else (value,):
            text = ",".join(map(str, one)) if isinstance(one, list) else str(one)
            if one is not None and one is not False and text not in ("", str(option.default)):
                words += [option.opts[-1], text]
    if any(word.startswith("-") for word in plain):
        return shlex.join([*words, "--", *plain])
    return shlex.join([*words[:2], *plain, *words[2:]])
