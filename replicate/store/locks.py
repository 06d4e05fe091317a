"""Locks of runs: the operating system's, each with a file that names the process that holds it.

The system frees the lock of a process that died, but not where the process was on another machine, whose file server
may keep the lock, and not on file systems that have no locks. There the process decides by what is known of the owner:
one of this machine is gone if its process is, and one of another machine after ``PRESUMED_DEAD`` seconds without a sign
of life, the time of its file. If it was alive after all, a run is trained twice: to the same bytes; the first stay.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from replicate import escape
from replicate.files import write_text
from replicate.records import convert, read_json

log = logging.getLogger("replicate")

# Seconds between two signs of life of an owner, and without any until another machine takes its lock.
HEARTBEAT, PRESUMED_DEAD = 15.0, 300.0
# Seconds between two looks at a lock that is waited for.
_PATIENCE = 1.0


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    Attributes:
        machine: on Linux, the running system and its process namespace, within which process ids can be compared; empty
            elsewhere.
        started: when the process started, in the system's own unit; empty where it is unknown.
        since: when it got the lock, in its local time.
    """

    host: str
    machine: str
    process: int
    started: str
    since: str

    def __post_init__(self) -> None:
        if not 0 < self.process < 1 << 31:
            raise ValueError("no number of a process")

    def __str__(self) -> str:
        return escape.line(f"process {self.process} on {self.host[:80]}, since {self.since[:30]}")

    @classmethod
    def here(cls) -> Owner:
        """Return this process as an owner from now on."""
        process = os.getpid()
        return cls(socket.gethostname(), _machine(), process, _started(process), time.strftime("%Y-%m-%d %H:%M:%S"))


def owner_of(path: Path) -> Owner | None:
    """Return who holds a lock or held it last, None if that is unknown."""
    try:
        return convert(read_json(_owner_file(path)), Owner)
    except (OSError, ValueError):
        return None


@contextmanager
def hold(path: Path, wait: bool, what: str) -> Iterator[bool]:
    """Hold a lock inside the block; yield whether this process holds it. With ``wait``, wait until it does.

    ``what`` names it in messages.

    Raises:
        OSError: the file of the lock cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    told: list[Owner | None] = []
    while True:
        try:
            lock.acquire(timeout=_PATIENCE if told else 0)
            break
        except Timeout:
            owner = owner_of(path)
            if _is_gone(path, owner, type(lock) is not FileLock) and _take_over(path, owner):
                log.warning("warning: %s was held by %s, which is gone: taken over", what, owner or "another process")
                continue
            if not wait:
                yield False
                return
            if owner not in told:
                log.warning("waiting for %s, held by %s", what, owner or "another process")
                told.append(owner)
    try:
        with _owned(path):
            yield True
    finally:
        lock.release()


@contextmanager
def _owned(path: Path) -> Iterator[None]:
    """Name this process as the owner of a lock, and show inside the block that it is alive."""
    file = _owner_file(path)
    try:
        write_text(file, json.dumps(asdict(Owner.here())))
        descriptor = os.open(file, os.O_WRONLY)
    except Exception:  # on a full disk, where `runs prune` must have its locks: others then see no name
        yield
        return
    ended = threading.Event()
    # The descriptor and not the path, which may be another process's by then.
    touched: int | Path = descriptor if os.utime in os.supports_fd else file

    def beat() -> None:
        while not ended.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                os.utime(touched)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            if file.stat().st_ino == os.fstat(descriptor).st_ino:
                file.unlink()
        os.close(descriptor)


def _owner_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.owner")


def _is_gone(path: Path, owner: Owner | None, soft: bool) -> bool:
    """Return whether the owner of a held lock is gone; ``soft``: the lock is a file, not the system's."""
    if owner is None:
        # A system's lock without a name is that of an earlier version; it showed no signs of life.
        return soft and _age(path) > PRESUMED_DEAD
    if owner.machine and owner.machine == _machine():
        return not (_exists(owner.process) and _started(owner.process) == owner.started)
    return _age(_owner_file(path)) > PRESUMED_DEAD


def _take_over(path: Path, owner: Owner | None) -> bool:
    """Remove the lock of an owner that is gone; return False if another process was faster."""
    file = _owner_file(path)
    if owner is not None:
        # Renaming decides between two processes that do the same; what was renamed may be a new owner's by then.
        aside = path.parent / f".{file.name}-{uuid.uuid4().hex}"
        try:
            file.rename(aside)
        except OSError:
            return False
        try:
            if read_json(aside) != asdict(owner):
                os.link(aside, file)
                return False
        except (OSError, ValueError):
            return False
        finally:
            aside.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return True


def _age(file: Path) -> float:
    """Return the seconds since a file was touched, by the clock of its file system: clocks of machines differ."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".clock-") as now:
            return Path(now.name).stat().st_mtime - file.stat().st_mtime
    except OSError:
        return 0.0


@functools.cache
def _machine() -> str:
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _started(process: int) -> str:
    """Return when a process started, in ticks since the system did; process ids are used again."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]  # one that has ended and waits for its parent holds nothing
