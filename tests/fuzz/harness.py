"""Fuzz readers: change valid files, read each in a child process, and count what happens.

A reader is registered with ``register``; see ``readers.py`` for examples, and ``children.py`` for the limits.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.children import MIB, Outcome, read_all

# Cases that one child reads; a new child costs as much as ten cases.
BATCH = 100
# Places where failing inputs are kept.
FAILURES = Path(tempfile.gettempdir()) / "replicate-fuzz"
# Cases are written to memory where there is such a folder.
_MEMORY_FOLDER = Path("/dev/shm")
# A folder of small hostile files, each a kind of fault that was found once: further seeds where it is present.
CASES = Path(os.environ.get("REPLICATE_SHARED") or Path(__file__).parents[3] / "shared") / "cases"
_LARGEST_CASE = 40_000

Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Reader:
    """A reader of files from outside.

    Attributes:
        seeds: makes valid files, as bytes.
        read: reads one file; called in a child process.
        mutate: changes a file.
        refuses: the exceptions by which it refuses a file.
        cases: names of files below ``CASES`` that are seeds, too, and may be refused.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], Any]
    mutate: Mutate
    refuses: tuple[type[Exception], ...]
    suffix: str = ""
    cases: Sequence[str] = ()

    def more_seeds(self) -> list[bytes]:
        """Return the hostile files of this reader's formats."""
        paths = sorted({path for name in self.cases for path in CASES.rglob(name)})
        return [path.read_bytes() for path in paths if path.stat().st_size <= _LARGEST_CASE]


READERS: dict[str, Callable[[], Reader]] = {}


def register(name: str) -> Callable[[Callable[[], Reader]], Callable[[], Reader]]:
    """Register a function that makes a reader; it may import slow modules."""

    def add(make: Callable[[], Reader]) -> Callable[[], Reader]:
        READERS[name] = make
        return make

    return add


@dataclass
class Summary:
    """What happened to the cases of one reader.

    Attributes:
        outcomes: how many cases were read, refused by kind, or failed.
        failures: descriptions of the cases that failed, with their files.
        seconds, memory: of the worst case.
    """

    name: str
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0


def fuzz(reader: Reader, seconds: float, seed: int, most: int | None = None) -> Summary:
    """Read mutated files for some time, or until ``most`` cases are done."""
    summary = Summary(reader.name)
    own, more = list(reader.seeds()), reader.more_seeds()
    gc.collect()
    gc.freeze()  # so that the collector of a child touches, and thereby copies, nothing of the parent
    end = time.monotonic() + seconds
    for outcome in _outcomes(reader, own):
        if outcome.kind != "read":
            summary.failures.append(f"{reader.name}: a seed is {outcome.kind}")
    while time.monotonic() < end and (most is None or summary.cases < most):
        size = BATCH if most is None else min(BATCH, most - summary.cases)
        contents = [_case(reader, own, more, f"{seed}/{reader.name}/{summary.cases + i}") for i in range(size)]
        for content, outcome in zip(contents, _outcomes(reader, contents), strict=True):
            _count(summary, reader, content, outcome)
    return summary


def _case(reader: Reader, own: Sequence[bytes], more: Sequence[bytes], name: str) -> bytes:
    """Return a seed with one change or several; the same for the same name. One in five is of the hostile files."""
    draws = random.Random(name)
    content = draws.choice(more if more and draws.random() < 0.2 else own)
    for _ in range(1 + int(draws.expovariate(1.5))):
        content = reader.mutate(content, draws)
    return content


def _outcomes(reader: Reader, contents: Sequence[bytes]) -> list[Outcome]:
    folder = _MEMORY_FOLDER if os.access(_MEMORY_FOLDER, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="replicate-fuzz-", dir=folder) as name:
        paths = [Path(name) / str(i) / f"case{reader.suffix}" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.parent.mkdir()
            path.write_bytes(content)
        return list(read_all(reader.read, reader.refuses, paths))


def _count(summary: Summary, reader: Reader, content: bytes, outcome: Outcome) -> None:
    summary.cases += 1
    summary.outcomes[outcome.kind] += 1
    summary.seconds = max(summary.seconds, outcome.seconds)
    summary.memory = max(summary.memory, outcome.memory)
    if outcome.failed and summary.outcomes[outcome.kind] <= 3:
        FAILURES.mkdir(exist_ok=True)
        path = FAILURES / f"{reader.name}-{summary.cases}{reader.suffix}"
        path.write_bytes(content)
        summary.failures.append(f"{reader.name}: {outcome.kind}: {path}")


HEADER = f"{'reader':13} {'cases':>8} {'worst time':>11} {'worst memory':>13}  outcomes"


def row(summary: Summary) -> str:
    """Return a line of the table under ``HEADER``: cases, worst time and memory, kinds of outcome."""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in summary.outcomes.most_common(8))
    return f"{summary.name:13} {summary.cases:8,} {summary.seconds:9.2f} s {summary.memory / MIB:9.0f} MiB  {kinds}"


def supported() -> bool:
    """Return whether children can be limited and measured here."""
    return sys.platform == "linux"
