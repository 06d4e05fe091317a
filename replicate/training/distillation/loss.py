"""The total loss of a student: its method's losses and the cross-entropy with the labels, each with its weight."""

from __future__ import annotations

from collections import defaultdict
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import BadPlugin
from replicate.model.cogmen import Output
from replicate.training.data import Batch
from replicate.training.distillation.base import (
    DistillationMethod,
    MethodLosses,
    MethodSetup,
    UtteranceOutputs,
    build_method,
)


class Distillation(nn.Module):
    """The loss of a student, by the method that ``setup.settings`` belongs to."""

    def __init__(self, setup: MethodSetup[Any]) -> None:
        super().__init__()
        self.method = build_method(setup)
        nll_weight = self.method.nll_weight
        self.weights = self.method.weights | ({"nll": nll_weight} if nll_weight else {})
        # Logarithms of variances; at 0 the loss equals that with fixed weights (Kendall, Gal, Cipolla, 2018).
        learned = self.weights if setup.settings.weights == "learned" else {}
        self.variances = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in learned})
        self._log: dict[str, list[Tensor]] = defaultdict(list)

    def forward(self, output: Output, labels: Tensor, rows: Tensor, batch: Batch) -> Tensor:
        """Compute the loss for the N utterances of one run; the batch may also hold utterances of other runs.

        Shapes:
            labels, rows: (N,), packed like the output; ``rows`` are the utterances' indices in the whole split.

        Raises:
            BadPlugin: the method returned something other than losses whose names have weights.
        """
        outputs = self.method.train_outputs
        teachers = [UtteranceOutputs(embedding[rows], log_prob[rows]) for embedding, log_prob in outputs]
        teachers += self.method.peer_outputs(batch)
        found = self.method(UtteranceOutputs(output.graph, output.log_prob), teachers, labels)
        losses, logged = _checked(found, self.method)
        losses = losses | {"nll": F.nll_loss(output.log_prob, labels)}
        for name, value in (losses | logged).items():
            self._log[name].append(value.detach())
        return self._total(losses)

    def logged(self) -> dict[str, float]:
        """Return the means of all losses and logged values since the last call."""
        found = {
            name: float(torch.stack([v.to("cpu", torch.float32) for v in log]).mean())
            for name, log in self._log.items()
        }
        found |= {f"weight of {name}": float(torch.as_tensor(self._weight(name)).detach()) for name in self.variances}
        self._log.clear()
        return found | self.method.constants

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        total: Tensor | None = None
        for name, loss in losses.items():
            if name in self.weights:
                weighted = self._weight(name) * loss
                if name in self.variances:
                    weighted = weighted + self.variances[name] / 2
                total = weighted if total is None else total + weighted
        # A method may leave out every loss that has a weight; the gradient is then zero.
        return 0 * losses["nll"] if total is None else total

    def _weight(self, name: str) -> Tensor | float:
        weight = self.weights[name]
        return weight * torch.exp(-self.variances[name]) if name in self.variances else weight


def _checked(found: Any, method: DistillationMethod) -> MethodLosses:
    """Return what ``forward`` of a method returned, with all logged values as tensors."""
    where = f"{type(method).__name__}.forward"
    if not isinstance(found, MethodLosses):
        raise BadPlugin(f"{where} must return MethodLosses(losses, logged), not {type(found).__name__}")
    for name, value in found.losses.items():
        if name not in method.loss_names:
            known = ", ".join(method.loss_names) or "none"
            hint = "nll is always added to the losses" if name == "nll" else "give its weight to super().__init__"
            raise BadPlugin(
                f"{where} returned the loss {name!r}, which has no weight (those with one: {known}): {hint}"
            )
        if not (isinstance(value, Tensor) and value.ndim == 0):
            raise BadPlugin(f"{where}: the loss {name!r} must be a scalar tensor, not {_words(value)}: take its mean")
    logged = {}
    for name, value in found.logged.items():
        logged[name] = torch.tensor(float(value)) if isinstance(value, Real) else value
        if not (isinstance(logged[name], Tensor) and logged[name].ndim == 0):
            raise BadPlugin(f"{where}: the logged value {name!r} must be a scalar, not {_words(value)}")
    return MethodLosses(found.losses, logged)


def _words(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
