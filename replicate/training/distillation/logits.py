"""Distillation of logits (Hinton, Vinyals, Dean, 2015; not in the paper)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from replicate.training import distillation_config as methods
from replicate.training.distillation.base import DistillationMethod, MethodLosses, UtteranceOutputs


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² times the divergence of the student's softened probabilities from the teacher's, for each utterance.

    T² keeps the gradient's size whatever the temperature.

    Shapes:
        student, teacher: (N, classes), logits or log-probabilities. Returns (N,).
    """
    ours, theirs = (F.log_softmax(x / temperature, -1) for x in (student, teacher))
    return F.kl_div(ours, theirs, reduction="none", log_target=True).sum(-1) * temperature**2


class LogitsDistillation(DistillationMethod):
    """Softened logits of the first teacher."""

    def __init__(self, given: methods.Logits) -> None:
        super().__init__({"logits": given.logits_weight}, given.nll_weight)
        self.temperature = given.temperature

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Mean over utterances of the softened divergence."""
        loss = softened_divergence(student.log_prob, teachers[0].log_prob, self.temperature).mean()
        return MethodLosses({"logits": loss}, {})
