"""The one exception that a user can mend.

    UserError                a sentence: what is wrong, where, what to do (exit code 2)
    did_you_mean(word, ...)  the half-sentence that names the nearest known word

Anything else that escapes a command is a bug and keeps its traceback.
"""

from collections.abc import Iterable


class UserError(Exception):
    """What a user can mend. The message says what is wrong, where, and what to do."""


def did_you_mean(word: str, words: Iterable[str], cutoff: float = 0.5) -> str:
    """" Did you mean ...?", or nothing where no word is near.

    Of words that are equally near in order, the one with the same letters wins: vgg61 is vgg16.
    """
    import difflib

    def alike(a: Iterable[str], b: Iterable[str]) -> float:
        return difflib.SequenceMatcher(None, list(a), list(b)).ratio()

    near = [(alike(word, w), alike(sorted(word), sorted(w)), w) for w in words]
    best = max((n for n in near if n[0] >= cutoff), default=None)
    return f" Did you mean {best[2]!r}?" if best else ""
