"""MT-PKDOT's first stage: adapters that take the embeddings of single-stream teachers near the joint teacher's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.rng import generator, seeded
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from replicate.training.distillation_config import Alignment
from replicate.training.metrics import weighted_f1


class Adapter(nn.Module):
    """An affine map of limited rank into the joint teacher's space, and a classifier there."""

    def __init__(self, width: int, joint: int, rank: int, classes: int) -> None:
        super().__init__()
        # Two linear layers with nothing between them, as released.
        self.down, self.up = nn.Linear(width, min(rank, width, joint)), nn.Linear(min(rank, width, joint), joint)
        self.head = nn.Linear(joint, classes)

    def forward(self, embedding: Tensor) -> UtteranceOutputs:
        """What the adapted teacher says."""
        moved = self.up(self.down(embedding))
        return UtteranceOutputs(moved, self.head(moved).log_softmax(-1))


class MovingJoint(nn.Module):
    """The joint embedding where it may move towards the others: a linear map that begins as the identity."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.move, self.head = nn.Linear(width, width), nn.Linear(width, classes)
        nn.init.eye_(self.move.weight)
        nn.init.zeros_(self.move.bias)

    def forward(self, embedding: Tensor) -> UtteranceOutputs:
        """What the moved joint teacher says."""
        moved = self.move(embedding)
        return UtteranceOutputs(moved, self.head(moved).log_softmax(-1))


def alignment_loss(joint: UtteranceOutputs, others: Sequence[UtteranceOutputs], labels: Tensor, detach: bool) -> Tensor:
    """½ Σ (1 - cosine to the joint embedding) + ½ (cross-entropy of the heads, their mean; where the joint one moves,
    plus its own)."""
    target = joint.embedding.detach() if detach else joint.embedding
    distance = sum((1 - F.cosine_similarity(said.embedding, target)).mean() for said in others)
    nll = torch.stack([F.nll_loss(said.log_prob, labels) for said in others]).mean()
    if not detach:
        nll = nll + F.nll_loss(joint.log_prob, labels)
    return 0.5 * distance + 0.5 * nll


def align(
    teacher_outputs: Sequence[TeacherOutputs], labels: tuple[Tensor, Tensor], given: Alignment, seed: int
) -> tuple[list[UtteranceOutputs], dict[str, float]]:
    """What the teachers say of the training split once they are aligned, and what is to be logged of how they were.

    The first is the joint one.

    Adapters are those of the epoch with the best weighted F1 on dev, the mean over the heads that are trained, and of
    equals the last.

    Shapes:
        labels: of training and of dev, (N,) and (M,) int64.
    """
    joint, others = teacher_outputs[0], teacher_outputs[1:]
    if not others:
        return [joint.train], {}
    width, classes = joint.train.embedding.shape[1], joint.train.log_prob.shape[1]
    device = labels[0].device
    with seeded(seed, "alignment"):
        adapters = [Adapter(t.train.embedding.shape[1], width, given.rank, classes) for t in others]
        moving = None if given.detach_joint else MovingJoint(width, classes)
    whole = nn.ModuleList([*adapters, *([moving] if moving else [])]).to(device)
    groups = [{"params": [p for adapter in adapters for p in adapter.parameters()], "lr": given.learning_rate}]
    if moving:
        groups.append({"params": list(moving.parameters()), "lr": given.joint_learning_rate})
    optimizer = torch.optim.Adam(groups, fused=True)

    def say(split: str, rows: Tensor | slice) -> list[UtteranceOutputs]:
        said = [getattr(teacher, split) for teacher in teacher_outputs]
        first = UtteranceOutputs(*(field[rows] for field in said[0]))
        moved = [adapter(t.embedding[rows]) for adapter, t in zip(adapters, said[1:], strict=True)]
        return [moving(first.embedding) if moving else first, *moved]

    order = generator(seed, "alignment order")
    best, state, chosen = -1.0, {}, 0
    for epoch in range(1, given.epochs + 1):
        batches = torch.randperm(len(labels[0]), generator=order).to(device).split(given.batch)
        # As released, what does not fill a batch is left out; a split smaller than a batch is one.
        for rows in batches[:-1] if len(batches) > 1 and len(batches[-1]) < given.batch else batches:
            first, *rest = say("train", rows)
            optimizer.zero_grad(set_to_none=True)
            alignment_loss(first, rest, labels[0][rows], given.detach_joint).backward()
            optimizer.step()
        with torch.no_grad():
            judged = say("dev", slice(None))[0 if moving else 1 :]
            f1 = sum(weighted_f1(labels[1].cpu(), said.log_prob.cpu()) for said in judged) / len(judged)
        if f1 >= best:  # of equals the last, which is aligned the most
            best, chosen, state = f1, epoch, {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    if state:
        whole.load_state_dict(state)
    with torch.no_grad():
        said = say("train", slice(None))
    cosines = [float(F.cosine_similarity(x.embedding, said[0].embedding).mean()) for x in said[1:]]
    notes = {f"alignment cosine {number}": cosine for number, cosine in enumerate(cosines, 1)}
    return said, {"alignment epoch": float(chosen), "alignment dev F1": best, **notes}
