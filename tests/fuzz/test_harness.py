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

from tests.fuzz import __main__, children, harness, mutations
from tests.fuzz.children import Outcome, read_all
from tests.fuzz.harness import HEADER, READERS, Reader, fuzz, row

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are limited and measured on Linux only")
MIB = children.MIB


def reader(read: Callable[[Path], Any]) -> Reader:
    return Reader("made-up", lambda: [b"abc"], read, mutations.of_bytes, (ValueError,))


def raises(error: BaseException) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        raise error

    return read


def kill(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def outcomes(read: Callable[[Path], Any], folder: Path, contents: str = "a") -> list[Outcome]:
    """Read a file for each letter."""
    paths = [folder / f"{i}" for i in range(len(contents))]
    for path, letter in zip(paths, contents, strict=True):
        path.write_text(letter)
    return list(read_all(read, (ValueError,), paths))


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (Path.read_bytes, "read"),
        (raises(ValueError("x")), "refused: ValueError"),
        (raises(ValueError("x\ny")), "FAILED: message of 3 characters: refused: ValueError"),
        (raises(ValueError("x" * 5000)), "FAILED: message of 5000 characters: refused: ValueError"),
        (raises(ValueError("too little memory to read a")), "FAILED: out of memory: refused: ValueError"),
        (raises(KeyError("x")), r"FAILED: KeyError in test_harness\.py:\d+"),
        (raises(SystemExit(0)), "FAILED: SystemExit"),
        (kill, "FAILED: SIGSEGV"),
        (lambda path: os._exit(0), "FAILED: exit code 0"),
        (lambda path: os._exit(3), "FAILED: exit code 3"),
        (lambda path: time.sleep(60), "FAILED: over 0.2 s"),
        (lambda path: bytearray(3 * 2**30), "FAILED: MemoryError"),
        (lambda path: bytearray(b"a") * 30 * MIB, "FAILED: over 20 MiB"),
    ],
)
def test_whatever_a_reader_does_is_noticed(
    read: Callable[[Path], Any], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "over 0.2" in kind:
        monkeypatch.setattr(children, "SECONDS", 0.2)
    if "over 20" in kind:
        monkeypatch.setattr(children, "MEMORY", 20 * MIB)
    (found,) = outcomes(read, tmp_path)
    assert re.match(kind, found.kind)
    assert found.failed == kind.startswith("FAILED")


def test_every_case_has_its_own_outcome_time_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "SECONDS", 1.5)

    def read(path: Path) -> None:
        {
            "a": lambda: None,
            "r": lambda: raises(ValueError("x"))(path),
            "k": lambda: kill(path),
            "x": lambda: {}["x"],
            "m": lambda: bytearray(b"a") * 60 * MIB,
            "s": lambda: time.sleep(0.1),
            "h": lambda: time.sleep(9),
        }[path.read_text()]()

    found = outcomes(read, tmp_path, "arkxamasha")
    assert [one.kind.removeprefix("FAILED: ")[:6] for one in found] == (
        ["read", "refuse", "SIGSEG", "KeyErr", "read", "read", "read", "read", "over 1", "read"]
    )
    assert [one.memory > 50 * MIB for one in found] == [i == 5 for i in range(10)]
    assert found[7].seconds >= 0.1 and found[8].seconds >= 1.5


def test_a_failure_that_needs_the_cases_before_it_is_still_one(tmp_path: Path) -> None:
    count = iter(range(100))

    def read(path: Path) -> None:
        assert next(count) < 2

    found = outcomes(read, tmp_path, "abcd")
    assert [one.failed for one in found] == [False, False, True, False]
    assert found[2].kind.startswith("FAILED: AssertionError") and found[2].kind.endswith("not when read alone")


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
    assert "made-up" in row(found) and "FAILED: KeyError" in row(found)


def test_a_seed_that_is_refused_is_a_failure() -> None:
    assert fuzz(reader(raises(ValueError("x"))), 60, seed=0, most=1).failures[0] == (
        "made-up: a seed is refused: ValueError"
    )


def test_hostile_files_are_seeds_that_may_be_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "CASES", tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.bad").write_bytes(b"bad")
    (tmp_path / "large.bad").write_bytes(bytes(50_000))

    def read(path: Path) -> None:
        if b"bad" in path.read_bytes():
            raise ValueError

    made = Reader("made-up", lambda: [b"abc"], read, lambda content, _: content, (ValueError,), cases=("*.bad",))
    found = fuzz(made, 60, seed=0, most=40)
    assert found.failures == [] and set(found.outcomes) == {"read", "refused: ValueError"}


def test_cases_are_shared_evenly_and_a_failure_has_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "FAILURES", tmp_path)
    monkeypatch.setattr(__main__, "READERS", {"good": lambda: reader(Path.read_bytes), "bad": lambda: reader(kill)})
    for names, cases, code in ((["good"], 7, 0), ([], 9, 1)):
        monkeypatch.setattr(sys, "argv", ["fuzz", "--cases", str(cases), "--seed", "3", *names])
        assert __main__.main() == code
    header, good, _, _, first, second, *_, last = capsys.readouterr().out.splitlines()
    assert header == HEADER and [line.split()[1] for line in (good, first, second)] == ["7", "4", "5"]
    assert "FAILED: SIGSEGV 5" in second and last == "9 cases, seed 3, 4 kinds of failure"


@pytest.mark.parametrize("name", ["pickle", "npz", "manifests", "lines"])
def test_mutations_are_the_same_for_the_same_seed(name: str) -> None:
    made = READERS[name]()
    (content, *_) = made.seeds()
    cases = [[made.mutate(content, random.Random(f"{seed}")) for seed in range(40)] for _ in range(2)]
    assert cases[0] == cases[1]
    assert len(set(cases[0])) > 20


def test_values_that_were_changed_often_can_be_changed_again() -> None:
    """Numbers become too large for a float, and lists too deep to be copied."""
    for seed in range(2000):
        draws, content = random.Random(seed), b'{"a": 1, "b": [1.5, {"c": -3}], "e": "x"}'
        for _ in range(8):
            content = mutations.of_json(content, draws)[:3000]
            assert isinstance(content, bytes)
