"""What a run store holds: its runs, what is damaged in it, what killed processes left."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Any

from replicate.errors import CorruptRun, UnknownRun
from replicate.store.keys import versions
from replicate.store.store import EMBEDDINGS, Store

# A folder of any other name is no run: whoever gives a wrong --store must not lose what lies there.
_KEY = re.compile(r"[0-9a-f]{20}")
# As files.atomic_path names what it has not finished.
_TEMPORARY = re.compile(r"\.[0-9a-f]{20}\.safetensors\..+")
# Nobody writes one run or one file for so long.
_STALE_SECONDS = 3600


@dataclass(frozen=True)
class Entry:
    """One run of a store, without its test scores: whoever chooses among runs must not see them.

    Attributes:
        dev_f1: of the chosen epoch, in the context that the arm is selected in.
        size: bytes on disk.
        current: whether this version of the code, torch and torch_geometric trained it.
        damaged: what is wrong with its record; of such a run only key and size are known. Other files are not read.
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


def keys(store: Store) -> list[str]:
    """Names of all run folders, sorted."""
    return list(filter(_KEY.fullmatch, store.keys()))


def entries(store: Store) -> list[Entry]:
    """All runs, by corpus, arm, protocol, epochs and seed; damaged ones last."""
    found = [_entry(store, key) for key in keys(store)]
    return sorted(found, key=lambda e: (e.damaged is not None, e.corpus, e.arm, e.protocol, e.epochs, e.seed, e.key))


def find(store: Store, prefix: str) -> str:
    """The one key that begins with ``prefix``.

    Raises:
        UnknownRun: none does, or several do.
    """
    found = [key for key in keys(store) if key.startswith(prefix)]
    if not found:
        raise UnknownRun(f"no run in {store.root} has a key that begins with {prefix!r}: see `replicate runs list`")
    if len(found) > 1:
        some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise UnknownRun(f"{len(found)} runs in {store.root} begin with {prefix!r} ({some}): give more of the key")
    return found[0]


def teachers(store: Store, record: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Key and arm of a run's teachers, of the teachers' teachers and so on, and whether the store has their runs.

    A teacher of a teacher that has gone has an empty key.
    """

    def followed(arm: dict[str, Any], keys: list[str]) -> list[tuple[str, str, bool]]:
        found: list[tuple[str, str, bool]] = []
        arms = [*filter(None, [arm["teacher"]]), *arm.get("unimodal_teachers", ())]
        for teacher, key in zip(arms, [*keys, *[""] * len(arms)], strict=False):
            here: dict[str, Any] = {}
            with contextlib.suppress(CorruptRun):
                here = store.record(key) if key else {}
            found += [(key, teacher["name"], bool(here)), *followed(teacher, teacher_keys(here))]
        return found

    return followed(record["arm"], teacher_keys(record))


def teacher_keys(record: dict[str, Any]) -> list[str]:
    """Keys of a run's teachers, as its record has them."""
    # Records of earlier versions know of one teacher.
    return record.get("teacher_runs") or list(filter(None, [record.get("teacher_run")]))


def damage(store: Store, key: str) -> str | None:
    """What is wrong with a run's files, hashed one by one; None where they are as written."""
    try:
        store.get(key)
    except CorruptRun as error:
        return str(error)
    return None


def embedded(store: Store) -> list[str]:
    """Keys of the teachers whose embeddings the store keeps, whether their runs are there or not."""
    names = [path.stem for path in inside(store, EMBEDDINGS).glob("*.safetensors")]
    return sorted(name for name in names if _KEY.fullmatch(name))


def partial_files(store: Store, stale: bool = False) -> list[Path]:
    """What killed processes left half written; with ``stale``, only what no living one can still be writing."""
    found = [path for path in inside(store, EMBEDDINGS).glob(".*") if _TEMPORARY.fullmatch(path.name)]
    found += store.root.glob(".partial-*")
    return sorted(path for path in found if not stale or _age(path) > _STALE_SECONDS)


def unknown_folders(store: Store) -> list[str]:
    """Folders in the store that are no runs; nothing ever touches them."""
    return list(filterfalse(_KEY.fullmatch, store.keys()))


def inside(store: Store, name: str) -> Path:
    """A folder of the store; one that is a link leads out of it and counts as absent."""
    path = store.root / name
    return store.root / ".absent" if path.is_symlink() else path


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links are not followed."""
    parts = [path] if path.is_symlink() or not path.is_dir() else list(path.rglob("*"))
    total = 0
    for part in parts:
        with contextlib.suppress(OSError):  # it went meanwhile
            total += part.lstat().st_size if part.is_symlink() or part.is_file() else 0
    return total


def _entry(store: Store, key: str) -> Entry:
    bytes_ = size(store.root / key)
    try:
        record = store.record(key)
        return Entry(
            key,
            bytes_,
            record["arm"]["name"],
            record["protocol"]["name"],
            record["budget"]["epochs"],
            record["seed"],
            record["corpus"]["name"],
            record["device"],
            record["curve"][record["best_epoch"] - 1]["dev_f1"],
            record["seconds"],
            store.version_of(key) == versions(),
        )
    except CorruptRun as error:
        return Entry(key, bytes_, damaged=str(error))
    except (KeyError, IndexError, TypeError) as error:
        return Entry(key, bytes_, damaged=f"its record lacks something: {error}")


def _age(path: Path) -> float:
    """Seconds since a file or folder changed; 0 where it has gone meanwhile."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0
