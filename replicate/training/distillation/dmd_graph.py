"""DMD's graph distillation unit: directed edges between models, with a weight for each utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.training.distillation.logits import softened_divergence
from replicate.training.distillation_config import Dmd

# From source to target, as places in a list of nodes.
Edge = tuple[int, int]


def prior(values: Sequence[float]) -> Tensor:
    """What edges weigh beforehand: softmax with temperature ¼, as released."""
    return torch.softmax(torch.tensor(values, dtype=torch.float32) / 0.25, 0)


class Distilled(NamedTuple):
    """What a unit gives.

    Shapes:
        loss: scalar, the sum of parts; parts: scalars by name, what each adds; weights: (N, edges), of an utterance's
        edges, their sum 1.
    """

    loss: Tensor
    parts: dict[str, Tensor]
    weights: Tensor


class GraphDistillation(nn.Module):
    """Logits, and if asked features, go along edges; their sources get no gradient.

    Args:
        expected: (edges,), prior weights, which sum to 1.
        features: distance of two nodes' features (N, width), (N,) per utterance; None compares logits alone.
    """

    expected: Tensor

    def __init__(
        self,
        given: Dmd,
        edges: Sequence[Edge],
        expected: Tensor,
        classes: int,
        width: int,
        size: int,
        features: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.given, self.edges, self.features = given, list(edges), features
        self.of_logits, self.of_features = nn.Linear(classes, size), nn.Linear(width, size)
        self.weigh = nn.Linear(4 * size, 1)
        self.register_buffer("expected", expected, persistent=False)

    def forward(self, logits: Sequence[Tensor], features: Sequence[Tensor]) -> Distilled:
        """Distances along all edges.

        Shapes:
            logits: (N, classes) of each node; features: (N, width) of each node.
        """
        weights = self.weights(logits, features)
        given, total = self.given, weights + self.expected
        parts = {"prior": given.edge_weight * (weights.mean(0) - self.expected).square().sum()}
        along = list(zip(total.T, self.edges, strict=True))
        parts["logits"] = torch.stack(
            [(weight * distance(logits[to], logits[source].detach(), given)).mean() for weight, (source, to) in along]
        ).sum()
        if self.features is not None:
            apart = [(w * self.features(features[to], features[source].detach())).mean() for w, (source, to) in along]
            parts["features"] = given.features_weight * torch.stack(apart).sum()
        return Distilled(torch.stack(list(parts.values())).sum(), parts, weights)

    def weights(self, logits: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
        """Weights of each utterance's edges (N, edges): softmax over all of them."""
        if self.given.edges == "uniform":
            return torch.full_like(logits[0][:, :1], 1 / len(self.edges)).expand(-1, len(self.edges))

        def node(place: int, source: bool) -> Tensor:
            pair = logits[place], features[place]
            logit, feature = (x.detach() if source else x for x in pair)
            return torch.cat([self.of_logits(logit), self.of_features(feature)], 1)

        scores = [self.weigh(torch.cat([node(target, False), node(source, True)], 1)) for source, target in self.edges]
        return (torch.cat(scores, 1) * self.given.sharpness).softmax(1)


def distance(student: Tensor, teacher: Tensor, given: Dmd) -> Tensor:
    """How far logits (N, classes) are from others, for each utterance (N,).

    DMD compares a single number; logits of several classes may all be shifted, so their softmax is compared.
    """
    if given.distance == "divergence":
        return softened_divergence(student, teacher, given.temperature)
    probable = torch.softmax if given.distance == "softmax" else torch.log_softmax
    return (probable(student, -1) - probable(teacher, -1)).abs().sum(-1)


def repelled(target: Tensor, source: Tensor) -> Tensor:
    """The positive part of the cosine (N,): what is alike costs.

    As released, but there its mean over the batch is weighed by the mean weight of the edge.
    """
    return F.cosine_similarity(target, source).relu()


def attracted(target: Tensor, source: Tensor) -> Tensor:
    """One minus the cosine (N,): what is unlike costs."""
    return 1 - F.cosine_similarity(target, source)
