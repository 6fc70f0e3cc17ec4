"""Versions of installed packages, whichever distribution brought them."""

from importlib import metadata


def version(package: str) -> str:
    """Of a distribution, or of the one that brings the module of this name.

    tensorflow-cpu brings ``tensorflow``, onnxruntime-gpu ``onnxruntime``. Raises
    PackageNotFoundError where nothing does.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        bringers = metadata.packages_distributions().get(package)
        if not bringers:
            raise
        return metadata.version(bringers[0])
