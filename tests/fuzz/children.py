"""Read files in child processes with limits of time and memory, and notice every way in which a reader can fail.

The parent imports a reader once and forks, which takes milliseconds instead of the seconds of a new interpreter. A
child reads one file after the other and reports each; after a failure the next file has a new child. A file that fails
is read again alone, so that it is known whether the files before it matter.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MIB = 2**20
# Of one case: wall time, and memory in addition to what the parent has.
SECONDS = 20
MEMORY = 850 * MIB
# What a case may reserve without using it, as onnxruntime does for threads.
ADDRESSES = 1024 * MIB
# An exception that says that memory ran out is no refusal: no file of a case is large enough for that.
NO_MEMORY = ("too little memory", "memory ran out")
# A report of a child on one file has this length, so that it is written at once, and the reports do not mix.
_REPORT = 400


@dataclass(frozen=True)
class Outcome:
    """What happened to one case; ``failed`` if it should not have. Wall time in seconds, memory in bytes."""

    kind: str
    failed: bool
    seconds: float
    memory: int


def read_all(
    read: Callable[[Path], Any], refuses: tuple[type[Exception], ...], paths: Sequence[Path]
) -> Iterator[Outcome]:
    """Yield the outcome of every file, in their order.

    Args:
        read: reads one file; called in a child process.
        refuses: the exceptions by which it refuses a file.
    """
    at = 0
    while at < len(paths):
        for outcome in _child(read, refuses, paths[at:]):
            if outcome.failed and len(paths) > 1:
                (alone,) = _child(read, refuses, paths[at : at + 1])
                outcome = alone if alone.failed else replace(outcome, kind=f"{outcome.kind}, not when read alone")
            yield outcome
            at += 1


def _child(
    read: Callable[[Path], Any], refuses: tuple[type[Exception], ...], paths: Sequence[Path]
) -> Iterator[Outcome]:
    """Read files in one child; yield the outcome of each, up to the first that fails."""
    receiving, sending = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _read_in_child(read, refuses, paths, sending)
    os.close(sending)
    try:
        for _ in paths:
            in_time = bool(select.select([receiving], [], [], SECONDS)[0])
            report = os.read(receiving, _REPORT).decode("ascii", "replace") if in_time else ""
            if not report:
                yield _without_report(child, in_time, time.monotonic() - began)
                return
            began = time.monotonic()
            failed, seconds, memory, kind = report.strip().split(" ", 3)
            if int(memory) > MEMORY:
                kind, failed = f"over {MEMORY // MIB} MiB", "1"
            yield Outcome("FAILED: " * (failed == "1") + kind, failed == "1", float(seconds), int(memory))
            if failed == "1":
                return
    finally:
        os.close(receiving)
        _end(child)


def _end(child: int) -> tuple[int, int]:
    """End a child if it has not left; returns its exit code, below 0 for a signal, and its memory.

    A child that was waited for before has the code 0.
    """
    try:
        if not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            os.kill(child, signal.SIGKILL)
        _, state, used = os.wait4(child, 0)
    except ChildProcessError:
        return 0, 0
    return os.waitstatus_to_exitcode(state), max(0, used.ru_maxrss * 1024 - status("VmRSS"))


def _without_report(child: int, in_time: bool, seconds: float) -> Outcome:
    """Return the outcome of a file on which the child did not report."""
    if in_time:  # the pipe is closed, so that it has left, or will at once
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    code, memory = _end(child)
    if not in_time:
        kind = f"over {SECONDS} s"
    elif code < 0:
        kind = signal.Signals(-code).name
    else:
        kind = f"exit code {code}"
    return Outcome(f"FAILED: {kind}", True, seconds, memory)


def _read_in_child(
    read: Callable[[Path], Any], refuses: tuple[type[Exception], ...], paths: Sequence[Path], pipe: int
) -> None:
    """Read files, report on each, and leave; never returns."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        faulthandler.disable()
        limit = status("VmSize") + ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        before = status("VmRSS")  # less than the parent's, because pages of files are not copied
        for path in paths:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
            began = time.monotonic()
            kind, failed = _tried(read, refuses, path)
            seconds, memory = time.monotonic() - began, max(0, status("VmHWM") - before)
            report = f"{failed:d} {seconds:.6f} {memory} {kind}".encode("ascii", "replace")
            os.write(pipe, report.replace(b"\n", b" ")[:_REPORT].ljust(_REPORT))
            if failed:
                break
        os._exit(0)
    finally:
        os._exit(71)


def _tried(read: Callable[[Path], Any], refuses: tuple[type[Exception], ...], path: Path) -> tuple[str, bool]:
    """Read a file; returns what happened, and whether it is a failure."""
    try:
        read(path)
        return "read", False
    except refuses as error:
        kind, text = getattr(error, "kind", type(error).__name__), str(error)
        if any(words in text for words in NO_MEMORY):
            return f"out of memory: refused: {kind}", True
        if "\n" in text or len(text) > 4000:
            return f"message of {len(text)} characters: refused: {kind}", True
        return f"refused: {kind}", False
    except BaseException as error:  # also what no reader should raise
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        where = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last is not None else ""
        return f"{type(error).__name__} in {where}", True


def status(name: str) -> int:
    """Return a size of this process in bytes, from ``/proc/self/status``."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
