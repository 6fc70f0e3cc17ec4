"""timm's networks of the same names on PyTorch, frozen: what they make of 96 x 96 pictures.

    python -m benchmarks.pytorch [BACKBONE ...]     where torch and timm are installed

In a process of their own: PyTorch's builds for GPUs and TensorFlow can't share one.
"""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

# Ours: timm's.
NETWORKS = {"vgg16": "vgg16", "vgg19": "vgg19", "efficientnetb2": "tf_efficientnet_b2",
            "efficientnetb3": "tf_efficientnet_b3", "resnet50": "resnet50",
            "xception": "legacy_xception", "convnextbase": "convnext_base",
            "mobilenetv2": "mobilenetv2_100"}
SIZE, BATCH, ROUNDS = 96, 64, 8


def importable() -> bool:
    return all(importlib.util.find_spec(name) for name in ("torch", "timm"))


def measured(name: str) -> tuple[str, float]:
    """The number type in which PyTorch is faster, and its pictures a second."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.pytorch", name], check=True,
                          capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["number type"], found["pictures/s"]


def fastest(name: str, batch: int = BATCH) -> tuple[str, Callable[[], Any]]:
    """The number type in which PyTorch is faster, and a function that passes a batch of pictures,
    already prepared, up to the last map of activations.

    bfloat16 is only tried where the processor has it: elsewhere a batch takes a minute.
    """
    import timm
    import torch

    from zoo.device import BFLOAT16, flags

    ways: dict[str, Callable[[], Any]] = {}
    for kind in ("float32", "bfloat16") if flags().intersection(BFLOAT16) else ("float32",):
        network = timm.create_model(NETWORKS[name], pretrained=False).eval()
        network = network.to(dtype=getattr(torch, kind), memory_format=torch.channels_last)
        x = torch.rand(batch, 3, SIZE, SIZE, dtype=getattr(torch, kind))
        ways[kind] = inference(network, x.contiguous(memory_format=torch.channels_last))
    times = {kind: best(way, 1) for kind, way in ways.items()}
    kind = min(times, key=lambda k: times[k])
    return kind, ways[kind]


def inference(network: Any, x: Any) -> Callable[[], Any]:
    import torch

    def way() -> Any:
        with torch.inference_mode():
            return network.forward_features(x)

    return way


def best(way: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Seconds of the fastest of some calls, after one that doesn't count."""
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        way()
        times.append(time.perf_counter() - began)
    return min(times[1:])


if __name__ == "__main__":
    for name in sys.argv[1:] or NETWORKS:
        kind, way = fastest(name)
        print(json.dumps({"network": NETWORKS[name], "number type": kind,
                          "pictures/s": round(BATCH / best(way), 1)}), flush=True)
