"""Distillation as in the paper: a student's embeddings are drawn to its teacher's by a triplet loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.cogmen import Output
from replicate.rng import generator, seeded
from replicate.training.settings import RunSpec, Triplet

MARGIN = 1.0


def draw_negatives(labels: Tensor, classes: int, form: Triplet, draws: torch.Generator) -> Tensor:
    """Rows of other classes to push away from, drawn uniformly; -1 where the batch has none.

    Shapes:
        labels: (N,) int64. Returns (N, 1) for "one", an utterance of any other class; (N, classes) for "n-way",
        one for every other class.
    """
    n = len(labels)
    by_class = labels.argsort(stable=True)
    counts = torch.bincount(labels, minlength=classes)
    starts = counts.cumsum(0) - counts
    chance = torch.rand(n, 1 if form == "one" else classes, generator=draws).to(labels.device)
    if form == "one":
        own = counts[labels][:, None]
        others = n - own
        place = (chance * others).long()
        # In the order by class, what stands at or after the anchor's own class moves on by that class's size.
        place += torch.where(place >= starts[labels][:, None], own, 0)
        absent = others == 0
    else:
        place = starts + (chance * counts).long()
        absent = (counts == 0) | (labels[:, None] == torch.arange(classes, device=labels.device))
    return by_class[place.clamp(max=n - 1)].masked_fill(absent, -1)


def triplet_loss(student: Tensor, teacher: Tensor, negative: Tensor, form: Triplet) -> Tensor:
    """max(k·d⁺ - Σ d⁻ + 1, 0) over an anchor's k negatives: mean over anchors for "one", their sum for "n-way".

    d⁺ is the distance of a student's embedding to its teacher's of the same utterance, d⁻ to the teacher's of a
    negative. An anchor without a negative adds a constant: it has no gradient.

    Shapes:
        student, teacher: (N, d); negative: (N, k) rows of ``teacher``, -1 for none. Returns a scalar.
    """
    there = negative >= 0
    to_own = F.pairwise_distance(student, teacher)
    to_negative = F.pairwise_distance(student[:, None], teacher[negative.clamp(min=0)])
    loss = (there.sum(1) * to_own - (to_negative * there).sum(1) + MARGIN).relu()
    return loss.mean() if form == "one" else loss.sum()


class Distillation(nn.Module):
    """The loss of a student: triplet to a frozen teacher plus cross-entropy, each with its weight.

    Args:
        spec: of the student.
        teacher: (utterances of the training split, d), the teacher's embeddings, packed in the corpus's order.
        width: of the student's embedding. A narrower one goes through a learned linear map that is used in
            training alone (not in the paper, which does not say how 300 numbers are matched with 700).
        classes: of the corpus.
    """

    teacher: Tensor

    def __init__(self, spec: RunSpec, teacher: Tensor, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("teacher", teacher, persistent=False)
        self.form = spec.protocol.triplet
        self.weights = spec.arm.triplet_weight, spec.arm.nll_weight
        self.classes = classes
        self.draws = generator(spec.seed, "negatives")
        with seeded(spec.seed, "adapter"):
            self.adapter = nn.Linear(width, teacher.shape[1], bias=False) if width < teacher.shape[1] else nn.Identity()

    def forward(self, output: Output, labels: Tensor, rows: Tensor) -> Tensor:
        """The loss of one batch.

        Shapes:
            labels, rows: (N,), packed like the output; rows says which of the teacher's embeddings is whose.
        """
        negative = draw_negatives(labels, self.classes, self.form, self.draws)
        triplet = triplet_loss(self.adapter(output.graph), self.teacher[rows], negative, self.form)
        return self.weights[0] * triplet + self.weights[1] * F.nll_loss(output.log_prob, labels)
