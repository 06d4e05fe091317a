"""Small models with nothing at its initial value, and padded batches of random dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.rng import seeded
from replicate.training.data import Batch

SMALL: dict[str, Any] = {"width": 6, "hidden": 8, "gnn_heads": 3, "feed_forward": 16, "dropout": 0.0}


def small_model(seed: int = 0, **config: Any) -> COGMEN:
    """A model in eval mode whose BatchNorm is not the identity."""
    with seeded(seed, "small model"):
        model = COGMEN(ModelConfig(**{**SMALL, **config}))
        model.gcn.bn.running_mean.normal_(0, 0.3)
        model.gcn.bn.running_var.uniform_(0.5, 2)
        for parameter in model.gcn.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
    return model.eval()


def batch(lengths: Sequence[int], width: int = 6, speakers: int = 2, seed: int = 0) -> Batch:
    """Random dialogues, padded with zeros to the longest."""
    draws = torch.Generator().manual_seed(seed)
    size = (len(lengths), max(lengths))
    present = torch.arange(size[1]) < torch.tensor(lengths)[:, None]
    return Batch.whole(
        torch.randn(*size, width, generator=draws) * present[..., None],
        torch.tensor(lengths),
        torch.randint(speakers, size, generator=draws) * present,
        torch.randint(4, size, generator=draws) * present,
    )
