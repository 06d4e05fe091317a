"""HuBERT features projected on their principal components: a fixed linear map, made before training. Not in the paper.

It keeps as much of the features' variance as a linear map of its width can: what it loses, the width costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from replicate.model.cogmen import COGMEN
from replicate.training.data import Batch


@torch.no_grad()
def init_projection_with_pca(models: Sequence[COGMEN], train: Batch) -> None:
    """Set the projection of models of one shape to the principal components of what it gets of the training split."""
    config = models[0].config
    rows = train.x[train.present][:, : config.projected]
    # On the CPU, single-threaded inside ``rng.deterministic``: the same bits however many runs train beside.
    weight = components(rows.cpu(), config.hidden)
    for model in models:
        model.projection.weight.copy_(weight)


def components(rows: Tensor, count: int) -> Tensor:
    """The linear map to the first principal components, those with the largest variance first.

    All are divided by one number, so that their mean variance is one, as that of the standardised features; their
    ratios stay (no whitening). Where there are fewer components than ``count``, for want of rows or columns, the
    remaining outputs are zero. The largest entry of a component is positive.

    Shapes:
        rows: (n, columns), on the CPU; returns (count, columns) float64.
    """
    centred = rows.double()
    centred = centred - centred.mean(0)
    variances, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
    variances, vectors = variances.flip(0)[:count], vectors.flip(1).T[:count]
    # Features come in 32 bits: less than this is their rounding.
    there = variances > variances[0] * max(rows.shape) * torch.finfo(torch.float32).eps ** 2
    found = torch.zeros(count, rows.shape[1], dtype=torch.float64)
    if there.any():
        kept = vectors[there]
        largest = kept.gather(1, kept.abs().argmax(1, keepdim=True))
        found[: len(kept)] = kept * largest.sign() / variances[there].mean().sqrt()
    return found
