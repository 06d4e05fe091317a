"""A completed run on disk: its record, predictions and model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.types import SPLITS, Corpus
from replicate.errors import InvalidArgument, ReplicateError
from replicate.store import prediction_file
from replicate.store.predictions import Predictions, score
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, RunRecord, corrupt
from replicate.suggest import choices

if TYPE_CHECKING:  # these import torch, which commands that only look at runs do without
    from torch import Tensor

    from replicate.model.cogmen import COGMEN
    from replicate.training.data import Scale


@dataclass(frozen=True)
class Run:
    """A completed run on disk; predictions and weights are read when a method needs them.

    Attributes:
        record: what was trained, how, and its learning curve.
        corpus: what it was trained on, where ``replicate.train`` returned the run; None for other runs.
    """

    folder: Path
    record: RunRecord
    corpus: Corpus | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        record = self.record
        return f"Run({record.arm.name}, seed {record.seed}, corpus {record.corpus.name}, key {record.key})"

    @property
    def audio_stream(self) -> str:
        """The audio stream that the model takes."""
        return self.record.arm.audio

    def f1(self, context: str, split: str = "test") -> float:
        """Return weighted F1, the paper's metric, in a context; see ``score``."""
        return self.score("weighted_f1", context, split)

    def score(self, metric: str, context: str, split: str = "test") -> float:
        """Return a metric of the predictions for a split, in 0..1.

        Args:
            metric: "weighted_f1" or "f1", "accuracy" or "wa", "ua" (unweighted average recall), "macro_f1", "ece"
                (expected calibration error), or "f1:" with a class, such as "f1:happy".
            context: the streams that the model gets, such as "A" or "AV"; one of the contexts that the arm is tested
                in.
            split: "train", "dev" or "test".

        Raises:
            InvalidArgument: an unknown metric, or a context or split without predictions. CorruptRun: the run is
            damaged.
        """
        self._check(split, context)
        return score(metric, self.labels(split), self.log_prob(split, context), self.record.corpus.labels)

    def predictions(self, split: str, context: str) -> Predictions:
        """Return predictions for every utterance of a split; arguments and errors as in ``score``."""
        self._check(split, context)
        return Predictions(
            self.record.corpus.labels,
            self.dialogues(split),
            self._predictions(f"{split}/speaker"),
            self.labels(split),
            np.exp(self.log_prob(split, context)),
            self.record.corpus.speakers,
        )

    def log_prob(self, split: str, context: str) -> NDArray[np.float32]:
        """Return log-probabilities (N, classes), dialogue after dialogue in the corpus's order."""
        return self._predictions(f"{split}/{context}")

    def labels(self, split: str) -> NDArray[np.int64]:
        """Return true classes (N,), in the same order."""
        return self._predictions(f"{split}/label")

    def speakers(self, split: str) -> NDArray[np.int64]:
        """Return the number of the speaker of each utterance of a split, (N,)."""
        return self._predictions(f"{split}/speaker")

    def dialogues(self, split: str) -> NDArray[np.str_]:
        """Return the dialogue of each utterance (N,), in the same order."""
        return self._predictions(f"{split}/dialogue")

    def check(self) -> None:
        """Read all predictions, and the head of the weights, which needs no torch.

        Raises:
            CorruptRun: one of them cannot be read, or has impossible values. TooLarge, TooLittleMemory: predictions.
        """
        from safetensors import SafetensorError, safe_open

        for split in SPLITS:
            for what in ("dialogue", "speaker", "label", *self.record.arm.contexts):
                array = self._predictions(f"{split}/{what}")
                if not len(array):
                    raise corrupt(self.folder, f"{PREDICTIONS}: {split} has no utterance")
                if what in self.record.arm.contexts and not _are_log_prob(array):
                    raise corrupt(self.folder, f"{PREDICTIONS}: {split}/{what} are not logarithms of probabilities")
        try:
            with safe_open(self.folder / CHECKPOINT, "np"):
                pass
        except (OSError, SafetensorError) as error:
            raise corrupt(self.folder, f"{CHECKPOINT}: {error}") from error

    def model(self) -> COGMEN:
        """Return the trained model in eval mode."""
        from replicate.model.cogmen import COGMEN

        weights = {name: tensor for name, tensor in self._tensors().items() if not name.startswith("scale/")}
        self._check_sizes({name: tuple(tensor.shape) for name, tensor in weights.items()})
        model = COGMEN(self.record.model)
        model.load_state_dict(weights)
        return model.eval()

    def scaling(self) -> dict[str, Scale]:
        """Return the standardisation of each stream, in the order of the model's input."""
        from replicate.training.data import Scale

        tensors = self._tensors()
        try:
            return {
                name: Scale(tensors[f"scale/{name}/mean"].numpy(), tensors[f"scale/{name}/deviation"].numpy())
                for name in self.record.streams
            }
        except KeyError as error:
            raise corrupt(self.folder, f"{CHECKPOINT} lacks {error}") from error

    def _check(self, split: str, context: str) -> None:
        if split not in SPLITS:
            raise InvalidArgument(f"unknown split {split!r}: {choices(split, list(SPLITS))}")
        arm = self.record.arm
        if context not in arm.contexts:
            raise InvalidArgument(
                f"{arm.name} has no predictions in context {context!r}: {choices(context, list(arm.contexts))}"
            )

    def _tensors(self) -> dict[str, Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.folder / CHECKPOINT)
        except (OSError, SafetensorError) as error:
            raise corrupt(self.folder, f"{CHECKPOINT}: {error}") from error

    def _check_sizes(self, found: dict[str, tuple[int, ...]]) -> None:
        """Compare the weights with the model that the record describes, before that model is made in memory."""
        import torch

        from replicate.model.cogmen import COGMEN

        try:
            with torch.device("meta"):  # tensors with a size and no memory
                made = {name: tuple(tensor.shape) for name, tensor in COGMEN(self.record.model).state_dict().items()}
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise corrupt(self.folder, f"{RECORD}: no model can be made ({reason})") from error
        for name in sorted({*made, *found}):
            if made.get(name) != found.get(name):
                raise corrupt(
                    self.folder,
                    f"{CHECKPOINT}: {name} is of shape {found.get(name)}, in the model of the record {made.get(name)}",
                )

    def _predictions(self, key: str) -> NDArray[Any]:
        record = self.record
        try:
            return prediction_file.read(
                self.folder / PREDICTIONS, key, len(record.corpus.labels), len(record.corpus.speakers)
            )
        except ReplicateError:
            raise
        except Exception as error:  # zip, zlib and numpy each raise their own on a damaged file
            raise corrupt(self.folder, f"{PREDICTIONS}: {str(error)[:200]}") from error


def _are_log_prob(array: NDArray[np.float32]) -> bool:
    """Return whether the exponentials of each row sum to 1, up to the rounding of 16 bits."""
    with np.errstate(over="ignore"):
        sums = np.exp(array, dtype=np.float64).sum(-1)
    return bool((np.abs(sums - 1) < 0.02).all())
