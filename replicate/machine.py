"""The machine that a command runs on: its processor, its peak speed, peak memory, and timers for CPU and GPU."""

from __future__ import annotations

import math
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
_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cores() -> int:
    """Return how many cores this process may use at a time, by its affinity and, in a container, by its quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(allowed, _quota(_CGROUPS, _OWN_CGROUP))))


def _quota(root: Path, own: Path) -> float:
    """Return the cores that the control groups of a process grant it, infinity if they do not limit it.

    Args:
        root: where control groups are mounted. own: the file that lists those of the process.
    """
    least = math.inf
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return least
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct"):
            mounted = root / controllers
            # Every group above limits it, too. In a container the path may be the host's; only the root is seen there.
            for group in {mounted, *(mounted / "/".join(parts) for parts in _prefixes(path))}:
                least = min(least, _limit(group))
    return least


def _prefixes(path: str) -> list[list[str]]:
    parts = path.strip("/").split("/")
    return [parts[: i + 1] for i in range(len(parts))]


def _limit(group: Path) -> float:
    """Return the cores of one control group: version 2 keeps quota and period in one file, version 1 in two."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((group / name).read_text() for name in names).split()
            if quota not in ("max", "-1"):
                return int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return math.inf


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
    if device != "cpu":
        return by_events(lambda: square @ square)
    if not torch.backends.mkldnn.is_available():
        return by_clock(lambda: square @ square)
    # torch's own product takes twice as long on some processors, see ``replicate.model.products``.
    return by_clock(lambda: torch.ops.mkldnn._linear_pointwise(square, square, None, "none", [], ""))


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
