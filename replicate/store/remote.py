"""A store whose runs are also at an address that several machines use: S3, a web server, anything fsspec supports."""

from __future__ import annotations

import contextlib
import errno
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from replicate.errors import CannotWrite, CorruptRun
from replicate.files import atomic_folder, from_os_error
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from replicate.store.run import Run
from replicate.store.store import Store

if TYPE_CHECKING:  # these import torch
    from replicate.corpus.types import Corpus
    from replicate.training.config import RunSpec
    from replicate.training.loop import RunResult

# Folders of other names at the address are not runs.
_KEY = re.compile(r"[0-9a-f]{20}")
_FILES = {CHECKPOINT, PREDICTIONS, RECORD}


class RemoteStore(Store):
    """Runs at an address, with a folder of this machine as a cache: downloaded when needed, uploaded when complete.

    The record is uploaded last, and a run that lacks a file counts as absent: a run is at the address as a whole or not
    at all. There are no locks at the address: two machines that train the same run upload the same files.
    """

    def __init__(self, root: Path, address: str) -> None:
        super().__init__(root)
        self.address = address.rstrip("/")

    def get(self, key: str) -> Run | None:
        """Return the run with that key, downloaded if it is not in the cache; see ``Store.get``.

        Raises:
            CorruptRun: a file has changed since it was written. CannotWrite: the address cannot be reached.
        """
        if self._cached(key):
            return super().get(key)
        self._fetch(key)
        try:
            return super().get(key)
        except CorruptRun as error:  # the cache keeps no copy, so that the address can be repaired from anywhere
            super().remove(key)
            raise CorruptRun(str(error).replace(str(self.root / key), f"{self.address}/{key}")) from error

    def probe(self) -> None:
        """Make sure that runs can be written, here and at the address.

        Raises:
            DiskFull, CannotWrite: runs cannot be written there.
        """
        super().probe()

        def write(files: Any, base: str) -> None:
            path = f"{base}/.probe-{uuid.uuid4().hex}"
            _make_folder(files, base)
            files.pipe_file(path, b"probe")
            files.rm_file(path)

        self._try(write)

    def missing(self, keys: Iterable[str], repair: bool = False, remove: bool = True) -> list[str]:
        """Return the runs that are neither in the cache nor at the address; see ``Store.missing``.

        With ``remove=False`` nothing is downloaded either, so that damage at the address is not noticed.
        """
        keys, there = list(keys), self._keys()
        here = [key for key in keys if self._cached(key) or (remove and key in there)]
        absent = {*keys} - {*here} - there | {*super().missing(here, repair, remove)}
        return [key for key in keys if key in absent]

    def keys(self) -> list[str]:
        """Return keys of the runs in the cache that are at the address; see ``Store.keys``."""
        there = self._keys()
        return list(filter(there.__contains__, super().keys()))

    def download(self) -> int:
        """Download all runs that are at the address and not yet in the cache; return their number.

        Raises:
            CannotWrite: the address cannot be reached.
        """
        keys = [key for key in sorted(self._keys()) if _KEY.fullmatch(key) and not self._cached(key)]
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
        self._send(key)

    def upload(self, keys: Iterable[str]) -> None:
        """Upload runs in the cache that are not at the address, because a command was killed before it sent them.

        Raises:
            CannotWrite: the address cannot be written.
        """
        for key in sorted({*keys} - self._keys()):
            if super().get(key) is not None:
                self._send(key)

    def _cached(self, key: str) -> bool:
        return (self.root / key).is_dir()

    def _keys(self) -> set[str]:
        """Return keys of the runs that are completely at the address."""
        found: dict[str, set[str]] = defaultdict(set)
        for path in self._try(lambda files, base: files.glob(f"{base}/*/*")):
            folder, name = path.split("/")[-2:]
            found[folder].add(name)
        return {key for key, names in found.items() if names >= _FILES}

    def _send(self, key: str) -> None:
        def send(files: Any, base: str) -> None:
            _make_folder(files, f"{base}/{key}")
            for name in (CHECKPOINT, PREDICTIONS):
                files.put_file(str(self.root / key / name), f"{base}/{key}/{name}")
            aside = f"{base}/{key}/.{RECORD}-{uuid.uuid4().hex}"
            files.put_file(str(self.root / key / RECORD), aside)
            files.mv(aside, f"{base}/{key}/{RECORD}")

        self._try(send)

    def _fetch(self, key: str) -> None:
        """Download a run into the cache, unless it is not, or no longer, completely at the address."""

        def fetch(files: Any, base: str) -> None:
            for name in sorted(_FILES):
                files.get_file(f"{base}/{key}/{name}", str(folder / name))

        if not self._try(lambda files, base: all(files.exists(f"{base}/{key}/{name}") for name in sorted(_FILES))):
            return
        with atomic_folder(self.root / key) as folder:
            self._try(fetch)

    def _try(self, action: Any) -> Any:
        try:
            files, base = fsspec.core.url_to_fs(self.address)
            files.invalidate_cache()
            return action(files, base)
        except Exception as error:  # each file system has its own; that of S3 without credentials is no OSError
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise from_os_error(error, Path(error.filename or self.root)) from error
            reason = " ".join(str(error).split()) or type(error).__name__
            raise CannotWrite(f"cannot use {self.address}: {reason}; {_advice(error)}") from error


def _make_folder(files: Any, path: str) -> None:
    """Make a folder where the file system has folders; whether files can be written is seen when they are."""
    with contextlib.suppress(Exception):  # on S3 this makes the bucket, which a writer may not be allowed to
        files.makedirs(path, exist_ok=True)


def _advice(error: Exception) -> str:
    """Return what to do about an error, by the names that the libraries of the file systems give their classes."""
    kind = type(error).__name__
    if "Credential" in kind or "Token" in kind or "Auth" in kind:
        return "give the credentials, for S3 in ~/.aws or as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if "Endpoint" in kind or "Connect" in kind or "Timeout" in kind:
        return "check the network, and for S3 the endpoint in ~/.aws or AWS_ENDPOINT_URL"
    if isinstance(error, PermissionError):
        return "check what its credentials allow, or choose another address"
    if isinstance(error, ImportError):
        return "install what it names, or choose another address"
    return "give an address that fsspec knows"
