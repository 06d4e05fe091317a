"""Splits an utterance's embedding into a half that streams share and a private one (DMD; not in the paper)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from replicate.model.seed_layers import layer_norm, linear


class Decoupled(NamedTuple):
    """Both halves of an embedding.

    Shapes:
        common: (N, space), the embedding in the common space, before it is split; shared, private: (N, space).
    """

    common: Tensor
    shared: Tensor
    private: Tensor


class Decoupler(nn.Module):
    """A linear layer and LayerNorm into a common space, then a linear map for each half, as in DMD.

    Args:
        owns_shared: whether this module holds the map to the shared half, which all models have in common.
    """

    def __init__(self, width: int, space: int, owns_shared: bool = True) -> None:
        super().__init__()
        self.project, self.norm = nn.Linear(width, space), nn.LayerNorm(space)
        self.shared = nn.Linear(space, space, bias=False) if owns_shared else None
        self.private = nn.Linear(space, space, bias=False)

    def forward(self, embedding: Tensor, shared: nn.Linear | None = None) -> Decoupled:
        """Split embeddings (N, width); ``shared`` is the map to the shared half if this module does not hold it."""
        shared = shared or self.shared
        assert shared is not None
        common = layer_norm(self.norm, linear(embedding, self.project.weight, self.project.bias))
        return Decoupled(common, linear(common, shared.weight, None), linear(common, self.private.weight, None))
