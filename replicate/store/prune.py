"""What may go from a run store, and how it goes: under a lock, as a whole, never from outside the store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from replicate.store.inventory import damage, embedded, inside, keys, partial_files, size
from replicate.store.keys import versions
from replicate.store.store import EMBEDDINGS, LOCKS, Store

_LOCK = re.compile(r"[0-9a-f]{20}(-embeddings)?")


@dataclass(frozen=True)
class Removal:
    """One thing that may go, and why.

    Attributes:
        path: below the store; of a run, its key.
        size: bytes.
    """

    kind: Literal["run", "embeddings", "leftover", "lock"]
    path: str
    why: str
    size: int


def plan(store: Store, damaged: bool = False, named: Collection[str] | None = None) -> list[Removal]:
    """What may go: runs of other versions, and what belongs to no run.

    Args:
        damaged: runs with a damaged file, too; every file is hashed.
        named: runs that are used; where given, those that are not among them go, too. Not while a process works in
            the store: they may be the first of what it trains.
    """
    held = locked(store)
    going = []
    for key in keys(store):
        why = _why(store, key, damaged, None if held else named)
        if why is not None:
            going.append(Removal("run", key, why, size(store.root / key)))
    staying = set(keys(store)) - {removal.path for removal in going}

    def add(kind: Literal["embeddings", "leftover", "lock"], path: Path, why: str) -> None:
        going.append(Removal(kind, str(path.relative_to(store.root)), why, size(path)))

    for key in embedded(store):
        if key not in staying:
            add("embeddings", store.root / EMBEDDINGS / f"{key}.safetensors", "embeddings without a run")
    for path in partial_files(store, stale=True):
        add("leftover", path, "left by a killed process")
    for path in _locks(store):
        if path.name not in held:
            add("lock", path, "nobody holds it")
    return going


def locked(store: Store) -> set[str]:
    """Names of the locks that some process holds right now."""
    held = set()
    for path in _locks(store):
        with store.lock(path.name, wait=False) as ours:
            if not ours:
                held.add(path.name)
    return held


def remove(store: Store, removal: Removal) -> bool:
    """Whether it went; what a process has locked stays."""
    path = store.root / removal.path
    if removal.kind == "leftover":
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        return True
    key = path.stem if removal.kind == "embeddings" else path.name
    names = [key] if removal.kind == "lock" else [key, f"{key}-embeddings"]
    with ExitStack() as stack:
        if not all(stack.enter_context(store.lock(name, wait=False)) for name in names):
            return False
        if removal.kind == "run":
            store.remove(key)
        else:
            path.unlink(missing_ok=True)
        # Under its own lock: a process that waits for it notices that the file has gone, and makes a new one.
        for name in names:
            (inside(store, LOCKS) / name).unlink(missing_ok=True)
    return True


def _why(store: Store, key: str, damaged: bool, named: Collection[str] | None) -> str | None:
    """Why a run may go, None where it stays."""
    if damaged and damage(store, key) is not None:
        return "damaged"
    version = store.version_of(key)
    if version is not None and version != versions():
        differs = [f"{name} {value}" for name, value in version.items() if value != versions()[name]]
        return f"of another version: {', '.join(differs)}"
    if named is not None and key not in named:
        return "no results name it"
    return None


def _locks(store: Store) -> list[Path]:
    return sorted(path for path in inside(store, LOCKS).glob("*") if _LOCK.fullmatch(path.name))
