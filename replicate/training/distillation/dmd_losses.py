"""What all variants of DMD share: the training-only branches of a node, and the losses over all nodes.

From DMD (arXiv 2303.13802); not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.heads.decoupler import Decoupled, Decoupler
from replicate.rng import generator, seeded
from replicate.training.distillation.base import DistillationMethod, MethodLosses, MethodSetup
from replicate.training.distillation.dmd_graph import (
    Distilled,
    Edge,
    GraphDistillation,
    attracted,
    repelled,
)
from replicate.training.distillation.dmd_margin import all_pairs_margin, drawn_margin, orthogonality
from replicate.training.methods.decoupling import DecouplingSettings, DecouplingTraits

GRAPHS = ("homo", "hetero")


class Branch(NamedTuple):
    """What a node computes from the two halves of its embeddings.

    Shapes:
        rebuilt: (N, space), the decoder's output; similar: (N, space), input of the margin loss; shared: (N, space) and
        private: (N, width), features that are compared along edges; shared_logits, private_logits: (N, classes).
    """

    rebuilt: Tensor
    similar: Tensor
    shared: Tensor
    private: Tensor
    shared_logits: Tensor
    private_logits: Tensor


class Node(nn.Module):
    """A node of the graphs: a decoder, and a classifier on each half. Only used in training.

    Args:
        width: columns of the private branch's input.
    """

    def __init__(self, space: int, width: int, classes: int) -> None:
        super().__init__()
        self.decoder, self.similar = nn.Linear(2 * space, space), nn.Linear(space, space)
        self.shared, self.shared_head = nn.Linear(space, space), nn.Linear(space, classes)
        self.private = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.private_head = nn.Linear(width, classes)

    def forward(self, halves: Decoupled, private: Tensor) -> Branch:
        """Compute the node's branch for the halves of N embeddings; ``private`` (N, width) is the private input."""
        shared, private = self.shared(halves.shared).relu(), private + self.private(private)
        rebuilt = self.decoder(torch.cat([halves.private, halves.shared], 1))
        logits = self.shared_head(shared), self.private_head(private)
        return Branch(rebuilt, self.similar(halves.shared), shared, private, *logits)


class DecouplingDistillation(DecouplingTraits, DistillationMethod):
    """Base of all variants: losses over nodes, whose embeddings the variant splits into halves.

    Args:
        names: of the nodes. edges: of both graphs, as places in ``names``.
        priors: prior weights of the edges by graph, "homo" and "hetero"; None for no prior.
        space: columns of a shared or private half.
        width: columns of the private branch's input, ``space`` by default.

    Attributes:
        edges: names of the edges, "SOURCE to TARGET".
    """

    def __init__(
        self,
        setup: MethodSetup[Any],
        names: Sequence[str],
        edges: Sequence[Edge],
        priors: Mapping[str, Tensor | None],
        space: int,
        width: int = 0,
    ) -> None:
        settings: DecouplingSettings = setup.settings
        used = [name for name in GRAPHS if getattr(settings, name)]
        weights = {"branches": 1.0} | dict.fromkeys(used, settings.distil_weight)
        weights |= dict.fromkeys(("reconstruction", "cycle"), settings.decouple_weight)
        weights |= dict.fromkeys(("margin", "orthogonality"), settings.decouple_weight * settings.contrast_weight)
        super().__init__(setup, weights)
        self.settings, self.classes, self.clip = settings, setup.classes, settings.clip
        self.draws = generator(setup.seed, "margins")
        self.edges = [f"{names[source]} to {names[target]}" for source, target in edges]
        width = width or space
        features = {"off": None, "repel": repelled, "attract": attracted}[settings.private_features]
        shapes = {"homo": (space, settings.homo_size, None), "hetero": (width, settings.hetero_size, features)}
        with seeded(setup.seed, "dmd"):
            self.nodes = nn.ModuleList(Node(space, width, setup.classes) for _ in names)
            self.graphs = nn.ModuleDict(
                {name: GraphDistillation(settings, edges, priors[name], setup.classes, *shapes[name]) for name in used}
            )
        for graph in used:
            expected = priors[graph]
            if expected is not None:
                self.constants |= {
                    f"{graph} prior {edge}": float(weight) for edge, weight in zip(self.edges, expected, strict=True)
                }

    def losses(
        self,
        decouplers: Sequence[Decoupler],
        halves: Sequence[Decoupled],
        labels: Tensor,
        privates: Sequence[Tensor] | None = None,
    ) -> MethodLosses:
        """Compute all losses over the nodes, except the cross-entropy of the model's own logits.

        Args:
            privates: input of each node's private branch, its private half by default.
        """
        privates = privates or [half.private for half in halves]
        branches = [node(half, own) for node, half, own in zip(self.nodes, halves, privates, strict=True)]
        both = list(zip(decouplers, halves, branches, strict=True))
        heads = [logits for branch in branches for logits in (branch.shared_logits, branch.private_logits)]
        losses = {
            "branches": _sum(F.cross_entropy(logits, labels) for logits in heads),
            # Detached, because otherwise the target itself could shrink.
            "reconstruction": _sum(F.mse_loss(branch.rebuilt, half.common.detach()) for _, half, branch in both),
            "cycle": _sum(F.mse_loss(each.private(branch.rebuilt), half.private) for each, half, branch in both),
            "orthogonality": _sum(orthogonality(half.shared, half.private) for half in halves),
        }
        logged: dict[str, Tensor] = {}
        losses["margin"], logged["margins without a negative"] = self._margin([b.similar for b in branches], labels)
        compared = {
            "homo": ([b.shared_logits for b in branches], [b.shared for b in branches]),
            "hetero": ([b.private_logits for b in branches], [b.private for b in branches]),
        }
        for name, graph in self.graphs.items():
            found = graph(*compared[name])
            losses[name], logged = found.loss, logged | self._logged(name, found)
        return MethodLosses(losses, logged)

    def _logged(self, graph: str, found: Distilled) -> dict[str, Tensor]:
        """Return the mean weights of a graph's edges, and the components of its loss."""
        means = zip(self.edges, found.weights.mean(0), strict=True)
        return {f"{graph} edge {name}": mean for name, mean in means} | {
            f"{graph} {name}": component for name, component in found.components.items()
        }

    def _margin(self, similar: Sequence[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the margin loss, and the share of anchors that lack a positive or a negative."""
        settings = self.settings
        if settings.margin_form == "paper":
            return drawn_margin(similar, labels, self.classes, settings.margin, self.draws)
        rows = torch.randperm(len(labels), generator=self.draws)[: settings.margin_utterances].to(labels.device)
        return all_pairs_margin([each[rows] for each in similar], labels[rows], settings.margin)


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()
