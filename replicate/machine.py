"""The machine that a command runs on: its processor, its peak speed, peak memory, and timers for CPU and GPU."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NO_MEMORY = re.compile(
    "failed to map segment|cannot allocate memory|can't allocate memory|unable to allocate|start new thread|bad_alloc"
    "|not enough memory",
    re.IGNORECASE,
)
# Size of the square matrices whose product measures a device's peak speed: large enough to use all of it.
PEAK = {"cpu": 1024, "cuda": 8192}


@contextmanager
def without_display() -> Iterator[None]:
    """Hide matplotlib's ``MPLBACKEND`` inside the block, in which it is imported.

    A notebook sets it for its own process; in a command that inherits it, the import would fail, after the training.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error, or one that it comes from, is of memory that ran out: libraries have no common class."""
    found: BaseException | None = error
    for _ in range(10):  # an error may be its own context
        if found is None:
            return False
        if isinstance(found, MemoryError) or _NO_MEMORY.search(str(found)):
            return True
        found = found.__cause__ or found.__context__
    return False


def by_clock(call: Callable[[], Any]) -> Callable[[], float]:
    """Make a timer that calls ``call`` once and returns the seconds on the host's clock."""

    def once() -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return once


def by_events(call: Callable[[], Any]) -> Callable[[], float]:
    """Make a timer that calls ``call`` once and returns the seconds between two events on the CUDA stream."""
    import torch

    def once() -> float:
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        call()
        ended.record()
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3

    return once


def peak(device: str) -> Callable[[], float]:
    """Make a timer of one product of two ``PEAK`` x ``PEAK`` matrices, for the device's peak speed."""
    import torch

    square = torch.rand(PEAK[device], PEAK[device], device=device)
    return by_clock(lambda: square @ square) if device == "cpu" else by_events(lambda: square @ square)


def peak_memory() -> int:
    """Return peak memory of this process in bytes; on Linux since ``reset_peak_memory``, if that was called.

    On Linux this is not taken from ``getrusage``, which includes the parent's memory from before the process started.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_peak_memory() -> None:
    """Reset ``peak_memory`` to the present memory; has no effect on other systems than Linux."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


def processor() -> str:
    """Return the processor's name, also on Linux systems where ``platform.processor()`` is empty."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
