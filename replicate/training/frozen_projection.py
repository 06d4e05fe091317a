"""Projections of HuBERT features that are not trained with the model: random ones, and principal components.

A random projection is the released code's, with a bias, drawn once and shared by all models and seeds. Principal
components are not in the paper: no linear map to the same width keeps more of the features' variance, so their score
shows how much the narrower width itself costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from replicate.model.cogmen import COGMEN
from replicate.rng import seeded
from replicate.training.config import Projection
from replicate.training.data import Batch

# Seed of the projection that all models share; the released code does not state one.
SHARED_SEED = 24


@torch.no_grad()
def freeze(projection: Projection, models: Sequence[COGMEN], train: Batch) -> None:
    """Set the projection of models of one shape. A learned one and one for each run keep their initial weights.

    Args:
        train: the training split, from which principal components are computed.
    """
    config = models[0].config
    if projection == "random":
        with seeded(SHARED_SEED, "hubert projection"):
            shared = nn.Linear(config.projected, config.hidden)  # on the CPU: the same numbers for every device
        for model in models:
            model.projection.load_state_dict(shared.state_dict())
    if projection == "pca":
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
