"""What goes into a method of distillation, and what comes out."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from replicate.corpus.types import Corpus
from replicate.training.config import Arm, Protocol, reading


class UtteranceOutputs(NamedTuple):
    """What a model says of N utterances.

    Shapes:
        embedding: (N, d), of its graph part; log_prob: (N, classes).
    """

    embedding: Tensor
    log_prob: Tensor

    def to(self, device: torch.device) -> UtteranceOutputs:
        """The same on another device."""
        return UtteranceOutputs(self.embedding.to(device), self.log_prob.to(device))


class TeacherOutputs(NamedTuple):
    """What a frozen teacher says of the utterances of training and of dev, packed in the corpus's order.

    Attributes:
        origin: of the corpus and the reading that it was trained on, see ``origin``.
    """

    train: UtteranceOutputs
    dev: UtteranceOutputs
    origin: str

    def to(self, device: torch.device) -> TeacherOutputs:
        """The same on another device."""
        return TeacherOutputs(self.train.to(device), self.dev.to(device), self.origin)


def origin(corpus: Corpus, teacher: Arm, protocol: Protocol) -> str:
    """Hash of a corpus, and of what of a reading decides a teacher's numbers."""
    content = json.dumps([corpus.hash, reading(teacher, protocol)])
    return hashlib.sha256(content.encode()).hexdigest()


class MethodLosses(NamedTuple):
    """Losses of a batch by name, and what is only logged; scalars, the losses without their weights."""

    losses: dict[str, Tensor]
    notes: dict[str, Tensor]


class DistillationMethod(nn.Module):
    """A method of distillation: what it learns for itself is trained with the student, and used in training alone.

    Attributes:
        weights: of the losses that ``forward`` names; the cross-entropy of the labels is none of them.
        nll_weight: of that cross-entropy.
    """

    def __init__(self, weights: Mapping[str, float], nll_weight: float) -> None:
        super().__init__()
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.nll_weight = nll_weight

    @abstractmethod
    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """The losses of a batch of utterances; teachers say what they say of the same utterances.

        Shapes:
            labels: (N,) int64.
        """
