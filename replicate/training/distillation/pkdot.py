"""PKDOT and MT-PKDOT: a batch's structure of similarities goes from teachers to the student by optimal transport."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.rng import generator
from replicate.training.distillation.base import DistillationMethod, MethodLosses, UtteranceOutputs
from replicate.training.distillation_config import LEAST, MtPkdot


def similarities(embedding: Tensor) -> Tensor:
    """Cosines between all utterances (N, N); a zero vector is like nothing, itself included, and gets no gradient."""
    size = embedding.norm(dim=1, keepdim=True)
    there = size > 1e-8
    unit = torch.where(there, embedding, 0) / torch.where(there, size, 1)
    return unit @ unit.T


def anchors(similarity: Tensor, which: str, count: int) -> Tensor:
    """Columns (N, k) that the rows of a teacher's similarities are compared at; at most N - 1, but for "all"."""
    n = len(similarity)
    if which == "all":
        return torch.arange(n, device=similarity.device).expand(n, n)
    count = min(count, n - 1)
    if which == "shared_lowest":
        return similarity.mean(0).topk(count, largest=False).indices.expand(n, count)
    if which == "row_highest":
        # An utterance is most like itself, whatever the embedding.
        itself = torch.eye(n, dtype=torch.bool, device=similarity.device)
        return similarity.masked_fill(itself, -torch.inf).topk(count).indices
    return similarity.topk(count, largest=False).indices


def transport(student: Tensor, teacher: Tensor, blur: float) -> Tensor:
    """The debiased Sinkhorn divergence between two clouds (N, k) of equal weights; cost is half the squared distance.

    Same points, in whatever order, are at distance zero.
    """
    from geomloss import SamplesLoss

    with torch.no_grad():
        both = torch.cat([student, teacher])
        # The annealing begins at the clouds' diameter, which must not be below the blur where it ends.
        diameter = max(float((both.amax(0) - both.amin(0)).norm()), blur)
    loss: Tensor = SamplesLoss("sinkhorn", p=2, blur=blur, diameter=diameter, backend="tensorized")(student, teacher)
    return loss


def structure_loss(student: Tensor, teacher: Tensor, given: MtPkdot) -> tuple[Tensor, Tensor]:
    """Transport between rows of shifted similarities at the teacher's anchors, and the distance of their means.

    Shapes:
        student (N, d), teacher (N, d'): embeddings of the same utterances; no gradient reaches the teacher's.
    """
    ours, theirs = similarities(student), similarities(teacher.detach())
    columns = anchors(theirs, given.anchors, given.anchor_count)
    mine, target = ((s - s.min()).gather(1, columns) for s in (ours, theirs))
    cost = transport(mine, target, given.blur)
    if given.scale_by_count:
        cost = cost / columns.shape[1]
    return cost, torch.linalg.vector_norm(theirs.mean(0) - ours.mean(0))


class TransportDistillation(DistillationMethod):
    """MT-PKDOT, and PKDOT with ``select = "joint_only"``. Teachers are aligned: their embeddings have one width.

    Args:
        names: of the teachers, for the log.
    """

    def __init__(self, given: MtPkdot, names: Sequence[str], seed: int) -> None:
        weights = {"transport": given.transport_weight, "centroid": given.centroid_weight}
        super().__init__(weights, given.nll_weight)
        self.given, self.names = given, names
        self.draws = generator(seed, "transport")

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Transport and centroid; too small a batch has neither."""
        teacher, chosen = self.choose(teachers, labels)
        notes = {f"chosen {name}": share for name, share in zip(self.names, chosen, strict=True)}
        n = len(labels)
        rows = torch.randperm(n, generator=self.draws)[: self.given.utterances].to(labels.device)
        if len(rows) < LEAST:
            return MethodLosses({}, notes | {"without transport": torch.ones(())})
        cost, centroid = structure_loss(student.embedding[rows], teacher[rows], self.given)
        notes |= {"without transport": torch.zeros(())}
        # The released code would stop with an error where a batch is no larger than the anchors are many.
        notes |= {"fewer anchors": torch.tensor(float(len(rows) <= self.given.anchor_count))}
        return MethodLosses({"transport": cost, "centroid": centroid}, notes)

    def choose(self, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The embeddings (N, d) that the student learns from, and which share of them is each teacher's."""
        loss = torch.stack([F.nll_loss(said.log_prob, labels, reduction="none") for said in teachers])
        select = self.given.select
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
        embeddings = torch.stack([said.embedding for said in teachers])
        return embeddings[index, torch.arange(len(labels), device=labels.device)], share
