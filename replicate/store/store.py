"""The run store: one folder per run, named by a hash of everything that decides the run's numbers."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from replicate.errors import CorruptRun
from replicate.files import INCOMPLETE, atomic_folder, from_os_error, sha256
from replicate.limits import shown
from replicate.store import embeddings, locks
from replicate.store.record import CHECKPOINT, PREDICTIONS, RunRecord, corrupt, load_json
from replicate.store.run import Run

if TYPE_CHECKING:  # these import torch, which commands that only look at runs do without
    from replicate.corpus.types import Corpus
    from replicate.training.config import RunSpec
    from replicate.training.distillation.base import TeacherOutputs
    from replicate.training.loop import RunResult

EMBEDDINGS, LOCKS = "embeddings", ".locks"


class Store:
    """Completed runs in one folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._hashes: dict[tuple[str, int, int, int], str] = {}

    def probe(self) -> None:
        """Make sure that runs can be written, before hours are spent on training one.

        Raises:
            DiskFull, CannotWrite: runs cannot be written there.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise from_os_error(error, self.root) from error

    def get(self, key: str) -> Run | None:
        """Return the run with that key, after checking every file against its hash; None if the store lacks it.

        Raises:
            CorruptRun: a file is missing or has changed. OldFormat, NewerFormat: another version wrote the record.
        """
        folder = self.root / key
        if not folder.is_dir():
            return None
        record = self.record(key)
        try:
            for name in (CHECKPOINT, PREDICTIONS):
                if self._sha256(folder / name) != record.files.get(name):
                    raise corrupt(folder, f"{name} has changed since it was written")
        except OSError as error:
            raise corrupt(folder, str(error)) from error
        return Run(folder, record)

    def need(self, key: str, name: str) -> Run:
        """Return a run that must be in the store; ``name`` describes it in messages.

        Raises:
            CorruptRun: it is damaged or missing.
        """
        run = self.get(key)
        if run is None:
            raise CorruptRun(f"the run of {name} is no longer in {self.root}: run the same command again")
        return run

    def _sha256(self, path: Path) -> str:
        """Return the hash of a file, cached until the file changes, because checkpoints are large and read often."""
        status = path.stat()
        state = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        if state not in self._hashes:
            self._hashes[state] = sha256(path)
        return self._hashes[state]

    def record(self, key: str) -> RunRecord:
        """Return the record of a run, checked against its own hash; the run's other files are not read.

        Raises:
            CorruptRun: it is missing, has changed, or is the record of another key. OldFormat, NewerFormat: another
            version wrote it.
        """
        record = RunRecord.load(self.root / key)
        if record.key != key:
            raise corrupt(self.root / key, f"it is the run {record.key}, copied under another name")
        return record

    def missing(self, keys: Iterable[str], repair: bool = False, remove: bool = True) -> list[str]:
        """Return the runs that the store lacks; with ``repair``, damaged ones are removed and returned, too.

        With ``remove=False`` damaged runs are returned but not removed, for a dry run.

        Raises:
            CorruptRun: naming every damaged folder, without ``repair``.
        """
        absent: list[str] = []
        damaged: dict[str, str] = {}
        for key in keys:
            try:
                if self.get(key) is None:
                    absent.append(key)
            except CorruptRun as error:
                damaged[key] = str(error)
                if repair:
                    absent.append(key)
                    if remove:
                        self.remove(key)
        if damaged and not repair:
            first, *others = damaged
            raise CorruptRun(damaged[first] + (f"; also damaged: {', '.join(others)}" if others else ""))
        return absent

    def upload(self, keys: Iterable[str]) -> None:
        """Send runs to where others look for them; those in a folder are there already."""

    def keys(self) -> list[str]:
        """Return keys of all run folders, complete or damaged, of any version; sorted."""
        folders = [path.name for path in self.root.glob("[!.]*") if path.is_dir()]
        return sorted(name for name in folders if name != EMBEDDINGS)

    def version_of(self, key: str) -> dict[str, str] | None:
        """Return the versions that a run was trained with, whatever its format; None if its record cannot be read."""
        try:
            found = load_json(self.root / key)["versions"].items()
            return {name: version if isinstance(version, str) else shown(version) for name, version in found}
        except (CorruptRun, KeyError, AttributeError):
            return None

    def remove(self, key: str) -> None:
        """Delete a run and its embeddings. The folder is renamed first, so that no half of it is ever in the store."""
        try:
            with tempfile.TemporaryDirectory(dir=self.root, prefix=INCOMPLETE) as aside:
                with contextlib.suppress(FileNotFoundError):
                    (self.root / key).rename(Path(aside) / key)
                if not (self.root / EMBEDDINGS).is_symlink():  # a link leads out of the store
                    (self.root / EMBEDDINGS / f"{key}.safetensors").unlink(missing_ok=True)
        except OSError as error:
            raise from_os_error(error, self.root / key) from error

    @contextmanager
    def lock(self, key: str, wait: bool) -> Iterator[bool]:
        """Lock a key inside the block; yield whether this process holds the lock. With ``wait``, wait until it does.

        The lock of a process that is gone is free, or is taken over; see ``replicate.store.locks``.
        """
        folder = self.root / LOCKS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = locks.hold(folder / key, wait, f"the lock of {key} in {self.root}")
            ours = held.__enter__()
        except OSError as error:
            raise from_os_error(error, folder) from error
        with contextlib.ExitStack() as stack:
            stack.push(held)
            yield ours

    def lock_owner(self, key: str) -> locks.Owner | None:
        """Return which process holds the lock of a key, None if that is unknown, or if nobody does."""
        return locks.owner_of(self.root / LOCKS / key)

    def teacher_outputs(self, key: str, compute: Callable[[], TeacherOutputs]) -> TeacherOutputs:
        """Return outputs of a run as a teacher, computed for its first student and read from a file after that."""
        path = self.root / EMBEDDINGS / f"{key}.safetensors"
        with self.lock(f"{key}-embeddings", wait=True):
            found = embeddings.read(path)
            if found is None:
                found = compute()
                embeddings.write(path, found)
        return found

    def embeddings_intact(self, key: str) -> bool:
        """Return whether a teacher's outputs are on disk and undamaged; if not, they are computed again when needed."""
        return embeddings.intact(self.root / EMBEDDINGS / f"{key}.safetensors")

    def put(
        self,
        key: str,
        spec: RunSpec,
        corpus: Corpus,
        device: str,
        result: RunResult,
        teacher_runs: Sequence[str] = (),
    ) -> None:
        """Write a completed run, all or nothing; ``teacher_runs`` are the keys of its teachers' runs, in their order.

        Raises:
            DiskFull, CannotWrite: naming the folder.
        """
        from replicate.store import saving

        with atomic_folder(self.root / key) as folder:
            saving.write(folder, key, spec, corpus, device, result, teacher_runs)
