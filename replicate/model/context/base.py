"""Base class of context extractors, which compute node features from the utterances of a dialogue."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from replicate.errors import BadPlugin
from replicate.model.config import ModelConfig
from replicate.model.extractors.base import EXTRACTORS, ExtractorTraits, extractor_traits, register
from replicate.model.seed_layers import SeedBatch
from replicate.registry import implementation

__all__ = ["Extractor", "context_extractor", "register"]


class Extractor(ExtractorTraits, nn.Module):
    """Base of all context extractors.

    A subclass takes (width, hidden, layers, dropout, causal), or builds itself from a ``ModelConfig`` in
    ``from_config``. It implements ``forward``, which ``packed`` calls by default. What it declares about itself is in
    ``ExtractorTraits``.

    Attributes:
        attend_padding: whether this instance attends to padding.
    """

    attend_padding: bool = False

    @classmethod
    def from_config(cls, config: ModelConfig) -> Extractor:
        """Build the extractor of a configuration."""
        return cls(config.encoder_width, config.hidden, config.context_layers, config.dropout, config.causal)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Compute node features of padded dialogues.

        Shapes:
            x: (B, L, width), padding zero; present: (B, L) bool, false on padding. Returns (B, L, hidden).
        """
        raise NotImplementedError

    def packed(self, x: Tensor, lengths: Tensor, seed_batch: SeedBatch) -> Tensor:
        """Compute node features of packed utterances, equal to those of ``forward`` with padding masked out.

        Shapes:
            x: (M, width), dialogue after dialogue, in the rows of ``seed_batch``; lengths: (B,) int64.
            Returns (M, hidden).
        """
        if seed_batch.source is not None:
            raise ValueError(f"{type(self).__name__} trains one run at a time")
        present = torch.arange(int(lengths.max()), device=x.device) < lengths[:, None]
        padded = x.new_zeros(*present.shape, x.shape[1])
        padded[present] = x
        node: Tensor = self(padded, present)[present]
        return node


def context_extractor(name: str, where: str = "") -> type[Extractor]:
    """Return the class of a context extractor; ``where`` is the file and key that name it, for messages.

    Raises:
        InvalidDefinition: no extractor has this name. BadPlugin: the class with this name is not an ``Extractor``.
    """
    found = implementation(extractor_traits(name, where))
    if not issubclass(found, Extractor):
        raise BadPlugin(f"plugin {EXTRACTORS.module(name)}: {name!r} is no subclass of Extractor")
    return found
