"""The run store: one folder per run, named by a hash of everything that decides the run's numbers."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_geometric
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save

import replicate
from replicate.corpus.types import SPLITS, Corpus
from replicate.errors import CorruptRun
from replicate.files import atomic_folder, from_os_error, sha256
from replicate.model.cogmen import COGMEN, ModelConfig
from replicate.training.data import Scale
from replicate.training.run import RunResult
from replicate.training.settings import RunSpec

CHECKPOINT, PREDICTIONS, RECORD = "checkpoint.safetensors", "predictions.npz", "run.json"


@functools.cache
def code_version() -> str:
    """Hash of the code that a run's numbers pass through, without comments and docstrings."""
    package = Path(replicate.__file__).parent
    paths = [package / "rng.py", *sorted((package / "model").glob("*.py"))]
    paths += sorted(path for path in (package / "training").glob("*.py") if path.stem != "parity")
    digest = hashlib.sha256()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and _is_docstring(body[0]):
                body.pop(0)
        digest.update(f"{path.name}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def run_key(spec: RunSpec, corpus: Corpus, device: str) -> str:
    """Name of the run's folder: the same for the same numbers, under whatever names arms and protocols go."""
    decides = asdict(spec)
    del decides["arm"]["name"], decides["protocol"]["name"]
    if not spec.arm.masked:
        del decides["protocol"]["masking"]
    # torch_geometric's layers draw their own initial weights.
    versions = {"torch": torch.__version__, "torch_geometric": torch_geometric.__version__, "code": code_version()}
    decides |= {"corpus": corpus.hash, "device": device, **versions}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class StoredRun:
    """A finished run on disk.

    Attributes:
        record: content of ``run.json``: spec, model, scores on dev, learning curve, versions, time.
    """

    folder: Path
    record: dict[str, Any]

    def log_prob(self, split: str, context: str) -> NDArray[np.float32]:
        """(N, classes), dialogue after dialogue in the corpus's order."""
        return self._predictions(f"{split}/{context}")

    def labels(self, split: str) -> NDArray[np.int64]:
        """(N,), in the same order."""
        return self._predictions(f"{split}/label")

    def model(self) -> COGMEN:
        """The trained model in eval mode."""
        model = COGMEN(ModelConfig(**self.record["model"]))
        model.load_state_dict(
            {name: tensor for name, tensor in self._tensors().items() if not name.startswith("scale/")}
        )
        return model.eval()

    def scaling(self) -> dict[str, Scale]:
        """Standardisation of each stream, in the order of the model's input."""
        stored = self._tensors()
        return {
            name: Scale(stored[f"scale/{name}/mean"].numpy(), stored[f"scale/{name}/deviation"].numpy())
            for name in self.record["streams"]
        }

    def _tensors(self) -> dict[str, torch.Tensor]:
        try:
            return load_file(self.folder / CHECKPOINT)
        except (OSError, SafetensorError) as error:
            raise _corrupt(self.folder, f"{CHECKPOINT}: {error}") from error

    def _predictions(self, key: str) -> NDArray[Any]:
        try:
            with np.load(self.folder / PREDICTIONS, allow_pickle=False) as arrays:
                return arrays[key]
        except (OSError, ValueError, KeyError) as error:
            raise _corrupt(self.folder, f"{PREDICTIONS}: {error}") from error


class Store:
    """Finished runs under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

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

    def get(self, key: str) -> StoredRun | None:
        """The run of that key with every file's hash checked, or None where it was never finished.

        Raises:
            CorruptRun: its folder is there, but not as it was written.
        """
        folder = self.root / key
        if not folder.is_dir():
            return None
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if record["sha256"] != _digest(record) or record["key"] != key:
                raise _corrupt(folder, f"{RECORD} has changed since it was written")
            for name in (CHECKPOINT, PREDICTIONS):
                if sha256(folder / name) != record["files"][name]:
                    raise _corrupt(folder, f"{name} has changed since it was written")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _corrupt(folder, str(error)) from error
        return StoredRun(folder, record)

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
            np.savez_compressed(folder / PREDICTIONS, **_predictions(corpus, result))  # type: ignore[arg-type]
            record = _record(key, spec, corpus, device, result)
            record["files"] = {name: sha256(folder / name) for name in (CHECKPOINT, PREDICTIONS)}
            record["sha256"] = _digest(record)
            (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _record(key: str, spec: RunSpec, corpus: Corpus, device: str, result: RunResult) -> dict[str, Any]:
    return {
        "key": key,
        **asdict(spec),
        "streams": list(result.scaling),
        "model": asdict(result.model),
        "best_epoch": result.best_epoch,
        "curve": [asdict(epoch) for epoch in result.curve],
        "corpus": {"name": corpus.name, "hash": corpus.hash, "labels": list(corpus.labels)},
        "device": device,
        "versions": {"replicate": replicate.__version__, "code": code_version(), "torch": torch.__version__},
        "seconds": round(result.seconds, 3),
    }


def _digest(record: dict[str, Any]) -> str:
    """Hash of a record without its own hash."""
    content = {name: value for name, value in record.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _predictions(corpus: Corpus, result: RunResult) -> dict[str, NDArray[Any]]:
    """Log-probabilities per split and context beside who said what, so that any metric can be recomputed."""
    arrays: dict[str, NDArray[Any]] = {f"{s}/{context}": v for (s, context), v in result.log_prob.items()}
    for split in SPLITS:
        dialogues = corpus.split(split)
        arrays[f"{split}/dialogue"] = np.repeat([d.id for d in dialogues], [len(d) for d in dialogues])
        arrays[f"{split}/speaker"] = np.concatenate([d.speakers for d in dialogues])
        arrays[f"{split}/label"] = np.concatenate([d.labels for d in dialogues])
    return arrays


def _corrupt(folder: Path, reason: str) -> CorruptRun:
    return CorruptRun(f"run folder {folder} is damaged ({reason}): delete it, and it is trained again")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
