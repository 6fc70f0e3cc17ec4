"""The zoo: what a network is. It knows Keras and nothing else of ours.

>>> from zoo import BACKBONES, Classifier
>>> BACKBONES["vgg16"].parameters
14714688
"""

from typing import Any

__all__ = ["BACKBONES", "Backbone", "Classifier", "UserError"]

PLACES = {"BACKBONES": "zoo.table", "Backbone": "zoo.backbone",
          "Classifier": "zoo.classifier", "UserError": "zoo.errors"}


def __getattr__(name: str) -> Any:
    """Import on first use, so that the command line starts at once."""
    if name not in PLACES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(PLACES[name]), name)
