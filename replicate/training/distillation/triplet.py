"""Distillation as in the paper: a student's embeddings are drawn to its teacher's by a triplet loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.rng import generator, seeded
from replicate.training import distillation_config as methods
from replicate.training.config import Triplet
from replicate.training.distillation.base import DistillationMethod, MethodLosses, UtteranceOutputs

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


def draw_positives(labels: Tensor, classes: int, draws: torch.Generator) -> Tensor:
    """For every utterance a row of its own class, drawn uniformly, itself among them: (N,)."""
    counts = torch.bincount(labels, minlength=classes)
    starts = counts.cumsum(0) - counts
    chance = torch.rand(len(labels), generator=draws).to(labels.device)
    return labels.argsort(stable=True)[starts[labels] + (chance * counts[labels]).long()]


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


class TripletDistillation(DistillationMethod):
    """The paper's method.

    Args:
        width: of the student's embedding; a narrower one than the teacher's goes through a learned linear map that is
            used in training alone (not in the paper, which does not say how 300 numbers are matched with 700).
    """

    def __init__(self, given: methods.Triplet, form: Triplet, width: int, target: int, classes: int, seed: int) -> None:
        super().__init__({"triplet": given.triplet_weight}, given.nll_weight)
        self.form, self.classes = form, classes
        self.draws = generator(seed, "negatives")
        with seeded(seed, "adapter"):
            self.adapter = nn.Linear(width, target, bias=False) if width < target else nn.Identity()

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """The triplet loss to the first teacher."""
        negative = draw_negatives(labels, self.classes, self.form, self.draws)
        loss = triplet_loss(self.adapter(student.embedding), teachers[0].embedding, negative, self.form)
        return MethodLosses({"triplet": loss}, {"anchors without a negative": (negative < 0).all(1).float().mean()})
