"""DMD: embeddings are split into a shared and a private half, and in each a graph distils teachers into the student.

From DMD (arXiv 2303.13802), adapted to a speech-only student of teachers that also have video; not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import InvalidDefinition
from replicate.model.cogmen import COGMEN
from replicate.model.heads.decoupler import Decoupled, Decoupler
from replicate.rng import generator, seeded
from replicate.training.arm import Arm
from replicate.training.data import Batch
from replicate.training.distillation.base import (
    DistillationMethod,
    MethodLosses,
    MethodSetup,
    UtteranceOutputs,
    register,
)
from replicate.training.distillation.dmd_graph import (
    Distilled,
    GraphDistillation,
    GraphSettings,
    attracted,
    prior,
    repelled,
)
from replicate.training.distillation.triplet import draw_negatives, draw_positives


@dataclass(frozen=True)
class DmdSettings(GraphSettings):
    """Settings of DMD.

    Attributes:
        space: columns of a shared or private half.
        homo, hetero: whether there is a graph over the shared halves (homo) and over the private halves (hetero).
        private_features: whether private halves are pulled closer ("attract"), pushed apart ("repel", as released,
            where a target of -1 looks like a bug), or neither.
        distil_weight, decouple_weight: weights of the losses of both graphs, and of the losses that separate shared
            from private halves.
        contrast_weight: factor on ``decouple_weight`` for the margin and orthogonality losses.
        margin: required difference between the cosines of utterances of the same class and of other classes.
        homo_size, hetero_size: see ``GraphDistillation``.
    """

    space: int = 64
    homo: bool = True
    hetero: bool = True
    private_features: Literal["off", "repel", "attract"] = "off"
    distil_weight: float = 0.05
    decouple_weight: float = 0.1
    contrast_weight: float = 0.1
    margin: float = 0.1
    homo_size: int = 64
    hetero_size: int = 32

    positive: ClassVar = (*GraphSettings.positive, "space", "homo_size", "hetero_size")


@dataclass(frozen=True)
class DmdOnlineSettings(DmdSettings):
    """Settings of online DMD: no frozen teacher; see ``DmdOnlineDistillation``."""

    prior: Literal["joint", "uniform"] = "uniform"


class Branch(NamedTuple):
    """What a node computes from the two halves of its model's embeddings.

    Shapes:
        rebuilt: (N, space), the decoder's output; similar: (N, space), input of the margin loss; shared, private:
        (N, space), features that are compared along edges; shared_logits, private_logits: (N, classes).
    """

    rebuilt: Tensor
    similar: Tensor
    shared: Tensor
    private: Tensor
    shared_logits: Tensor
    private_logits: Tensor


class Node(nn.Module):
    """A model in the graphs: a decoder, and a classifier on each half. Only used in training."""

    def __init__(self, space: int, classes: int) -> None:
        super().__init__()
        self.decoder, self.similar = nn.Linear(2 * space, space), nn.Linear(space, space)
        self.shared, self.shared_head = nn.Linear(space, space), nn.Linear(space, classes)
        self.private = nn.Sequential(nn.Linear(space, space), nn.ReLU(), nn.Linear(space, space))
        self.private_head = nn.Linear(space, classes)

    def forward(self, halves: Decoupled) -> Branch:
        """Compute the node's branch for the halves of N embeddings."""
        shared, private = self.shared(halves.shared).relu(), halves.private + self.private(halves.private)
        rebuilt = self.decoder(torch.cat([halves.private, halves.shared], 1))
        logits = self.shared_head(shared), self.private_head(private)
        return Branch(rebuilt, self.similar(halves.shared), shared, private, *logits)


