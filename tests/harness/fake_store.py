"""Store folders with plausible runs, made in milliseconds and without a network."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.augment.operations import OPERATIONS
from harness.protocol import PRESETS
from harness.runs import Store
from zoo.files import write_arrays, write_json, write_text

BACKBONES = ("vgg16", "vgg19", "efficientnetb2", "efficientnetb3", "resnet50", "xception",
             "convnextbase", "smallcnn2")
CLASSES = ("basophil", "eosinophil", "erythroblast", "immature granulocytes", "lymphocyte",
           "monocyte", "neutrophil", "platelet")
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7*7 }}",
           "javascript:alert(3)", "\x1b[31mred", "'; DROP TABLE runs; --", "a|b", "\u202egnp.exe",
           "W" * 300)


def make_store(folder: Path, runs: int = 4, *, classes: tuple[str, ...] = CLASSES, n: int = 240,
               size: int = 32, sample: int = 64, test: bool = True, data_name: str = "cells.npz",
               seed: int = 0, folds: int = 1) -> Store:
    """A store of ``runs`` finished runs, the later ones a little better."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(classes)
    images = pictures(labels, size, rng)
    for i in range(runs):
        name = BACKBONES[i % len(BACKBONES)]
        run = folder / f"20261125-1{i:05d}-{name}-seed-{seed:04x}{i:04x}"
        write_run(run, name, labels, images, classes, 0.5 + 0.4 * (i + 1) / runs, data_name,
                  np.random.default_rng((seed, i)), sample, test, folds)
        write_text(run / "done", "")
    return Store(folder)


def pictures(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (n, size, size, 3): a disc whose colour and size tell the class."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    radius = 0.15 + 0.3 * labels / (labels.max() + 1)
    disc = (x ** 2 + y ** 2)[None] < (radius ** 2)[:, None, None]
    colour = np.stack([120 + 15 * labels, 60 + 10 * labels, 160 - 5 * labels], 1)
    plain = np.where(disc[..., None], colour[:, None, None], np.array([230, 210, 215]))
    return np.clip(plain + rng.normal(0, 9, (len(labels), size, size, 3)), 0, 255).astype(np.uint8)


def guesses(labels: np.ndarray, classes: int, skill: Any, rng: np.random.Generator) -> np.ndarray:
    """Probabilities float32 (n, K), right about as often as ``skill`` says."""
    logits = rng.normal(0, 1, (len(labels), classes))
    logits[np.arange(len(labels)), labels] += 6.5 * np.asarray(skill) - 1
    powers = np.exp(1.5 * logits)
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def write_run(folder: Path, backbone: str, labels: np.ndarray, images: np.ndarray,
              classes: tuple[str, ...], skill: float, data_name: str, rng: np.random.Generator,
              sample: int, test: bool, folds: int) -> None:
    """Everything but ``done`` into ``folder``."""
    k, n = len(classes), len(labels)
    arrays = {"validation": guesses(labels, k, skill, rng), "validation_labels": labels,
              "validation_index": np.arange(n), "validation_fold": np.arange(n) % folds}
    if test:
        arrays |= {"test": guesses(labels, k, 0.75 * skill, rng), "test_labels": labels}
    write_arrays(folder / "predictions.npz", **arrays)
    position = np.sort(rng.permutation(n)[:sample])
    write_arrays(folder / "sample.npz", images=images[position], position=position)
    suite = fake_suite(labels, k, skill, rng)
    write_arrays(folder / "suite.npz", **suite)
    right = suite["probabilities"].argmax(1) == suite["label"]
    write_json(folder / "config.json", {
        "backbone": backbone, "weights": {"origin": "imagenet", "file": "x.h5", "sha256": "0" * 64},
        "protocol": PRESETS["seed"].to_json(), "identity": folder.name,
        "data": {"name": data_name, "provenance": f"/nowhere/{data_name}",
                 "hash": f"{len(data_name):02x}{k:02x}" * 16, "n": 10 * n, "classes": list(classes),
                 "size": list(images.shape[1:3])},
        "folds": folds, "seed": 0, "test": {"name": "test.npz", "hash": "1" * 64, "n": n}
        if test else None})
    write_json(folder / "environment.json", {
        "python": "3.12.1", "versions": {"tensorflow": "2.21.0"}, "device": "CPU, 2 cores",
        "number_type": "float32", "peak_memory_mb": 2100,
        "seconds": {"trunk": 61.2, "stage 1": 12.5, "stage 2": 140.8, "judging": 4.0}})
    write_json(folder / "history.json", [history(skill, rng) for _ in range(folds)])
    write_json(folder / "metrics.json", {
        "validation": fake_metrics(arrays["validation"], labels, classes),
        "test": fake_metrics(arrays["test"], labels, classes) if test else None,
        "suite": {"all": float(right.mean()),
                  "held_out": float(right[suite["held_out"]].mean()),
                  "trained_on": float(right[~suite["held_out"]].mean())},
        "folds": {"each": [skill], "mean": skill, "std": 0.0},
        "parameters": 14_700_000, "milliseconds": 12.5})
    centre = float(right.mean())
    write_json(folder / "forecast.json", [
        {"run": folder.name, "way": "suite", "forecast": centre, "low": centre - 0.04,
         "high": min(1.0, centre + 0.03)}])


def fake_suite(labels: np.ndarray, k: int, skill: float, rng: np.random.Generator
               ) -> dict[str, np.ndarray]:
    names = np.array([*OPERATIONS, "clean", "stain+fog+holes"])
    m = 1200
    operation, strength = names[rng.integers(len(names), size=m)], rng.integers(1, 6, m)
    strength[operation == "clean"] = 0
    source = rng.integers(len(labels), size=m)
    held_out = np.isin(operation, names[::2])
    fall = skill - 0.05 * strength - 0.05 * held_out
    return {"probabilities": guesses(labels[source], k, fall, rng), "label": labels[source],
            "source": source, "operation": operation, "strength": strength, "held_out": held_out}


def fake_metrics(probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]
                 ) -> dict[str, Any]:
    from harness.judge.metrics import metrics

    return metrics(probabilities, labels, classes)


def history(skill: float, rng: np.random.Generator) -> dict[str, Any]:
    stages = {}
    for stage, count in (("stage 1", 30), ("stage 2", 12)):
        t = np.arange(1, count + 1)
        reach = skill * (1 - np.exp(-t / 6))
        stages[stage] = {"best": count - 3, "wise": 1.0, "epochs": [{
            "epoch": int(e), "train_loss": float(2 * np.exp(-e / 8) + 0.1),
            "validation_loss": float(1.9 * np.exp(-e / 9) + 0.3 + rng.normal(0, 0.02)),
            "validation_accuracy": float(a), "augmented_loss": float(2 * np.exp(-e / 9) + 0.5),
            "augmented_accuracy": float(0.9 * a), "rate": 1e-4, "seconds": 1.5}
            for e, a in zip(t, reach, strict=True)]}
    return stages
