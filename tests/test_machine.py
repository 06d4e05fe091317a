"""Peak memory and timers of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from replicate import machine
from replicate.machine import by_clock, cores, peak_memory, processor, reset_peak_memory


def test_peak_memory_grows_with_an_allocation():
    reset_peak_memory()
    before = peak_memory()
    block = np.ones(100_000_000, np.uint8)
    assert peak_memory() - before > 0.9 * len(block)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux can reset the peak")
def test_peak_memory_can_be_reset():
    np.ones(100_000_000, np.uint8)
    before = peak_memory()
    reset_peak_memory()
    assert peak_memory() < before - 50_000_000


def test_timers_return_the_seconds_of_one_call():
    calls = []
    timer = by_clock(lambda: calls.append(1))
    assert 0 <= timer() < 1 and calls == [1]


def test_the_processor_has_a_name():
    assert processor() and "\n" not in processor()


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000\n"}, 1),
        ("0::/", {"cpu.max": "max 100000\n"}, 8),
        ("0::/jobs/one", {"jobs/cpu.max": "300000 100000\n", "jobs/one/cpu.max": "max 100000\n"}, 3),
        ("0::/seen/on/the/host", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/", {"cpu.max": "nonsense"}, 8),
        (
            "4:memory:/m\n2:cpu,cpuacct:/a",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
            4,
        ),
        ("2:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 8),
        (None, {}, 8),
    ],
)
def test_cores_are_those_that_the_process_may_use(tmp_path, monkeypatch, own, files, expected):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    if own is not None:
        (tmp_path / "own").write_text(own)
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores() == expected


def test_measuring_memory_does_not_import_torch():
    # Otherwise the memory of onnxruntime's process would include PyTorch.
    code = "import sys, replicate.machine; replicate.machine.peak_memory(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
