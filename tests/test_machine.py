"""Peak memory and timers of the machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from replicate.machine import by_clock, peak_memory, processor, reset_peak_memory


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


def test_measuring_memory_does_not_import_torch():
    # Otherwise the memory of onnxruntime's process would include PyTorch.
    code = "import sys, replicate.machine; replicate.machine.peak_memory(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
