"""The harness: how the best classifier is found. Names for notebooks:

>>> from harness import load_classifier, load_data, read_leaderboard, train
"""

from typing import Any

__all__ = ["load_classifier", "load_data", "read_leaderboard", "train"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that the command line starts at once."""
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
