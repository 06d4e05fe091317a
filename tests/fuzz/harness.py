"""Run readers on mutated files, each in a child process with limits of time and memory, and count what happens.

The parent imports a reader once and forks for every case, which takes milliseconds instead of the seconds of a new
interpreter. A reader is registered with ``register``; see ``readers.py`` for examples.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 2**20
# Of one case: wall time, and memory in addition to what the parent has.
SECONDS = 20
MEMORY = 1024 * MIB
# The exit code of a child whose reader raised what it must not.
_CRASHED = 70
# Places where failing inputs are kept.
FAILURES = Path(tempfile.gettempdir()) / "replicate-fuzz"

Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Reader:
    """A reader of files from outside.

    Attributes:
        seeds: makes valid files, as bytes.
        read: reads one file; called in a child process.
        mutate: changes a file.
        refuses: the exceptions by which it refuses a file.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], Any]
    mutate: Mutate
    refuses: tuple[type[Exception], ...]
    suffix: str = ""


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


@dataclass(frozen=True)
class Outcome:
    """What happened to one case; ``failed`` if it should not have."""

    kind: str
    failed: bool
    seconds: float
    memory: int


def fuzz(reader: Reader, seconds: float, seed: int, most: int | None = None) -> Summary:
    """Read mutated files for some time, or until ``most`` cases are done."""
    summary = Summary(reader.name)
    seeds = list(reader.seeds())
    gc.collect()
    gc.freeze()  # so that the collector of a child touches, and thereby copies, nothing of the parent
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="replicate-fuzz-") as name:
        folder = Path(name)
        for content in seeds:
            found = run(reader, content, folder)
            if found.kind != "read":
                summary.failures.append(f"{reader.name}: a seed is {found.kind}")
        while time.monotonic() < end and (most is None or summary.cases < most):
            draws = random.Random(f"{seed}/{reader.name}/{summary.cases}")
            content = draws.choice(seeds)
            for _ in range(1 + int(draws.expovariate(1.5))):
                content = reader.mutate(content, draws)
            _count(summary, reader, content, run(reader, content, folder))
    return summary


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


def run(reader: Reader, content: bytes, folder: Path) -> Outcome:
    """Read one file in a child process."""
    path = folder / f"case{reader.suffix}"
    path.write_bytes(content)
    message = folder / "message"
    message.write_bytes(b"")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(reader, path, message)
    state, used, killed = _wait(child, began + SECONDS)
    base, _, text = message.read_text(encoding="utf-8", errors="replace").partition("\n")
    seconds, memory = time.monotonic() - began, max(0, used.ru_maxrss * 1024 - int(base or 0))
    if killed:
        return Outcome(f"FAILED: over {SECONDS} s", True, seconds, memory)
    if os.WIFSIGNALED(state):
        return Outcome(f"FAILED: {signal.Signals(os.WTERMSIG(state)).name}", True, seconds, memory)
    code = os.waitstatus_to_exitcode(state)
    if code == _CRASHED:
        return Outcome(f"FAILED: {text}", True, seconds, memory)
    if memory > MEMORY:
        return Outcome(f"FAILED: over {MEMORY // MIB} MiB", True, seconds, memory)
    return Outcome(text or f"FAILED: exit code {code}", not text, seconds, memory)


def _child(reader: Reader, path: Path, message: Path) -> None:
    """Read a file and leave; never returns."""
    try:
        base = f"{_status('VmRSS')}\n"  # less than the parent's, because pages of files are not copied
        message.write_text(base)
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        faulthandler.disable()
        limit = _status("VmSize") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = _CRASHED
        try:
            reader.read(path)
            found, code = "read", 0
        except reader.refuses as error:
            found, code = f"refused: {getattr(error, 'kind', type(error).__name__)}", 0
            if "\n" in str(error) or len(str(error)) > 4000:
                found, code = f"message of {len(str(error))} characters: {found}", _CRASHED
        except BaseException as error:  # also what no reader should raise
            last = error.__traceback__
            while last is not None and last.tb_next is not None:
                last = last.tb_next
            where = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last is not None else ""
            found = f"{type(error).__name__} in {where}"
        message.write_text(base + found, encoding="utf-8", errors="replace")
        os._exit(code)
    finally:
        os._exit(_CRASHED + 1)


def _wait(child: int, end: float) -> tuple[int, resource.struct_rusage, bool]:
    """Wait for a child, and kill it after its time."""
    killed, pause = False, 0.0005
    while True:
        found, state, used = os.wait4(child, os.WNOHANG)
        if found:
            return state, used, killed
        if time.monotonic() > end and not killed:
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def _status(name: str) -> int:
    """Return a size of this process in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def table(summaries: Iterable[Summary]) -> str:
    """Return a table of all readers: cases, kinds of outcome, worst time and memory."""
    lines = [f"{'reader':12} {'cases':>8} {'worst time':>11} {'worst memory':>13}  outcomes"]
    for each in summaries:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in each.outcomes.most_common(8))
        lines.append(f"{each.name:12} {each.cases:8,} {each.seconds:9.2f} s {each.memory / MIB:9.0f} MiB  {kinds}")
    return "\n".join(lines)


def supported() -> bool:
    """Return whether children can be limited and measured here."""
    return sys.platform == "linux"
