"""The harness: how the best classifier is found. Names for notebooks:

>>> from harness import load_classifier, load_data, read_leaderboard, train
"""

import os
from typing import Any

# TensorFlow uses oneDNN's kernels unasked only where the processor has AVX512. Without them a step
# of ResNet50's last block takes 3.8 times as long, see docs/performance.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__all__ = ["load_classifier", "load_data", "read_leaderboard", "train"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that the command line starts at once."""
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
