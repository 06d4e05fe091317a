"""The files of runs and results folders that are fuzzed, and JSON lines, with valid files to begin with."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from replicate.errors import ReplicateError
from tests.fuzz import archives, heads, mutations
from tests.fuzz.commands import call
from tests.fuzz.harness import Reader, register


class _SavedRun:
    """A small run, whose files are read with one of them changed."""

    def __init__(self) -> None:
        from replicate.store.keys import run_key
        from replicate.store.store import Store
        from replicate.training.loop import train
        from tests.small_runs import SPEC, small_corpus

        self.root = Path(tempfile.mkdtemp(prefix="replicate-fuzz-run-"))
        corpus = small_corpus()
        self.key = run_key(SPEC, corpus, "cpu")
        Store(self.root).put(self.key, SPEC, corpus, "cpu", train(SPEC, corpus))

    def seeds(self, name: str) -> Sequence[bytes]:
        """Return one of its files."""
        return [(self.root / self.key / name).read_bytes()]

    def folder(self, name: str, path: Path) -> Path:
        """Return a store with this run, in which one file is another."""
        root = Path(tempfile.mkdtemp(dir=path.parent))
        (root / self.key).mkdir()
        for file in (self.root / self.key).iterdir():
            (root / self.key / file.name).symlink_to(path if file.name == name else file)
        return root


@register("records")
def records() -> Reader:
    """Records of runs, with right hashes: listed, shown, read, and the model made."""
    from replicate.cli import runs
    from replicate.store import prune
    from replicate.store.record import RECORD
    from replicate.store.store import Store

    saved = _SavedRun()

    def read(path: Path) -> None:
        store = Store(saved.folder(RECORD, path))
        for as_json in (False, True):
            call(runs.commands["list"], where=str(store.root), arm=None, corpus=None, as_json=as_json)
        prune.plan(store, damaged=True)
        run = store.get(saved.key)
        assert run is not None
        run.model()
        run.scaling()
        for context in run.record.arm.contexts:
            run.predictions("test", context)
        for as_json in (False, True):
            call(runs.commands["show"], key=saved.key, where=str(store.root), as_json=as_json)

    return Reader("records", lambda: saved.seeds(RECORD), read, _with_hash, (ReplicateError,), ".json")


def _with_hash(content: bytes, draws: random.Random) -> bytes:
    """Change a record, and most of the time correct its hash."""
    from replicate.store.record import digest

    changed = mutations.of_json(content, draws)
    try:
        record = json.loads(changed)
        if isinstance(record, dict) and draws.random() < 0.9:
            changed = json.dumps(record | {"sha256": digest(record)}).encode()
    except (ValueError, RecursionError):
        pass
    return changed


@register("predictions")
def predictions() -> Reader:
    """Predictions of runs."""
    from replicate.store.record import PREDICTIONS
    from replicate.store.run import Run
    from replicate.store.store import Store

    saved = _SavedRun()
    record = Store(saved.root).record(saved.key)

    def read(path: Path) -> None:
        run = Run(saved.folder(PREDICTIONS, path) / saved.key, record)
        for split in ("train", "dev", "test"):
            run.predictions(split, "A")
            run.f1("A", split)

    return Reader("predictions", lambda: saved.seeds(PREDICTIONS), read, archives.of_npz, (ReplicateError,), ".npz")


def _of_head(content: bytes, draws: random.Random) -> bytes:
    """Change the head of a safetensors file, which is JSON after its length, or bytes."""
    size = int.from_bytes(content[:8], "little")
    if draws.random() < 0.3 or not 0 < size <= len(content) - 8:
        return (
            heads.with_number(content, 0, draws, ("<Q",))
            if draws.random() < 0.3
            else mutations.of_bytes(content, draws)
        )
    head = mutations.of_json(content[8 : 8 + size], draws)
    return len(head).to_bytes(8, "little") + head + content[8 + size :]


@register("checkpoint")
def checkpoints() -> Reader:
    """Weights of runs."""
    from replicate.store.record import CHECKPOINT
    from replicate.store.run import Run
    from replicate.store.store import Store

    saved = _SavedRun()
    record = Store(saved.root).record(saved.key)

    def read(path: Path) -> None:
        run = Run(saved.folder(CHECKPOINT, path) / saved.key, record)
        run.model()
        run.scaling()

    return Reader("checkpoint", lambda: saved.seeds(CHECKPOINT), read, _of_head, (ReplicateError,), ".safetensors")


@register("embeddings")
def embeddings() -> Reader:
    """Outputs of teachers, which are computed again if they are damaged."""
    import torch

    from replicate.store import embeddings
    from tests.small_runs import teacher_outputs

    with tempfile.TemporaryDirectory() as folder:
        embeddings.write(Path(folder) / "a", teacher_outputs(torch.arange(6.0).view(2, 3)))
        seed = (Path(folder) / "a").read_bytes()
    return Reader("embeddings", lambda: [seed], embeddings.read, _of_head, (ReplicateError,), ".safetensors")


@register("manifests")
def manifests() -> Reader:
    """Manifests of results folders."""
    from replicate.experiment import results_folder
    from replicate.experiment.manifest import Manifest
    from replicate.report import ro_crate

    def read(path: Path) -> None:
        folder = Path(tempfile.mkdtemp(dir=path.parent))
        (folder / results_folder.MANIFEST).symlink_to(path)
        Manifest.find(folder)
        results_folder.corpus_hash(folder)
        results_folder.named_runs(folder)
        Manifest.load(folder)
        ro_crate.graph(folder)

    return Reader("manifests", _manifests, read, mutations.of_json, (ReplicateError,), ".json")


def _manifests() -> Sequence[bytes]:
    from replicate.experiment import manifest

    key = "0123456789abcdef0123"
    content = {
        "format": manifest.FORMAT, "tables": ["table2"], "corpus": {"name": "small", "hash": "0" * 64, "notes": []},
        "protocol": "paper", "profile": "smoke", "seeds": [24], "keep_dropped": False, "command": "replicate run",
        "source": {"data": "small", "data_dir": None}, "config_dirs": [], "runs": [key], "failed": [],
        "deployable": [key], "store": "runs", "store_address": None, "device": "cpu", "precision": "float32",
        "stacked": False, "jobs": 1, "wall_seconds": 1.0, "training_seconds": 1.0,
        "machine": {"system": "Linux", "processor": None, "cores": 2}, "versions": {"torch": None},
        "git_commit": "0" * 40, "git_clean": False, "builds": {"MKL": "2024.2"},
    }  # fmt: skip
    return [json.dumps(content).encode()]


@register("lines")
def lines() -> Reader:
    """JSON lines of features, as `replicate predict --stream` takes them."""
    from export.bundle_files import BadInput
    from export.lines import bounded, json_lines

    def read(path: Path) -> None:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            for _ in json_lines(bounded(file, "stdin"), "stdin"):
                pass

    seeds = [
        b'{"dialogue": "a", "speaker": "M", "features": [0, 1.5]}\n{"dialogue": "b", "speaker": "F", "features": []}\n'
    ]
    return Reader("lines", lambda: seeds, read, mutations.of_lines, (BadInput,), ".jsonl", ("*.jsonl",))
