"""Runs that exist only as suites: networks of known skill, made in milliseconds."""

import numpy as np

from harness.judge.evidence import Evidence
from harness.judge.suite import CLEAN, plan

CLASSES = 5


def says(labels: np.ndarray, skill: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (n, CLASSES), the surer and the righter the more skill (n,)."""
    logits = rng.normal(0, 1, (len(labels), CLASSES))
    logits[np.arange(len(labels)), labels] += skill
    powers = np.exp(1.5 * logits)
    return powers / powers.sum(1, keepdims=True)


def runs(count: int = 6, budget: int = 800, seed: int = 0) -> list[Evidence]:
    """Runs of rising skill that all lose by depth and strength, judged on one suite."""
    operation, strength = plan(seed, budget)
    rng = np.random.default_rng(seed)
    source = np.arange(budget) % (budget // 2)
    label = (source * 7) % CLASSES
    depth = np.where(operation == CLEAN, 0, np.char.count(operation, "+") + 1)
    made = []
    for i in range(count):
        skill = 2.2 + 0.25 * i - 0.3 * depth - 0.25 * strength
        made.append(Evidence(f"run{i}", says(label, skill, rng), label, source, operation, strength,
                             depth > 0, 0.9 + 0.01 * i))
    return made


def world(count: int, harshness: float, n: int = 1500, seed: int = 9
          ) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """What these runs say on a hidden test, and how often each is right."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    hard = rng.uniform(0, 2 * harshness, n)
    said = {f"run{i}": says(labels, 2.2 + 0.25 * i - hard, rng) for i in range(count)}
    return said, {k: float((p.argmax(1) == labels).mean()) for k, p in said.items()}
