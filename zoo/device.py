"""What this machine computes with."""

import contextlib
import os
import platform
import subprocess
import sys
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

# Processors that multiply bfloat16 themselves; on others it is slower than float32.
BFLOAT16 = ("avx512_bf16", "amx_bf16")
AMPERE = (8, 0)  # NVIDIA's compute capability from which their GPUs do

DRIVER = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU
VISIBLE = "CUDA_VISIBLE_DEVICES"
COUNT = "from zoo.device import gpus; print(len(gpus()))"


@cache
def flags() -> frozenset[str]:
    """The processor's features, as Linux names them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


@cache
def details() -> tuple[dict[str, Any], ...]:
    """What TensorFlow knows of each graphics processor that it can use."""
    import tensorflow as tf

    return tuple({"device_name": g.name, **tf.config.experimental.get_device_details(g)}
                 for g in tf.config.list_physical_devices("GPU"))


def gpus() -> tuple[str, ...]:
    """Names of the graphics processors that TensorFlow can use."""
    return tuple(gpu["device_name"] for gpu in details())


@cache
def several_gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that TensorFlow can use; empty where fewer than two.

    TensorFlow may hold memory on every GPU that it has looked at until its process ends, so
    the driver is asked first, and then TensorFlow in a process of its own.
    """
    listed = listed_gpus()
    if len(listed) < 2:
        return ()
    asked = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True)
    usable = int(asked.stdout.split()[-1]) if asked.returncode == 0 else 0
    return listed[:usable] if usable > 1 else ()


def listed_gpus() -> tuple[str, ...]:
    """The GPUs that the environment names, else the NVIDIA driver's; Linux only."""
    named = os.environ.get(VISIBLE)
    if named is None:
        return tuple(str(i) for i in range(len(list(DRIVER.iterdir())))) if DRIVER.is_dir() else ()
    names = [name.strip() for name in named.split(",")]
    return tuple(takewhile(lambda name: name not in ("", "-1"), names))  # CUDA stops there too


def number_type() -> str:
    """ "bfloat16" where the hardware multiplies it, else "float32".

    GPUs of other makers don't tell whether they do.
    """
    if details():
        able = all(gpu.get("compute_capability", (0, 0)) >= AMPERE for gpu in details())
    else:
        able = bool(flags().intersection(BFLOAT16))
    return "bfloat16" if able else "float32"


def describe() -> dict[str, Any]:
    """Device, cores, memory in bytes, and the number types that the hardware has."""
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"device": ", ".join(gpus()) or "CPU", "processor": processor(), "cores": cores(),
            "memory": memory, "number_type": number_type()}


def free_memory() -> int | None:
    """Bytes that programs can still have; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) << 10 if found else None


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release() -> None:
    """Give memory back that nothing needs any more.

    Compiled functions and the weights they hold lie in cycles, and the C library keeps what is
    freed: after a network it had 0.4 GB that the next one did not fit into.
    """
    import ctypes
    import gc

    import keras

    keras.backend.clear_session()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def peak_memory() -> float:
    """MB of memory that this process has held at most.

    Linux' own count where it is there: what getrusage says begins with what the parent held.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(row.split()[1]) for row in lines if row.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource

        unit = 1 << 20 if platform.system() == "Darwin" else 1 << 10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines()
             if line.startswith("model name")]
    return names[0] if names else platform.machine()
