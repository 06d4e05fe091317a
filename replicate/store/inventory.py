"""What is in a run store: runs, damaged folders, and incomplete files of killed processes."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path

from replicate.errors import CorruptRun, NewerFormat, OtherFormat, UnknownRun
from replicate.files import INCOMPLETE
from replicate.records import format_number
from replicate.store.record import RunRecord, load_json
from replicate.store.settings_records import ArmRecord
from replicate.store.store import EMBEDDINGS, Store
from replicate.store.versions import FORMAT, other_versions

# Only folders with such a name are runs, so that a wrong --store never removes other files.
_KEY = re.compile(r"[0-9a-f]{20}")
# The names that files.atomic_path gives to files that it is still writing.
_TEMPORARY = re.compile(r"\.[0-9a-f]{20}\.safetensors\..+")
# Writing one run or one file never takes so long.
_STALE_SECONDS = 3600
# The format of a run whose record was written by another version.
OLD, NEWER = "old format", "newer format"


@dataclass(frozen=True)
class Entry:
    """One run of a store, without its test scores, so that no run is selected by them.

    Attributes:
        dev_f1: weighted F1 on dev at the best epoch, in the arm's ``select`` context.
        size: bytes on disk.
        current: whether this version of the code, torch and torch_geometric trained it.
        damaged: what is wrong with its record. The run's other files are not read.
        other_format: ``OLD`` or ``NEWER`` if this version cannot read the record. Only key and size are known of such a
            run, and of a damaged one.
    """

    key: str
    size: int
    arm: str = ""
    protocol: str = ""
    epochs: int = 0
    seed: int = 0
    corpus: str = ""
    device: str = ""
    dev_f1: float = 0.0
    seconds: float = 0.0
    current: bool = False
    damaged: str | None = None
    other_format: str | None = None


def keys(store: Store) -> list[str]:
    """Return the names of all run folders, sorted."""
    return list(filter(_KEY.fullmatch, store.keys()))


def entries(store: Store) -> list[Entry]:
    """Return all runs, sorted by corpus, arm, protocol, epochs and seed; unreadable ones last."""

    def order(e: Entry) -> tuple[object, ...]:
        return (e.damaged is not None, e.other_format or "", e.corpus, e.arm, e.protocol, e.epochs, e.seed, e.key)

    return sorted((_entry(store, key) for key in keys(store)), key=order)


def find(store: Store, prefix: str) -> str:
    """Return the only key that begins with ``prefix``.

    Raises:
        UnknownRun: no key begins with it, or several do.
    """
    found = [key for key in keys(store) if key.startswith(prefix)]
    if not found:
        raise UnknownRun(f"no run in {store.root} has a key that begins with {prefix!r}: see `replicate runs list`")
    if len(found) > 1:
        some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise UnknownRun(f"{len(found)} runs in {store.root} begin with {prefix!r} ({some}): give more of the key")
    return found[0]


@dataclass(frozen=True)
class TeacherRun:
    """A teacher of a run, direct or not.

    Attributes:
        key: key of its run; empty if it is the teacher of a teacher whose record is missing.
        present: whether the store has the run.
    """

    key: str
    arm: str
    present: bool


def teachers(store: Store, record: RunRecord) -> list[TeacherRun]:
    """Return a run's teachers, the teachers' teachers, and so on; a run of another arm is no teacher."""

    @functools.cache  # a record may name one teacher any number of times
    def read(key: str) -> RunRecord | None:
        with contextlib.suppress(CorruptRun, OtherFormat):
            return store.record(key) if key else None
        return None

    def follow(arm: ArmRecord, keys: Sequence[str]) -> list[TeacherRun]:
        found: list[TeacherRun] = []
        for teacher, key in zip(arm.teachers, keys or [""] * len(arm.teachers), strict=True):
            own = read(key)
            present = own is not None and own.arm == teacher
            found.append(TeacherRun(key, teacher.name, present))
            found += follow(teacher, own.teacher_runs if own is not None and present else ())
        return found

    return follow(record.arm, record.teacher_runs)


def damage(store: Store, key: str) -> str | None:
    """Hash every file of a run and return what is wrong; None if nothing is, or if the run has another format."""
    try:
        store.get(key)
    except CorruptRun as error:
        return str(error)
    except OtherFormat:
        pass
    return None


def of_other_format(store: Store, key: str) -> str | None:
    """Return ``OLD`` or ``NEWER`` for a run whose record this version cannot read, None for every other run."""
    try:
        # Only records with another number are read as a whole.
        if format_number(load_json(store.root / key)) != FORMAT:
            store.record(key)
    except OtherFormat as error:
        return NEWER if isinstance(error, NewerFormat) else OLD
    except (CorruptRun, ValueError):
        pass
    return None


def embedded(store: Store) -> list[str]:
    """Return keys of the teachers whose outputs are in the store, with or without their runs."""
    names = [path.stem for path in inside(store, EMBEDDINGS).glob("*.safetensors")]
    return sorted(name for name in names if _KEY.fullmatch(name))


def incomplete_files(store: Store, stale: bool = False) -> list[Path]:
    """Return files and folders that killed processes left incomplete; with ``stale``, those older than an hour."""
    found = [path for path in inside(store, EMBEDDINGS).glob(".*") if _TEMPORARY.fullmatch(path.name)]
    found += store.root.glob(f"{INCOMPLETE}*")
    return sorted(path for path in found if not stale or _age(path) > _STALE_SECONDS)


def unknown_folders(store: Store) -> list[str]:
    """Return folders in the store that are not runs; they are never changed or removed."""
    return list(filterfalse(_KEY.fullmatch, store.keys()))


def inside(store: Store, name: str) -> Path:
    """Return the path of a folder in the store; a link counts as missing, because it leads out of the store."""
    path = store.root / name
    return store.root / ".absent" if path.is_symlink() else path


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        paths = [path]
    else:
        # Not rglob, which takes several times as long where there are thousands of runs.
        paths = [Path(folder, name) for folder, inner, files in os.walk(path) for name in (*files, *inner)]
    total = 0
    for each in paths:
        with contextlib.suppress(OSError):  # removed meanwhile
            status = each.lstat()
            total += 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return total


def _entry(store: Store, key: str) -> Entry:
    bytes_ = size(store.root / key)
    try:
        record = store.record(key)
    except CorruptRun as error:
        return Entry(key, bytes_, damaged=str(error))
    except OtherFormat as error:
        return Entry(key, bytes_, other_format=NEWER if isinstance(error, NewerFormat) else OLD)
    return Entry(
        key,
        bytes_,
        record.arm.name,
        record.protocol.name,
        len(record.curve),
        record.seed,
        record.corpus.name,
        record.device,
        record.best.dev_f1,
        record.seconds,
        not other_versions(record.versions),
    )


def _age(path: Path) -> float:
    """Return the seconds since a file or folder changed; 0 if it was removed meanwhile."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0
