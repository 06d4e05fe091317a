"""A completed run on disk: its record, predictions and model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from replicate.model.cogmen import COGMEN
from replicate.store.record import CHECKPOINT, PREDICTIONS, RunRecord, corrupt
from replicate.training.data import Scale


@dataclass(frozen=True)
class Run:
    """A completed run on disk; predictions and weights are read when a method needs them.

    Attributes:
        record: what was trained, how, and its learning curve.
    """

    folder: Path
    record: RunRecord

    @property
    def audio_stream(self) -> str:
        """The audio stream that the model takes."""
        return self.record.arm.audio

    def log_prob(self, split: str, context: str) -> NDArray[np.float32]:
        """Log-probabilities (N, classes), dialogue after dialogue in the corpus's order."""
        return self._predictions(f"{split}/{context}")

    def labels(self, split: str) -> NDArray[np.int64]:
        """True classes (N,), in the same order."""
        return self._predictions(f"{split}/label")

    def dialogues(self, split: str) -> NDArray[np.str_]:
        """The dialogue of each utterance (N,), in the same order."""
        return self._predictions(f"{split}/dialogue")

    def model(self) -> COGMEN:
        """The trained model in eval mode."""
        model = COGMEN(self.record.model)
        model.load_state_dict(
            {name: tensor for name, tensor in self._tensors().items() if not name.startswith("scale/")}
        )
        return model.eval()

    def scaling(self) -> dict[str, Scale]:
        """Standardisation of each stream, in the order of the model's input."""
        tensors = self._tensors()
        return {
            name: Scale(tensors[f"scale/{name}/mean"].numpy(), tensors[f"scale/{name}/deviation"].numpy())
            for name in self.record.streams
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
