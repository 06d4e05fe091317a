"""The machine that a command runs on: its processor, its peak speed, and stopwatches for CPU and GPU."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

# Side of the square matrices whose product is a device's peak: large enough to fill it.
PEAK = {"cpu": 1024, "cuda": 8192}


def by_clock(call: Callable[[], Any]) -> Callable[[], float]:
    """Runs ``call`` once and tells the seconds on the host's clock."""

    def once() -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return once


def peak(device: str) -> Callable[[], float]:
    """Runs a product of two square matrices, as fast as the device multiplies; tells the seconds."""
    square = torch.rand(PEAK[device], PEAK[device], device=device)
    if device == "cpu":
        return by_clock(lambda: square @ square)
    return by_events(lambda: square @ square)


def by_events(call: Callable[[], Any]) -> Callable[[], float]:
    """Runs ``call`` once and tells the seconds between two events on the device's stream."""

    def once() -> float:
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        call()
        ended.record()
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3

    return once


def processor() -> str:
    """The processor's name; Python's own answer is empty on many Linux systems."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
