"""Projection of HuBERT features on their principal components, computed before training and frozen. Not in the paper.

No linear map to the same width keeps more of the features' variance, so its score shows how much the narrower width
itself costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from replicate.model.cogmen import COGMEN
from replicate.training.data import Batch


@torch.no_grad()
def init_projection_with_pca(models: Sequence[COGMEN], train: Batch) -> None:
    """Set the projection of models of one shape to the principal components of the training split's features."""
    config = models[0].config
    rows = train.x[train.present][:, : config.projected]
    # On the CPU, single-threaded inside ``rng.deterministic``: the same bits with any number of workers.
    weight = components(rows.cpu(), config.hidden)
    for model in models:
        model.projection.weight.copy_(weight)


def components(rows: Tensor, count: int) -> Tensor:
    """Return the linear map to the first ``count`` principal components, in order of decreasing variance.

    All components are divided by the same number, so that their mean variance is 1 like that of standardised features,
    without whitening. If there are fewer components than ``count``, the remaining outputs are zero. Signs are chosen so
    that the entry of largest magnitude in each component is positive.

    Shapes:
        rows: (n, columns), on the CPU; returns (count, columns) float64.
    """
    centred = rows.double()
    centred = centred - centred.mean(0)
    variances, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
    variances, vectors = variances.flip(0)[:count], vectors.flip(1).T[:count]
    # Features are float32: smaller variances are rounding.
    there = variances > variances[0] * max(rows.shape) * torch.finfo(torch.float32).eps ** 2
    found = torch.zeros(count, rows.shape[1], dtype=torch.float64)
    if there.any():
        kept = vectors[there]
        largest = kept.gather(1, kept.abs().argmax(1, keepdim=True))
        found[: len(kept)] = kept * largest.sign() / variances[there].mean().sqrt()
    return found
