"""DMD's margin loss in both forms, and its orthogonality loss. Not in the paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.training.distillation.triplet import draw_negatives, draw_positives


def orthogonality(shared: Tensor, private: Tensor) -> Tensor:
    """Return the mean over utterances of the positive part of the cosine between both halves; 1 if they are equal."""
    return F.cosine_similarity(shared, private).relu().mean()


def margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, there: Tensor, margin: float) -> Tensor:
    """Compute max(margin - cos(a, p) + cos(a, n), 0), averaged over the anchors that have a negative; 0 if none has.

    Shapes:
        anchor, positive, negative: (N, d); there: (N,) bool.
    """
    near, far = F.cosine_similarity(anchor, positive), F.cosine_similarity(anchor, negative)
    return ((margin - near + far).relu() * there).sum() / there.sum().clamp(min=1)


def drawn_margin(
    similar: Sequence[Tensor], labels: Tensor, classes: int, margin: float, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Compute the loss of DMD's text on one random triplet per utterance and node.

    The positive is another node's embedding of an utterance of the same class, the negative the same node's embedding
    of an utterance of another class.

    Shapes:
        similar: (N, d) of each node; labels: (N,). Returns two scalars: the loss, and the share without a negative.
    """
    drawn = []
    for place in range(len(similar)):
        step = torch.randint(1, len(similar), labels.shape, generator=draws).to(labels.device)
        model = (place + step) % len(similar)
        row = draw_positives(labels, classes, draws)
        positive = torch.stack(list(similar))[model, row]
        negative = draw_negatives(labels, classes, "one", draws)[:, 0]
        drawn.append((similar[place], positive, similar[place][negative.clamp(min=0)], negative >= 0))
    anchor, positive, negative, there = (torch.cat(column) for column in zip(*drawn, strict=True))
    return margin_loss(anchor, positive, negative, there, margin), (~there).float().mean()


def all_pairs_margin(similar: Sequence[Tensor], labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Compute the loss of DMD's code: the mean over all positives and negatives of an anchor, then over anchors.

    Positives are all other embeddings of the anchor's class, negatives those of other classes, both of any node. The
    released margin is 0.15 times the difference of two scores. Classes have no order, so any two of them differ by 1
    here, and the margin is a constant. Memory grows with the third power of nodes times utterances.

    Shapes:
        similar: (N, d) of each node; labels: (N,). Returns two scalars, see ``drawn_margin``.
    """
    embedding, label = torch.cat(list(similar)), labels.repeat(len(similar))
    unit = F.normalize(embedding)
    cosine = unit @ unit.T
    same = label[:, None] == label
    positive = same & ~torch.eye(len(label), dtype=torch.bool, device=label.device)
    # (anchors, positives, negatives)
    hinge = (margin - cosine[:, :, None] + cosine[:, None]).relu() * (positive[:, :, None] & ~same[:, None])
    pairs = positive.sum(1) * (~same).sum(1)
    there = pairs > 0
    return (hinge.sum((1, 2)) / pairs.clamp(min=1)).sum() / there.sum().clamp(min=1), (~there).float().mean()
