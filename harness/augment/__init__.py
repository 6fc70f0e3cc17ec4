"""One registry of image operations, and how they are drawn for training."""

from harness.augment.operations import FAMILIES, OPERATIONS, Operation
from harness.augment.policy import POLICIES, Policy, render, trained_on

__all__ = ["FAMILIES", "OPERATIONS", "POLICIES", "Operation", "Policy", "render", "trained_on"]
