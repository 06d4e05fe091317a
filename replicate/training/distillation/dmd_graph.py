"""DMD's graph distillation unit: directed edges between models, weighted for each utterance. Not in the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.training.distillation.logits import softened_divergence
from replicate.training.methods.decoupling import GraphSettings

# (source, target), as places in a list of nodes.
Edge = tuple[int, int]


def prior(values: Sequence[float]) -> Tensor:
    """Return prior weights of edges: a softmax with temperature ¼, as released."""
    return torch.softmax(torch.tensor(values, dtype=torch.float32) / 0.25, 0)


class Distilled(NamedTuple):
    """Output of a graph.

    Shapes:
        loss: scalar, the sum of the components; components: scalars by name; weights: (N, edges), of the edges of each
        utterance, their sum 1.
    """

    loss: Tensor
    components: dict[str, Tensor]
    weights: Tensor


class GraphDistillation(nn.Module):
    """Compare logits, and optionally features, along edges; an edge's source gets no gradient.

    Args:
        expected: prior weights of the edges, their sum 1: they are added to the learned weights, and the mean of those
            over a batch is regularised towards them. Without a prior, learned weights count twice, so that the sum over
            edges remains 2.
        width: columns of the features.
        size: columns that logits and features are each mapped to, to compute the weights of edges.
        features: distance of two nodes' features, (N, width) to (N,); None compares logits only.

    Shapes:
        expected: (edges,).
    """

    expected: Tensor | None

    def __init__(
        self,
        settings: GraphSettings,
        edges: Sequence[Edge],
        expected: Tensor | None,
        classes: int,
        width: int,
        size: int,
        features: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.settings, self.edges, self.features = settings, list(edges), features
        self.of_logits, self.of_features = nn.Linear(classes, size), nn.Linear(width, size)
        self.weigh = nn.Linear(4 * size, 1)
        self.register_buffer("expected", expected, persistent=False)

    def forward(self, logits: Sequence[Tensor], features: Sequence[Tensor]) -> Distilled:
        """Compute the distances along all edges.

        Shapes:
            logits: (N, classes) of each node; features: (N, width) of each node.
        """
        weights = self.weights(logits, features)
        settings, expected = self.settings, self.expected
        total = 2 * weights if expected is None else weights + expected
        components = {}
        if expected is not None:
            components["prior"] = settings.edge_weight * (weights.mean(0) - expected).square().sum()
        along = list(zip(total.T, self.edges, strict=True))
        components["logits"] = torch.stack(
            [
                (weight * distance(logits[to], logits[source].detach(), settings)).mean()
                for weight, (source, to) in along
            ]
        ).sum()
        if self.features is not None:
            apart = [(w * self.features(features[to], features[source].detach())).mean() for w, (source, to) in along]
            components["features"] = settings.features_weight * torch.stack(apart).sum()
        return Distilled(torch.stack(list(components.values())).sum(), components, weights)

    def weights(self, logits: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
        """Return the weights (N, edges) of each utterance's edges: a softmax over all of them."""
        if self.settings.edges == "uniform":
            return torch.full_like(logits[0][:, :1], 1 / len(self.edges)).expand(-1, len(self.edges))

        def node(place: int, source: bool) -> Tensor:
            pair = logits[place], features[place]
            logit, feature = (x.detach() if source else x for x in pair)
            return torch.cat([self.of_logits(logit), self.of_features(feature)], 1)

        scores = [self.weigh(torch.cat([node(target, False), node(source, True)], 1)) for source, target in self.edges]
        return (torch.cat(scores, 1) * self.settings.sharpness).softmax(1)


def distance(student: Tensor, teacher: Tensor, settings: GraphSettings) -> Tensor:
    """Compute the distance between two nodes' logits (N, classes), for each utterance (N,).

    In DMD a node outputs a single number, which is compared directly. Logits of several classes are only defined up to
    a shift, so their softmax is compared instead.
    """
    if settings.distance == "divergence":
        return softened_divergence(student, teacher, settings.temperature)
    probable = torch.softmax if settings.distance == "softmax" else torch.log_softmax
    return (probable(student, -1) - probable(teacher, -1)).abs().sum(-1)


def repelled(target: Tensor, source: Tensor) -> Tensor:
    """Return the positive part of the cosine (N,), which pushes similar features apart.

    As released, except that the released code multiplies its mean over the batch by the mean weight of the edge.
    """
    return F.cosine_similarity(target, source).relu()


def attracted(target: Tensor, source: Tensor) -> Tensor:
    """Return one minus the cosine (N,), which pulls features closer."""
    return 1 - F.cosine_similarity(target, source)
