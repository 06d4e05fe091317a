"""Find what can be removed from a run store, and remove it: under a lock, as a whole, and never outside the store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from replicate.store.inventory import (
    NEWER,
    OLD,
    damage,
    embedded,
    incomplete_files,
    inside,
    keys,
    of_other_format,
    size,
)
from replicate.store.store import EMBEDDINGS, LOCKS, Store
from replicate.store.versions import in_words, other_versions, shared

_LOCK = re.compile(r"[0-9a-f]{20}(-embeddings)?")


@dataclass(frozen=True)
class Removal:
    """A file or folder that can be removed, and why.

    Attributes:
        path: relative to the store; for a run, its key.
        size: bytes.
    """

    kind: Literal["run", "embeddings", "incomplete", "lock"]
    path: str
    why: str
    size: int


def plan(store: Store, damaged: bool = False, named: Collection[str] | None = None) -> list[Removal]:
    """Return what can be removed: runs of other versions and of the old format, and files that belong to no run.

    Args:
        damaged: also list runs with a damaged file; every file is hashed.
        named: keys of the runs that results use. If given, all other runs are listed, too, unless a process holds a
            lock in the store: it may be training for results that are not written yet.
    """
    held = locked(store)
    going = []
    for key in keys(store):
        why = _why(store, key, damaged, None if held else named)
        if why is not None:
            going.append(Removal("run", key, why, size(store.root / key)))
    staying = set(keys(store)) - {removal.path for removal in going}

    def add(kind: Literal["embeddings", "incomplete", "lock"], path: Path, why: str) -> None:
        going.append(Removal(kind, str(path.relative_to(store.root)), why, size(path)))

    for key in embedded(store):
        if key not in staying:
            add("embeddings", store.root / EMBEDDINGS / f"{key}.safetensors", "embeddings without a run")
    for path in incomplete_files(store, stale=True):
        add("incomplete", path, "incomplete, of a killed process")
    for path in _locks(store):
        if path.name not in held:
            add("lock", path, "not held")
    return going


@dataclass(frozen=True)
class Outdated:
    """Runs that are removed by default.

    Attributes:
        old: how many are in an old format.
        others: how many others are of another version.
        differences: what differs between these and this version, in words.
    """

    old: int
    others: int
    differences: tuple[str, ...]


def outdated(store: Store) -> Outdated:
    """Count the runs that ``plan`` lists by default."""
    of_format = {key: of_other_format(store, key) for key in keys(store)}
    differ = [
        found for key, other in of_format.items() if other is None and (found := other_versions(_versions(store, key)))
    ]
    names = dict.fromkeys(in_words(name) for found in differ for name in found)
    return Outdated(sum(other == OLD for other in of_format.values()), len(differ), tuple(names))


def locked(store: Store) -> set[str]:
    """Return the names of the locks that processes hold at this moment."""
    held = set()
    for path in _locks(store):
        with store.lock(path.name, wait=False) as ours:
            if not ours:
                held.add(path.name)
    return held


def remove(store: Store, removal: Removal) -> bool:
    """Remove a file or folder, unless a process has locked it; return whether it was removed."""
    path = store.root / removal.path
    if removal.kind == "incomplete":
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
        # A lock file is removed while held: a process that waits for it notices that the file is missing, and makes a
        # new one.
        for name in names:
            (inside(store, LOCKS) / name).unlink(missing_ok=True)
    return True


def _why(store: Store, key: str, damaged: bool, named: Collection[str] | None) -> str | None:
    """Return why a run can be removed, or None if it must be kept."""
    other = of_other_format(store, key)
    if other is not None:
        return None if other == NEWER else other
    if damaged and damage(store, key) is not None:
        return "damaged"
    differ = other_versions(_versions(store, key))
    if differ:
        return f"of another version: {', '.join(f'{in_words(name)} {version}' for name, version in differ.items())}"
    if named is not None and key not in named:
        return "not used by any results"
    return None


def _versions(store: Store, key: str) -> dict[str, str]:
    """Return the versions that a run was trained with; those of today if its record is damaged."""
    return store.version_of(key) or shared()


def _locks(store: Store) -> list[Path]:
    return sorted(path for path in inside(store, LOCKS).glob("*") if _LOCK.fullmatch(path.name))
