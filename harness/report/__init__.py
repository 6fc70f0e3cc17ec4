"""The page of a run store, as one HTML file."""

from harness.report.page import write

__all__ = ["write"]
