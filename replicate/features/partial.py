"""What was extracted so far, beside the file it will become: an interrupted extraction goes on from there."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.errors import CannotWrite, DiskFull
from replicate.features.source import Utterance


class Partial:
    """Vectors by key, in an SQLite file; what ``put`` was given is safe from then on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The vector of a key, (d,) float32, or None."""
        found = self._connection.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        return None if found is None else np.frombuffer(found[0], np.float32)

    def put(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep vectors, all or none of them."""
        with self._connection:
            rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items()]
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


def place(out: Path) -> Path:
    """Where the vectors of an unfinished ``out`` are."""
    return out.with_name(f"{out.name}.partial")


@contextmanager
def opened(out: Path) -> Iterator[Partial]:
    """The unfinished vectors of ``out``, none at first.

    Raises:
        CannotWrite, DiskFull: the file beside ``out`` is none of ours, or cannot be written.
    """
    path = place(out)
    connection = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
        yield Partial(connection)
    except sqlite3.Error as error:
        if "full" in str(error):
            raise DiskFull(f"no room left on the disk while writing {path}: free some space, then go on") from error
        raise CannotWrite(
            f"{path} cannot hold what was extracted ({error}): remove it, or choose another --out"
        ) from error
    finally:
        if connection is not None:
            connection.close()


def key(utterance: Utterance, recipe: Mapping[str, Any]) -> str:
    """What decides a vector: the extractor, the file as it is now, and which part of it."""
    stat = utterance.path.stat()
    parts = [str(utterance.path.resolve()), stat.st_size, stat.st_mtime_ns, utterance.start, utterance.stop, recipe]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
