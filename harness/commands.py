"""Commands as one types them: for the closing line of a command, and for the page."""

import shlex
from typing import Any

# Of options that a command line leaves out where they say nothing new. A test holds them, and
# every command that is named anywhere, against the command line itself.
EVERYWHERE = {"runs": "runs", "images_key": "images", "labels_key": "labels",
              "host": "https://www.codabench.org"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "zoo": {"data": "demo", "weights": "auto", "folds": 1, "seeds": 1},
    "submission": {"select": "forecast"},
    "tta": {"views": "dihedral"},
}


def command_line(name: str, *arguments: object, **options: Any) -> str:
    """``harness name`` as one types it into a shell; what is None or the default is left out.

    options: values by the options' long names, "-" as "_". A tuple repeats its option, a list is
    one value with commas.

    >>> command_line("submission", runs="runs", out="my cells.zip")
    "harness submission --out 'my cells.zip'"
    """
    defaults = {**EVERYWHERE, **DEFAULTS.get(name, {})}
    words: list[str] = []
    for key, value in options.items():
        option = "--" + key.replace("_", "-")
        if value is True:
            words.append(option)
            continue
        for one in value if isinstance(value, tuple) else (value,):
            text = ",".join(map(str, one)) if isinstance(one, list) else str(one)
            if one is None or one is False or text in ("", str(defaults.get(key))):
                continue
            words += [option, text]
    plain = [str(a) for a in arguments]
    if any(word.startswith("-") for word in plain):
        return shlex.join(["harness", name, *words, "--", *plain])
    return shlex.join(["harness", name, *plain, *words])
