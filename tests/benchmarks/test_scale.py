"""Large inputs: a corpus of 10,000 dialogues, and a store of 1,000 runs: `make bench-training`.

What is measured is the processor time of the whole command, start-up included, and its peak memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.generated import write_corpus, write_results

pytestmark = pytest.mark.bench

RUNS, DIALOGUES = 1_000, 10_000
# Resources of a command, printed by a process that has no other child.
SCRIPT = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "replicate", *sys.argv[1:]], stdout=subprocess.PIPE, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, done.stdout.count(b"\\n"))
"""


def cost(*arguments: object) -> tuple[float, float, int]:
    """Seconds of processor time and megabytes of a command, and the lines that it prints."""
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds, megabytes, lines = done.stdout.split()
    print(f"\n{' '.join(map(str, arguments[:2]))}: {float(seconds):.2f} s, {float(megabytes):.0f} MB")
    return float(seconds), float(megabytes), int(lines)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An --out folder with the runs and the paper's tables."""
    folder = tmp_path_factory.mktemp("scale") / "results"
    write_results(folder, RUNS)
    return folder


def test_a_large_corpus_is_described(tmp_path):
    write_corpus(tmp_path / "noise.npz", DIALOGUES)
    seconds, megabytes, _ = cost("data", "info", tmp_path / "noise.npz")
    assert seconds < 1 and megabytes < 1_000


def test_a_large_store_is_listed(out):
    seconds, _, lines = cost("runs", "list", "--store", out / "runs")
    assert lines > RUNS and seconds < 2


def test_tables_and_page_of_a_large_store_are_written(out):
    assert cost("report", "--results", out)[0] < 20
