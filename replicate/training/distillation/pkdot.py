"""PKDOT and MT-PKDOT: optimal transport matches the similarity structure of a batch to that of a teacher.

From PKDOT (arXiv 2401.15489) and MT-PKDOT (arXiv 2408.09035), adapted to a speech-only student of teachers that also
have video; not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.rng import generator
from replicate.training.distillation.base import (
    DistillationMethod,
    MethodLosses,
    MethodSetup,
    UtteranceOutputs,
)
from replicate.training.distillation.hallucination import guess_loss
from replicate.training.distillation.teacher_alignment import align
from replicate.training.methods.pkdot import LEAST_UTTERANCES, MtPkdotSettings, TransportTraits


def similarities(embedding: Tensor) -> Tensor:
    """Return cosines between all utterances (N, N); a zero vector has cosine 0, even to itself, and no gradient."""
    size = embedding.norm(dim=1, keepdim=True)
    there = size > 1e-8
    unit = torch.where(there, embedding, 0) / torch.where(there, size, 1)
    return unit @ unit.T


def anchors(similarity: Tensor, which: str, count: int) -> Tensor:
    """Return the columns (N, k) at which rows of similarities are compared; k is at most N - 1 except for "all"."""
    n = len(similarity)
    if which == "all":
        return torch.arange(n, device=similarity.device).expand(n, n)
    count = min(count, n - 1)
    if which == "shared_lowest":
        return similarity.mean(0).topk(count, largest=False).indices.expand(n, count)
    if which == "row_highest":
        # An utterance is always most similar to itself.
        itself = torch.eye(n, dtype=torch.bool, device=similarity.device)
        return similarity.masked_fill(itself, -torch.inf).topk(count).indices
    return similarity.topk(count, largest=False).indices


def transport(student: Tensor, teacher: Tensor, blur: float) -> Tensor:
    """Compute the debiased Sinkhorn divergence of two clouds of points (N, k); the cost is half the squared distance.

    It is 0 for the same points in any order.
    """
    from geomloss import SamplesLoss

    with torch.no_grad():
        both = torch.cat([student, teacher])
        # Annealing goes from the diameter of both clouds down to the blur.
        diameter = max(float((both.amax(0) - both.amin(0)).norm()), blur)
    loss: Tensor = SamplesLoss("sinkhorn", p=2, blur=blur, diameter=diameter, backend="tensorized")(student, teacher)
    return loss


def structure_loss(student: Tensor, teacher: Tensor, settings: MtPkdotSettings) -> tuple[Tensor, Tensor]:
    """Compute the transport cost between rows of similarities to the anchors, and the distance of their means.

    Shapes:
        student (N, d), teacher (N, d'): embeddings of the same utterances; the teacher's get no gradient. Returns two
        scalars.
    """
    ours, theirs = similarities(student), similarities(teacher.detach())
    columns = anchors(theirs, settings.anchors, settings.anchor_count)
    mine, target = ((s - s.min()).gather(1, columns) for s in (ours, theirs))
    cost = transport(mine, target, settings.blur)
    if settings.scale_by_count:
        cost = cost / columns.shape[1]
    return cost, torch.linalg.vector_norm(theirs.mean(0) - ours.mean(0))


class TransportDistillation(TransportTraits, DistillationMethod):
    """MT-PKDOT; PKDOT with ``select = "joint_only"``.

    Unless only the joint teacher is used, the teachers are aligned first, so that their embeddings have the same width.
    With ``hallucinate``, ``forward`` gets one more entry: the teacher without audio, before alignment.
    """

    def __init__(self, setup: MethodSetup[MtPkdotSettings]) -> None:
        settings = setup.settings
        weights = {"transport": settings.transport_weight, "centroid": settings.centroid_weight}
        if settings.hallucinate != "off":
            weights["hallucination"] = settings.hallucination_weight
        super().__init__(setup, weights)
        self.settings, self.names = settings, setup.teacher_names
        self.draws = generator(setup.seed, "transport")
        if settings.select != "joint_only":
            aligned = align(setup.teacher_outputs, setup.labels, settings.alignment, setup.seed)
            self.train_outputs, self.constants = aligned
        self._model = [setup.model]  # in a list, so that it does not become part of this module
        if settings.hallucinate != "off":
            place = [teacher.uses_audio for teacher in setup.spec.arm.teachers].index(False)
            self.train_outputs = [*self.train_outputs, setup.teacher_outputs[place].train]

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Compute the transport and centroid losses, unless the batch is too small, and the loss of the head."""
        hallucinate = self.settings.hallucinate
        if hallucinate == "off":
            return self._structure(student, teachers, labels)
        *teachers, target = teachers
        losses, logged = self._structure(student, teachers, labels)
        head = self._model[0].hallucinator
        assert head is not None
        loss = guess_loss(head(student.embedding.detach()), target.embedding, hallucinate)
        return MethodLosses({**losses, "hallucination": loss}, logged)

    def _structure(
        self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor
    ) -> MethodLosses:
        """Compute the transport loss and the centroid loss."""
        teacher, chosen = self.choose(teachers, labels)
        logged = {f"chosen {name}": share for name, share in zip(self.names, chosen, strict=True)}
        n = len(labels)
        rows = torch.randperm(n, generator=self.draws)[: self.settings.utterances].to(labels.device)
        if len(rows) < LEAST_UTTERANCES:
            return MethodLosses({}, logged | {"without transport": torch.ones(())})
        cost, centroid = structure_loss(student.embedding[rows], teacher[rows], self.settings)
        logged |= {"without transport": torch.zeros(())}
        # The released code stops with an error if a batch has no more utterances than anchors.
        logged |= {"fewer anchors": torch.tensor(float(len(rows) <= self.settings.anchor_count))}
        return MethodLosses({"transport": cost, "centroid": centroid}, logged)

    def choose(self, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the target embeddings (N, d), and for each teacher the share of utterances whose target it is."""
        loss = torch.stack([F.nll_loss(each.log_prob, labels, reduction="none") for each in teachers])
        select = self.settings.select
        if select == "sample":
            index = loss.argmin(0)
        else:
            one = torch.zeros((), dtype=torch.int64)
            if select == "batch":
                one = loss.mean(1).argmin()
            elif select == "uniform":
                one = torch.randint(len(teachers), (), generator=self.draws)
            index = one.to(labels.device).expand(len(labels))
        share = torch.bincount(index, minlength=len(teachers)) / len(labels)
        if select == "joint_only":
            return teachers[0].embedding, share
        embeddings = torch.stack([each.embedding for each in teachers])
        return embeddings[index, torch.arange(len(labels), device=labels.device)], share
