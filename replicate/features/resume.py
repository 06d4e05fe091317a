"""Feature vectors that are saved while an extraction runs, so that an interrupted one resumes where it stopped.

They are kept in an SQLite file next to the corpus file that the extraction will write.
"""

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


class SavedVectors:
    """Vectors by key; each ``put`` is on disk when it returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")

    def get(self, key: str) -> NDArray[np.float32] | None:
        """Return the vector of a key, (d,) float32, or None if there is none."""
        found = self._connection.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        return None if found is None else np.frombuffer(found[0], np.float32)

    def put(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Save vectors by their keys, all of them or none."""
        with self._connection:
            rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items()]
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


def vectors_path(out: Path) -> Path:
    """Return the path of the vectors that an extraction to ``out`` has saved."""
    return out.with_name(f"{out.name}.vectors")


@contextmanager
def open_vectors(out: Path) -> Iterator[SavedVectors]:
    """Open the vectors that an earlier extraction to ``out`` saved; there are none at first.

    Raises:
        CannotWrite, DiskFull: the file next to ``out`` was not written by this module, or cannot be written.
    """
    path = vectors_path(out)
    connection = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
        yield SavedVectors(connection)
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
    """Return a hash of everything that decides a vector: extractor settings, state of the recording, start, stop
    and channel."""
    stat = utterance.path.stat()
    decides = [str(utterance.path.resolve()), stat.st_size, stat.st_mtime_ns, utterance.start, utterance.stop, recipe]
    if utterance.channel is not None:
        decides.append(utterance.channel)
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
