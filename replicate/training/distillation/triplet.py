"""Distillation as in the paper: a triplet loss pulls the student's embeddings towards its teacher's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.rng import generator, seeded
from replicate.training.config import TripletForm
from replicate.training.distillation.base import (
    DistillationMethod,
    MethodLosses,
    MethodSetup,
    UtteranceOutputs,
)
from replicate.training.methods.triplet import TripletSettings, TripletTraits

MARGIN = 1.0


def draw_negatives(labels: Tensor, classes: int, form: TripletForm, draws: torch.Generator) -> Tensor:
    """Draw negatives uniformly: rows of other classes, -1 where the batch has none.

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
        # In the order by class, skip the anchor's own class.
        place += torch.where(place >= starts[labels][:, None], own, 0)
        absent = others == 0
    else:
        place = starts + (chance * counts).long()
        absent = (counts == 0) | (labels[:, None] == torch.arange(classes, device=labels.device))
    return by_class[place.clamp(max=n - 1)].masked_fill(absent, -1)


def draw_positives(labels: Tensor, classes: int, draws: torch.Generator) -> Tensor:
    """Draw for every utterance a row of its own class (N,), uniformly; it may be the utterance itself."""
    counts = torch.bincount(labels, minlength=classes)
    starts = counts.cumsum(0) - counts
    chance = torch.rand(len(labels), generator=draws).to(labels.device)
    return labels.argsort(stable=True)[starts[labels] + (chance * counts[labels]).long()]


def triplet_loss(student: Tensor, teacher: Tensor, negative: Tensor, form: TripletForm) -> Tensor:
    """Compute max(k·d⁺ - Σ d⁻ + 1, 0) for an anchor's k negatives: averaged for "one", summed for "n-way".

    d⁺ is the distance of the student's embedding to the teacher's embedding of the same utterance, d⁻ to the teacher's
    embedding of a negative. An anchor without a negative adds a constant, which has no gradient. "one" is the triplet
    loss in the paper's text, "n-way" that of the released code.

    Shapes:
        student, teacher: (N, d); negative: (N, k) rows of ``teacher``, -1 for none. Returns a scalar.
    """
    there = negative >= 0
    to_own = F.pairwise_distance(student, teacher)
    to_negative = F.pairwise_distance(student[:, None], teacher[negative.clamp(min=0)])
    loss = (there.sum(1) * to_own - (to_negative * there).sum(1) + MARGIN).relu()
    return loss.mean() if form == "one" else loss.sum()


class TripletDistillation(TripletTraits, DistillationMethod):
    """The paper's method.

    If the student's embedding is narrower or wider than the teacher's, a linear map of it is compared. The map is
    trained with the student and discarded afterwards (not in the paper, which does not say how 300 columns are compared
    with 700, or the 700 of a student with those of a teacher that has 1 head).
    """

    def __init__(self, setup: MethodSetup[TripletSettings]) -> None:
        super().__init__(setup, {"triplet": setup.settings.triplet_weight})
        self.form, self.classes = setup.spec.protocol.triplet, setup.classes
        self.draws = generator(setup.seed, "negatives")
        width, target = setup.embedding_width, setup.teacher_widths[0]
        with seeded(setup.seed, "adapter"):
            self.adapter = nn.Linear(width, target, bias=False) if width != target else nn.Identity()

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Compute the triplet loss to the first teacher."""
        negative = draw_negatives(labels, self.classes, self.form, self.draws)
        loss = triplet_loss(self.adapter(student.embedding), teachers[0].embedding, negative, self.form)
        return MethodLosses({"triplet": loss}, {"anchors without a negative": (negative < 0).all(1).float().mean()})
