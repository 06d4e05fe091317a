"""MT-PKDOT's first stage: adapters align single-stream teachers with the joint teacher. Not in the paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.rng import generator, seeded
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from replicate.training.methods.pkdot import AlignmentSettings
from replicate.training.metrics import weighted_f1


class Adapter(nn.Module):
    """An affine map of limited rank into the joint teacher's space, and a classifier there."""

    def __init__(self, width: int, joint: int, rank: int, classes: int) -> None:
        super().__init__()
        # Two linear layers with nothing between them, as released.
        self.down, self.up = nn.Linear(width, min(rank, width, joint)), nn.Linear(min(rank, width, joint), joint)
        self.head = nn.Linear(joint, classes)

    def forward(self, embedding: Tensor) -> UtteranceOutputs:
        """Return the outputs of the adapted teacher for embeddings (N, width)."""
        moved = self.up(self.down(embedding))
        return UtteranceOutputs(moved, self.head(moved).log_softmax(-1))


class MovingJoint(nn.Module):
    """A trained linear map of the joint embedding that starts as the identity (``detach_joint = False``)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.move, self.head = nn.Linear(width, width), nn.Linear(width, classes)
        nn.init.eye_(self.move.weight)
        nn.init.zeros_(self.move.bias)

    def forward(self, embedding: Tensor) -> UtteranceOutputs:
        """Return the outputs of the joint teacher after the map, for embeddings (N, width)."""
        moved = self.move(embedding)
        return UtteranceOutputs(moved, self.head(moved).log_softmax(-1))


def alignment_loss(joint: UtteranceOutputs, others: Sequence[UtteranceOutputs], labels: Tensor, detach: bool) -> Tensor:
    """Compute ½ Σ (1 - cosine to the joint embedding) + ½ cross-entropy.

    The sum is over the other teachers. The cross-entropy is averaged over their classifiers; that of the joint teacher
    is added if its embedding is trained.
    """
    target = joint.embedding.detach() if detach else joint.embedding
    distance = sum((1 - F.cosine_similarity(each.embedding, target)).mean() for each in others)
    nll = torch.stack([F.nll_loss(each.log_prob, labels) for each in others]).mean()
    if not detach:
        nll = nll + F.nll_loss(joint.log_prob, labels)
    return 0.5 * distance + 0.5 * nll


def align(
    teacher_outputs: Sequence[TeacherOutputs], labels: tuple[Tensor, Tensor], settings: AlignmentSettings, seed: int
) -> tuple[list[UtteranceOutputs], dict[str, float]]:
    """Train the adapters; return the aligned teachers' outputs on the training split, and values to log.

    The first teacher is the joint one. The adapters are taken from the epoch with the best dev weighted F1, averaged
    over the trained classifiers; of equally good epochs the last.

    Shapes:
        labels: of training and of dev, (N,) and (M,) int64.
    """
    joint, others = teacher_outputs[0], teacher_outputs[1:]
    if not others:
        return [joint.train], {}
    width, classes = joint.train.embedding.shape[1], joint.train.log_prob.shape[1]
    with seeded(seed, "alignment"):
        adapters = [Adapter(t.train.embedding.shape[1], width, settings.rank, classes) for t in others]
        moving = None if settings.detach_joint else MovingJoint(width, classes)
    device = labels[0].device
    whole = nn.ModuleList([*adapters, *([moving] if moving else [])]).to(device)
    optimizer = _optimizer(adapters, moving, settings)

    def aligned(split: str, rows: Tensor | slice) -> list[UtteranceOutputs]:
        inputs = [getattr(teacher, split) for teacher in teacher_outputs]
        first = UtteranceOutputs(*(field[rows] for field in inputs[0]))
        moved = [adapter(t.embedding[rows]) for adapter, t in zip(adapters, inputs[1:], strict=True)]
        return [moving(first.embedding) if moving else first, *moved]

    order = generator(seed, "alignment order")
    best, state, chosen = -1.0, {}, 0
    for epoch in range(1, settings.epochs + 1):
        batches = torch.randperm(len(labels[0]), generator=order).to(device).split(settings.batch)
        # As released, an incomplete last batch is skipped, unless it is the only one.
        for rows in batches[:-1] if len(batches) > 1 and len(batches[-1]) < settings.batch else batches:
            first, *rest = aligned("train", rows)
            optimizer.zero_grad(set_to_none=True)
            alignment_loss(first, rest, labels[0][rows], settings.detach_joint).backward()
            optimizer.step()
        with torch.no_grad():
            judged = aligned("dev", slice(None))[0 if moving else 1 :]
            f1 = sum(weighted_f1(labels[1].cpu(), each.log_prob.cpu()) for each in judged) / len(judged)
        if f1 >= best:  # of equally good epochs the last, which is the best aligned
            best, chosen, state = f1, epoch, {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    if state:
        whole.load_state_dict(state)
    with torch.no_grad():
        found = aligned("train", slice(None))
    cosines = [float(F.cosine_similarity(x.embedding, found[0].embedding).mean()) for x in found[1:]]
    logged = {f"alignment cosine {number}": cosine for number, cosine in enumerate(cosines, 1)}
    return found, {"alignment epoch": float(chosen), "alignment dev F1": best, **logged}


def _optimizer(
    adapters: Sequence[Adapter], moving: MovingJoint | None, settings: AlignmentSettings
) -> torch.optim.Optimizer:
    groups = [{"params": [p for adapter in adapters for p in adapter.parameters()], "lr": settings.learning_rate}]
    if moving:
        groups.append({"params": list(moving.parameters()), "lr": settings.joint_learning_rate})
    return torch.optim.Adam(groups, fused=True)
