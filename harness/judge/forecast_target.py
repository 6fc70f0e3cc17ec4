"""The target way (placeholder until the estimator stands)."""
from harness.judge.forecast_blind import Blind


def Target():
    return Blind()
