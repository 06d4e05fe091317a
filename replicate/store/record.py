"""One finished run on disk: what its folder holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from replicate.errors import CorruptRun
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.training.data import Scale

CHECKPOINT, PREDICTIONS, RECORD = "checkpoint.safetensors", "predictions.npz", "run.json"


@dataclass(frozen=True)
class Run:
    """A finished run on disk.

    Attributes:
        record: content of ``run.json``: spec, model, scores on dev, learning curve, versions, time.
    """

    folder: Path
    record: dict[str, Any]

    @property
    def audio_stream(self) -> str:
        """The stream that its model hears."""
        name: str = self.record["arm"]["audio"]
        return name

    def log_prob(self, split: str, context: str) -> NDArray[np.float32]:
        """(N, classes), dialogue after dialogue in the corpus's order."""
        return self._predictions(f"{split}/{context}")

    def labels(self, split: str) -> NDArray[np.int64]:
        """(N,), in the same order."""
        return self._predictions(f"{split}/label")

    def dialogues(self, split: str) -> NDArray[np.str_]:
        """(N,), the dialogue of each utterance, in the same order."""
        return self._predictions(f"{split}/dialogue")

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
            raise corrupt(self.folder, f"{CHECKPOINT}: {error}") from error

    def _predictions(self, key: str) -> NDArray[Any]:
        try:
            with np.load(self.folder / PREDICTIONS, allow_pickle=False) as arrays:
                return arrays[key]
        except (OSError, ValueError, KeyError) as error:
            raise corrupt(self.folder, f"{PREDICTIONS}: {error}") from error


def corrupt(folder: Path, reason: str) -> CorruptRun:
    """The error that names a damaged run folder."""
    return CorruptRun(f"run folder {folder} is damaged ({reason}): --repair trains it again")
