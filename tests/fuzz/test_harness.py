"""The harness notices every way in which a reader can fail, and mutations are the same for the same seed."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import harness, mutations, readers
from tests.fuzz.harness import READERS, Reader, fuzz, run, table

assert readers  # registers them
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are limited and measured on Linux only")


def reader(read: Callable[[Path], Any]) -> Reader:
    return Reader("made-up", lambda: [b"abc"], read, mutations.of_bytes, (ValueError,))


def raises(error: BaseException) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        raise error

    return read


def kill(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (Path.read_bytes, "read"),
        (raises(ValueError("x")), "refused: ValueError"),
        (raises(ValueError("x\ny")), "FAILED: message of 3 characters: refused: ValueError"),
        (raises(ValueError("x" * 5000)), "FAILED: message of 5000 characters: refused: ValueError"),
        (raises(KeyError("x")), r"FAILED: KeyError in test_harness\.py:\d+"),
        (raises(SystemExit(0)), "FAILED: SystemExit"),
        (kill, "FAILED: SIGSEGV"),
        (lambda path: os._exit(3), "FAILED: exit code 3"),
        (lambda path: time.sleep(60), "FAILED: over 0.2 s"),
        (lambda path: bytearray(3 * 2**30), "FAILED: MemoryError"),
        (lambda path: bytes(bytearray(b"a") * 30 * 2**20), "FAILED: over 20 MiB"),
    ],
)
def test_whatever_a_reader_does_is_noticed(
    read: Callable[[Path], Any], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "over 0.2" in kind:
        monkeypatch.setattr(harness, "SECONDS", 0.2)
    if "over 20" in kind:
        monkeypatch.setattr(harness, "MEMORY", 20 * 2**20)
        monkeypatch.setattr(harness.resource, "setrlimit", lambda *_: None)
    found = run(reader(read), b"abc", tmp_path)
    assert re.match(kind, found.kind)
    assert found.failed == kind.startswith("FAILED")


def test_failing_cases_are_kept_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "FAILURES", tmp_path / "failures")

    def read(path: Path) -> None:
        if path.read_bytes() != b"abc":
            raise KeyError

    found = fuzz(reader(read), 60, seed=0, most=5)
    assert found.cases == sum(found.outcomes.values()) == 5
    kept = list((tmp_path / "failures").iterdir())
    assert len(kept) == len(found.failures) == 3
    assert all(str(path) in " ".join(found.failures) for path in kept)
    assert "made-up" in table([found]) and "FAILED: KeyError" in table([found])


def test_a_seed_that_is_refused_is_a_failure() -> None:
    assert fuzz(reader(raises(ValueError("x"))), 60, seed=0, most=1).failures[0] == (
        "made-up: a seed is refused: ValueError"
    )


@pytest.mark.parametrize("name", ["pickle", "npz", "manifests", "lines"])
def test_mutations_are_the_same_for_the_same_seed(name: str) -> None:
    made = READERS[name]()
    (content, *_) = made.seeds()
    cases = [[made.mutate(content, random.Random(f"{seed}")) for seed in range(40)] for _ in range(2)]
    assert cases[0] == cases[1]
    assert len(set(cases[0])) > 20
