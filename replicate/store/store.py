"""The run store: one folder per run, named by a hash of everything that decides the run's numbers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

import replicate
from replicate.corpus.types import SPLITS, Corpus
from replicate.errors import CorruptRun
from replicate.files import atomic_folder, atomic_path, from_os_error, sha256
from replicate.store.keys import run_key, versions
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, Run, corrupt
from replicate.training.config import RunSpec
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from replicate.training.loop import RunResult
from replicate.training.released_order import apply_feature_order

EMBEDDINGS, LOCKS = "embeddings", ".locks"


class Store:
    """Finished runs under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._hashes: dict[tuple[str, int, int, int], str] = {}

    def probe(self) -> None:
        """Make sure that runs can be written, before hours are spent on one.

        Raises:
            DiskFull, CannotWrite: they cannot.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise from_os_error(error, self.root) from error

    def get(self, key: str) -> Run | None:
        """The run of that key with every file's hash checked, or None where it was never finished.

        Raises:
            CorruptRun: its folder is there, but not as it was written.
        """
        folder = self.root / key
        if not folder.is_dir():
            return None
        record = self.record(key)
        try:
            for name in (CHECKPOINT, PREDICTIONS):
                if self._sha256(folder / name) != record["files"][name]:
                    raise corrupt(folder, f"{name} has changed since it was written")
        except (OSError, KeyError, TypeError) as error:
            raise corrupt(folder, str(error)) from error
        return Run(folder, record)

    def need(self, key: str, name: str) -> Run:
        """A run that must be there; ``name`` is what the reader knows it by.

        Raises:
            CorruptRun: it is damaged or not there.
        """
        run = self.get(key)
        if run is None:
            raise CorruptRun(f"the run of {name} has gone from {self.root}: run the same command again")
        return run

    def _sha256(self, path: Path) -> str:
        """Hash of a file, remembered for as long as nobody writes to it: checkpoints are large, and asked for often."""
        status = path.stat()
        state = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        if state not in self._hashes:
            self._hashes[state] = sha256(path)
        return self._hashes[state]

    def record(self, key: str) -> dict[str, Any]:
        """Content of a run's ``run.json``, checked against its own hash; the run's other files are not read.

        Raises:
            CorruptRun: it is not there, or not as it was written.
        """
        folder = self.root / key
        try:
            record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if record["sha256"] != _digest(record) or record["key"] != key:
                raise corrupt(folder, f"{RECORD} has changed since it was written")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise corrupt(folder, str(error)) from error
        return record

    def missing(self, keys: Iterable[str], repair: bool = False, remove: bool = True) -> list[str]:
        """The runs that are still to be trained; with ``repair``, damaged ones are among them, and removed.

        Without ``remove`` nothing is, for those who only ask.

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

    def keys(self) -> list[str]:
        """Keys of all run folders, complete or damaged, whatever version wrote them; sorted."""
        folders = [path.name for path in self.root.glob("[!.]*") if path.is_dir()]
        return sorted(name for name in folders if name != EMBEDDINGS)

    def of_other_versions(self) -> int:
        """How many run folders were written by another version of the code, torch or torch_geometric."""
        return sum(self.version_of(key) not in (None, versions()) for key in self.keys())

    def version_of(self, key: str) -> dict[str, str] | None:
        """What a run was trained with, None where its record cannot be read."""
        try:
            found = json.loads((self.root / key / RECORD).read_text(encoding="utf-8"))["versions"]
            return {name: str(found.get(name)) for name in versions()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remove(self, key: str) -> None:
        """Delete a run and what was computed from it; moved aside first, so that it is there as a whole or gone."""
        try:
            with tempfile.TemporaryDirectory(dir=self.root, prefix=".partial-") as aside:
                with contextlib.suppress(FileNotFoundError):
                    (self.root / key).rename(Path(aside) / key)
                if not (self.root / EMBEDDINGS).is_symlink():  # a link leads out of the store
                    (self.root / EMBEDDINGS / f"{key}.safetensors").unlink(missing_ok=True)
        except OSError as error:
            raise from_os_error(error, self.root / key) from error

    @contextmanager
    def lock(self, key: str, wait: bool) -> Iterator[bool]:
        """Whether this process alone now works on the key; with ``wait``, after as long as it takes.

        The operating system frees the lock of a process that died.
        """
        from filelock import FileLock, Timeout

        folder = self.root / LOCKS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / key)
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise from_os_error(error, folder) from error
        try:
            yield True
        finally:
            lock.release()

    def teacher_outputs(self, key: str, compute: Callable[[], TeacherOutputs]) -> TeacherOutputs:
        """What a stored run says as a teacher, computed for the first student alone."""
        path = self.root / EMBEDDINGS / f"{key}.safetensors"
        with self.lock(f"{key}-embeddings", wait=True):
            found = _read_taught(path)
            if found is None:
                found = compute()
                tensors = {
                    f"{split}/{field}": getattr(getattr(found, split), field).cpu().contiguous()
                    for split in ("train", "dev")
                    for field in UtteranceOutputs._fields
                }
                with atomic_path(path) as temporary:
                    # One entry: safetensors writes several in any order, and the same run is to give the same bytes.
                    about = json.dumps([_tensor_hash(tensors, found.origin), found.origin])
                    temporary.write_bytes(save(tensors, {"about": about}))
        return found

    def embeddings_intact(self, key: str) -> bool:
        """Whether the embeddings of a run are stored as they were written; others are computed again when needed."""
        return _read_taught(self.root / EMBEDDINGS / f"{key}.safetensors") is not None

    def put(self, key: str, spec: RunSpec, corpus: Corpus, device: str, result: RunResult) -> None:
        """Write a finished run, all or nothing."""
        with atomic_folder(self.root / key) as folder:
            scale = {
                f"scale/{name}/{part}": torch.from_numpy(getattr(s, part))
                for name, s in result.scaling.items()
                for part in ("mean", "deviation")
            }
            # Not save_file: a full disk must be an OSError, and safetensors has its own class for it.
            checkpoint = save({name: t.contiguous() for name, t in (result.weights | scale).items()})
            (folder / CHECKPOINT).write_bytes(checkpoint)
            np.savez_compressed(folder / PREDICTIONS, **_predictions(spec, corpus, result))  # type: ignore[arg-type]
            record = _record(key, spec, corpus, device, result)
            record["files"] = {name: sha256(folder / name) for name in (CHECKPOINT, PREDICTIONS)}
            record["sha256"] = _digest(record)
            (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _record(key: str, spec: RunSpec, corpus: Corpus, device: str, result: RunResult) -> dict[str, Any]:
    return {
        "key": key,
        **asdict(spec),
        "teacher_runs": [run_key(teacher, corpus, device) for teacher in spec.teachers],
        "streams": list(result.scaling),
        "model": asdict(result.model),
        "best_epoch": result.best_epoch,
        "curve": [asdict(epoch) for epoch in result.curve],
        "corpus": {
            "name": corpus.name,
            "hash": corpus.hash,
            "labels": list(corpus.labels),
            "recipes": {name: recipe for name, recipe in corpus.recipes.items() if name in result.scaling},
        },
        "device": device,
        "versions": {"replicate": replicate.__version__, **versions()},
        "seconds": round(result.seconds, 3),
    }


def _digest(record: dict[str, Any]) -> str:
    """Hash of a record without its own hash."""
    content = {name: value for name, value in record.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _predictions(spec: RunSpec, corpus: Corpus, result: RunResult) -> dict[str, NDArray[Any]]:
    """Log-probabilities per split and context beside who said what, so that any metric can be recomputed."""
    arrays: dict[str, NDArray[Any]] = {f"{s}/{context}": v for (s, context), v in result.log_prob.items()}
    corpus = apply_feature_order(corpus, spec.arm, spec.protocol)
    for split in SPLITS:
        dialogues = corpus.split(split)
        arrays[f"{split}/dialogue"] = np.repeat([d.id for d in dialogues], [len(d) for d in dialogues])
        arrays[f"{split}/speaker"] = np.concatenate([d.speakers for d in dialogues])
        arrays[f"{split}/label"] = np.concatenate([d.labels for d in dialogues])
    return arrays


def _read_taught(path: Path) -> TeacherOutputs | None:
    """What is stored, None where it is not there or not what was written: it can be computed again."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            digest, origin = json.loads((file.metadata() or {})["about"])
            if digest != _tensor_hash(tensors, origin):
                return None
        train, dev = (
            UtteranceOutputs(*(tensors[f"{split}/{field}"] for field in UtteranceOutputs._fields))
            for split in ("train", "dev")
        )
        return TeacherOutputs(train, dev, origin)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


def _tensor_hash(tensors: dict[str, torch.Tensor], origin: str) -> str:
    digest = hashlib.sha256(origin.encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    return digest.hexdigest()
