"""Distillation of logits (Hinton, Vinyals, Dean, 2015); not in the paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from replicate.training.distillation.base import (
    DistillationMethod,
    MethodLosses,
    MethodSetup,
    UtteranceOutputs,
)
from replicate.training.methods.logits import LogitsSettings, LogitsTraits


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Compute T² times the KL divergence of softened probabilities, for each utterance.

    T² keeps the size of the gradient independent of the temperature.

    Shapes:
        student, teacher: (N, classes), logits or log-probabilities. Returns (N,).
    """
    ours, theirs = (F.log_softmax(x / temperature, -1) for x in (student, teacher))
    return F.kl_div(ours, theirs, reduction="none", log_target=True).sum(-1) * temperature**2


class LogitsDistillation(LogitsTraits, DistillationMethod):
    """Match the softened logits of the first teacher."""

    def __init__(self, setup: MethodSetup[LogitsSettings]) -> None:
        super().__init__(setup, {"logits": setup.settings.logits_weight})
        self.temperature = setup.settings.temperature

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Return the softened divergence, averaged over utterances."""
        loss = softened_divergence(student.log_prob, teachers[0].log_prob, self.temperature).mean()
        return MethodLosses({"logits": loss})