@register("dmd", DmdSettings)
class DmdDistillation(DistillationMethod):
    """DMD with edges from every teacher to the student."""

    several_teachers = True
    # Whether there is also an edge from the student (node 0) to the other model (node 1), which must be the only one.
    mutual: ClassVar[bool] = False

    def __init__(self, setup: MethodSetup[Any]) -> None:
        settings: DmdSettings = setup.settings
        weights = {"branches": 1.0}
        weights |= {name: settings.distil_weight for name in ("homo", "hetero") if getattr(settings, name)}
        weights |= dict.fromkeys(("reconstruction", "cycle"), settings.decouple_weight)
        weights |= dict.fromkeys(("margin", "orthogonality"), settings.decouple_weight * settings.contrast_weight)
        super().__init__(setup, weights)
        self.settings, self.classes = settings, setup.classes
        self.draws = generator(setup.seed, "margins")
        assert setup.model.decoupler is not None
        # In a list, so that it does not become part of this module: the student's model trains and keeps it.
        self._student = [setup.model.decoupler]
        names, widths = self.sources(setup)
        edges = [(place, 0) for place in range(1, len(widths) + 1)] + ([(0, 1)] if self.mutual else [])
        nodes = "student", *names
        self.edges = [f"{nodes[source]} to {nodes[target]}" for source, target in edges]
        expected = prior([float(settings.prior == "joint" and place == 0) for place in range(len(edges))])
        space = settings.space
        with seeded(setup.seed, "dmd"):
            self.teachers = nn.ModuleList(Decoupler(width, space, owns_shared=False) for width in widths)
            self.nodes = nn.ModuleList(Node(space, setup.classes) for _ in range(1 + len(widths)))
            features = {"off": None, "repel": repelled, "attract": attracted}[settings.private_features]
            common = settings, edges, expected, setup.classes, space
            self.homo = GraphDistillation(*common, settings.homo_size) if settings.homo else None
            self.hetero = GraphDistillation(*common, settings.hetero_size, features) if settings.hetero else None

    @classmethod
    def model_heads(cls, settings: DmdSettings, arm: Arm) -> dict[str, int]:
        """Return the size of the decoupler, whose two halves are the classifier's input."""
        return {"decoupled": settings.space}

    @classmethod
    def check(cls, settings: DmdSettings, arm: Arm) -> None:
        """Refuse a negative margin."""
        if settings.margin < 0:
            raise InvalidDefinition(f"margin = {settings.margin} must be 0 or more")

    @staticmethod
    def sources(setup: MethodSetup[Any]) -> tuple[list[str], list[int]]:
        """Return the names of the other models in the graphs, and the columns of their embeddings."""
        return setup.teacher_names, setup.teacher_widths

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Compute all losses except the cross-entropy of the student's own logits."""
        own, *others = decouplers = [self._student[0], *self.teachers]
        halves = [own(student.embedding)]
        halves += [each(model.embedding, own.shared) for each, model in zip(others, teachers, strict=True)]
        branches = [node(half) for node, half in zip(self.nodes, halves, strict=True)]
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
        if self.homo is not None:
            found = self.homo([b.shared_logits for b in branches], [b.shared for b in branches])
            losses["homo"], logged = found.loss, logged | self._logged("homo", found)
        if self.hetero is not None:
            found = self.hetero([b.private_logits for b in branches], [b.private for b in branches])
            losses["hetero"], logged = found.loss, logged | self._logged("hetero", found)
        return MethodLosses(losses, logged)

    def _logged(self, graph: str, found: Distilled) -> dict[str, Tensor]:
        """Return the mean weights of a graph's edges, and the components of its loss."""
        means = zip(self.edges, found.weights.mean(0), strict=True)
        return {f"{graph} edge {name}": mean for name, mean in means} | {
            f"{graph} {name}": component for name, component in found.components.items()
        }

    def _margin(self, similar: list[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the margin loss on one random triplet per utterance and model, and the share without a negative."""
        drawn = []
        for place in range(len(similar)):
            step = torch.randint(1, len(similar), labels.shape, generator=self.draws).to(labels.device)
            model = (place + step) % len(similar)
            row = draw_positives(labels, self.classes, self.draws)
            positive = torch.stack(similar)[model, row]
            negative = draw_negatives(labels, self.classes, "one", self.draws)[:, 0]
            drawn.append((similar[place], positive, similar[place][negative.clamp(min=0)], negative >= 0))
        anchor, positive, negative, there = (torch.cat(column) for column in zip(*drawn, strict=True))
        return margin_loss(anchor, positive, negative, there, self.settings.margin), (~there).float().mean()


@register("dmd-online", DmdOnlineSettings)
class DmdOnlineDistillation(DmdDistillation):
    """DMD without a frozen teacher: a video model is trained next to the student, and each is distilled into the other.

    The video model has the student's architecture without additional heads. It is discarded after training.
    """

    needs_teacher = False
    several_teachers = False
    auxiliary_streams = ("visual",)
    mutual = True

    def __init__(self, setup: MethodSetup[Any]) -> None:
        super().__init__(setup)
        self.bf16 = setup.spec.precision == "bf16"
        config = replace(setup.model.config, width=setup.auxiliary_width, projected=0, decoupled=0, hallucinated=0)
        with seeded(setup.seed, "weights beside"):  # part of the seed: changing it changes every number
            self.peer = COGMEN(config)

    @classmethod
    def check(cls, settings: DmdSettings, arm: Arm) -> None:
        """Refuse a student that has video itself, because the model trained next to it is the video model."""
        super().check(settings, arm)
        if arm.train != "A":
            raise InvalidDefinition(
                f"train = {arm.train!r} must be 'A', because the video model is trained next to a speech-only student"
            )

    @staticmethod
    def sources(setup: MethodSetup[Any]) -> tuple[list[str], list[int]]:
        """Return the video model, whose embeddings are as wide as the student's."""
        return ["video model"], [setup.embedding_width]

    def peer_outputs(self, batch: Batch) -> list[UtteranceOutputs]:
        """Return the outputs of the video model."""
        assert batch.auxiliary is not None
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self.bf16):
            output = self.peer(batch.auxiliary, batch.lengths, batch.speakers)
        return [UtteranceOutputs(output.graph.float(), output.log_prob)]


def orthogonality(shared: Tensor, private: Tensor) -> Tensor:
    """Return the mean over utterances of the positive part of the cosine between both halves; 1 if they are equal."""
    return F.cosine_similarity(shared, private).relu().mean()


def margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, there: Tensor, margin: float) -> Tensor:
    """Compute max(margin - cos(a, p) + cos(a, n), 0), averaged over the anchors that have a negative; 0 if none has.

    A positive is another model's embedding of an utterance of the same class, a negative the same model's embedding of
    an utterance of another class (DMD's text; its code takes either from any model).

    Shapes:
        anchor, positive, negative: (N, d); there: (N,) bool.
    """
    near, far = F.cosine_similarity(anchor, positive), F.cosine_similarity(anchor, negative)
    return ((margin - near + far).relu() * there).sum() / there.sum().clamp(min=1)


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()
