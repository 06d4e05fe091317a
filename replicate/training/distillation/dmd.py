"""DMD: shared and private parts of embeddings, and graphs that distil teachers into the student in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.decoupler import Decoupled, Decoupler
from replicate.rng import generator, seeded
from replicate.training.distillation.base import DistillationMethod, MethodLosses, UtteranceOutputs
from replicate.training.distillation.dmd_graph import Distilled, GraphDistillation, attracted, prior, repelled
from replicate.training.distillation.triplet import draw_negatives, draw_positives
from replicate.training.distillation_config import Dmd, DmdOnline


class Branch(NamedTuple):
    """What a model's branch makes of its parts.

    Shapes:
        rebuilt: (N, space); similar: (N, space), where margins are taken; shared, private: (N, space), features that
        go along edges; shared_logits, private_logits: (N, classes).
    """

    rebuilt: Tensor
    similar: Tensor
    shared: Tensor
    private: Tensor
    shared_logits: Tensor
    private_logits: Tensor


class Node(nn.Module):
    """A model in the graphs: decoder, and a classifier on each part. Used in training alone."""

    def __init__(self, space: int, classes: int) -> None:
        super().__init__()
        self.decoder, self.similar = nn.Linear(2 * space, space), nn.Linear(space, space)
        self.shared, self.shared_head = nn.Linear(space, space), nn.Linear(space, classes)
        self.private = nn.Sequential(nn.Linear(space, space), nn.ReLU(), nn.Linear(space, space))
        self.private_head = nn.Linear(space, classes)

    def forward(self, parts: Decoupled) -> Branch:
        """What the node makes of its parts."""
        shared, private = self.shared(parts.shared).relu(), parts.private + self.private(parts.private)
        rebuilt = self.decoder(torch.cat([parts.private, parts.shared], 1))
        logits = self.shared_head(shared), self.private_head(private)
        return Branch(rebuilt, self.similar(parts.shared), shared, private, *logits)


class DmdDistillation(DistillationMethod):
    """DMD with edges into the student; online between the student and the model that learns beside it, both ways.

    Args:
        student: the model's own decoupler, which goes with it wherever it is used.
        widths: of the teachers' embeddings.
        names: of the teachers, for the log.
    """

    def __init__(
        self, given: Dmd, student: Decoupler, widths: Sequence[int], names: Sequence[str], classes: int, seed: int
    ) -> None:
        weights = {"branches": 1.0}
        weights |= {name: given.distil_weight for name in ("homo", "hetero") if getattr(given, name)}
        weights |= dict.fromkeys(("reconstruction", "cycle"), given.decouple_weight)
        weights |= dict.fromkeys(("margin", "orthogonality"), given.decouple_weight * given.contrast_weight)
        super().__init__(weights, given.nll_weight)
        self.given, self.classes = given, classes
        self.draws = generator(seed, "margins")
        # Not a part of this module: the student's model trains and keeps it.
        self._student = [student]
        online = isinstance(given, DmdOnline)
        edges = [(place, 0) for place in range(1, len(widths) + 1)] + ([(0, 1)] if online else [])
        nodes = "student", *names
        self.edges = [f"{nodes[source]} to {nodes[target]}" for source, target in edges]
        expected = prior([float(given.prior == "joint" and place == 0) for place in range(len(edges))])
        with seeded(seed, "dmd"):
            self.teachers = nn.ModuleList(Decoupler(width, given.space, owns_shared=False) for width in widths)
            self.nodes = nn.ModuleList(Node(given.space, classes) for _ in range(1 + len(widths)))
            features = {"off": None, "repel": repelled, "attract": attracted}[given.private_features]
            common = given, edges, expected, classes, given.space
            self.homo = GraphDistillation(*common, given.homo_size) if given.homo else None
            self.hetero = GraphDistillation(*common, given.hetero_size, features) if given.hetero else None

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """All losses but that of the student's own logits."""
        own, *others = decouplers = [self._student[0], *self.teachers]
        parts = [own(student.embedding)]
        parts += [each(said.embedding, own.shared) for each, said in zip(others, teachers, strict=True)]
        branches = [node(part) for node, part in zip(self.nodes, parts, strict=True)]
        both = list(zip(decouplers, parts, branches, strict=True))
        heads = [logits for branch in branches for logits in (branch.shared_logits, branch.private_logits)]
        losses = {
            "branches": _sum(F.cross_entropy(logits, labels) for logits in heads),
            # Without detaching, what is to be rebuilt could shrink.
            "reconstruction": _sum(F.mse_loss(branch.rebuilt, part.common.detach()) for _, part, branch in both),
            "cycle": _sum(F.mse_loss(each.private(branch.rebuilt), part.private) for each, part, branch in both),
            "orthogonality": _sum(orthogonality(part.shared, part.private) for part in parts),
        }
        notes: dict[str, Tensor] = {}
        losses["margin"], notes["margins without a negative"] = self._margin([b.similar for b in branches], labels)
        if self.homo is not None:
            found = self.homo([b.shared_logits for b in branches], [b.shared for b in branches])
            losses["homo"], notes = found.loss, notes | self._notes("homo", found)
        if self.hetero is not None:
            found = self.hetero([b.private_logits for b in branches], [b.private for b in branches])
            losses["hetero"], notes = found.loss, notes | self._notes("hetero", found)
        return MethodLosses(losses, notes)

    def _notes(self, graph: str, found: Distilled) -> dict[str, Tensor]:
        """Mean weights of a graph's edges, and of what its loss is made up."""
        means = zip(self.edges, found.weights.mean(0), strict=True)
        return {f"{graph} edge {name}": mean for name, mean in means} | {
            f"{graph} {name}": part for name, part in found.parts.items()
        }

    def _margin(self, similar: list[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The margin loss on one drawn triplet for every utterance of every model, and how many have no negative."""
        drawn = []
        for place in range(len(similar)):
            step = torch.randint(1, len(similar), labels.shape, generator=self.draws).to(labels.device)
            model = (place + step) % len(similar)
            row = draw_positives(labels, self.classes, self.draws)
            positive = torch.stack(similar)[model, row]
            negative = draw_negatives(labels, self.classes, "one", self.draws)[:, 0]
            drawn.append((similar[place], positive, similar[place][negative.clamp(min=0)], negative >= 0))
        anchor, positive, negative, there = (torch.cat(column) for column in zip(*drawn, strict=True))
        return margin_loss(anchor, positive, negative, there, self.given.margin), (~there).float().mean()


def orthogonality(shared: Tensor, private: Tensor) -> Tensor:
    """Mean over utterances of the positive part of the cosine of both parts; 1 where they are the same."""
    return F.cosine_similarity(shared, private).relu().mean()


def margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, there: Tensor, margin: float) -> Tensor:
    """max(margin - cos(a, p) + cos(a, n), 0), mean over the anchors that have both kinds; 0 where none has.

    A positive is an utterance of the same class as another model has it, a negative one of another class as the same
    model has it (DMD's text; its code takes either from any model).

    Shapes:
        anchor, positive, negative: (N, d); there: (N,) bool.
    """
    near, far = F.cosine_similarity(anchor, positive), F.cosine_similarity(anchor, negative)
    return ((margin - near + far).relu() * there).sum() / there.sum().clamp(min=1)


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()
