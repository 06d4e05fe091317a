"""A store whose runs are also at an address that several machines use: S3, a web server, anything fsspec supports."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from replicate.errors import CannotWrite
from replicate.files import atomic_folder
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from replicate.store.run import Run
from replicate.store.store import Store

if TYPE_CHECKING:  # these import torch
    from replicate.corpus.types import Corpus
    from replicate.training.config import RunSpec
    from replicate.training.loop import RunResult

# Folders of other names at the address are not runs.
_KEY = re.compile(r"[0-9a-f]{20}")


class RemoteStore(Store):
    """Runs at an address, with a folder of this machine as a cache: downloaded when needed, uploaded when complete.

    The record is uploaded last, so that a run is at the address as a whole or not at all. There are no locks at the
    address: two machines that train the same run upload the same files.
    """

    def __init__(self, root: Path, address: str) -> None:
        super().__init__(root)
        self.address = address.rstrip("/")

    def get(self, key: str) -> Run | None:
        """Return the run with that key, downloaded if it is not in the cache; see ``Store.get``.

        Raises:
            CorruptRun: a file has changed since it was written. CannotWrite: the address cannot be reached.
        """
        if not (self.root / key).is_dir():
            self._fetch(key)
        return super().get(key)

    def probe(self) -> None:
        """Make sure that runs can be written, here and at the address.

        Raises:
            DiskFull, CannotWrite: runs cannot be written there.
        """
        super().probe()
        self._try(lambda files, base: (files.pipe_file(f"{base}/.probe", b"probe"), files.rm_file(f"{base}/.probe")))

    def missing(self, keys: Iterable[str], repair: bool = False, remove: bool = True) -> list[str]:
        """Return the runs that are neither in the cache nor at the address; see ``Store.missing``."""
        keys = list(keys)
        there = self._keys()
        for key in keys:
            if key in there and not (self.root / key).is_dir():
                self._fetch(key)
        return super().missing(keys, repair, remove)

    def keys(self) -> list[str]:
        """Return keys of the runs in the cache that are at the address; see ``Store.keys``."""
        there = self._keys()
        return list(filter(there.__contains__, super().keys()))

    def download(self) -> int:
        """Download all runs that are at the address and not yet in the cache; return their number.

        Raises:
            CannotWrite: the address cannot be reached.
        """
        keys = [key for key in sorted(self._keys()) if _KEY.fullmatch(key) and not (self.root / key).is_dir()]
        for key in keys:
            self._fetch(key)
        return len(keys)

    def remove(self, key: str) -> None:
        """Delete a run from the cache and from the address, from where a damaged one would be downloaded again."""
        super().remove(key)
        self._try(lambda files, base: files.exists(f"{base}/{key}") and files.rm(f"{base}/{key}", recursive=True))

    def put(
        self,
        key: str,
        spec: RunSpec,
        corpus: Corpus,
        device: str,
        result: RunResult,
        teacher_runs: Sequence[str] = (),
    ) -> None:
        """Write a completed run into the folder, all or nothing, then upload it."""
        super().put(key, spec, corpus, device, result, teacher_runs)

        def send(files: Any, base: str) -> None:
            files.makedirs(f"{base}/{key}", exist_ok=True)
            for name in (CHECKPOINT, PREDICTIONS):
                files.put_file(str(self.root / key / name), f"{base}/{key}/{name}")
            aside = f"{base}/{key}/.{RECORD}-{uuid.uuid4().hex}"
            files.put_file(str(self.root / key / RECORD), aside)
            files.mv(aside, f"{base}/{key}/{RECORD}")

        self._try(send)

    def _keys(self) -> set[str]:
        """Return keys of the runs that are completely at the address."""
        return self._try(lambda files, base: {path.split("/")[-2] for path in files.glob(f"{base}/*/{RECORD}")})

    def _fetch(self, key: str) -> None:
        def fetch(files: Any, base: str) -> None:
            if files.exists(f"{base}/{key}/{RECORD}"):
                with atomic_folder(self.root / key) as folder:
                    for name in (CHECKPOINT, PREDICTIONS, RECORD):
                        files.get_file(f"{base}/{key}/{name}", str(folder / name))

        self._try(fetch)

    def _try(self, action: Any) -> Any:
        try:
            files, base = fsspec.core.url_to_fs(self.address)
            files.invalidate_cache()
            files.makedirs(base, exist_ok=True)
            return action(files, base)
        except (OSError, ValueError, ImportError) as error:
            raise CannotWrite(f"cannot use {self.address}: {error}; give an address that fsspec knows") from error
