"""The transformer context extractor, called "SeqContext" in the paper and its released code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from replicate.model.config import ModelConfig
from replicate.model.context.base import Extractor
from replicate.model.context.packed import blocks, causal_mask, encode
from replicate.model.extractors.transformer import TransformerTraits
from replicate.model.seed_layers import SeedBatch, linear


def encoder_heads(width: int) -> int:
    """Return the first number of heads from 7 to 14 that divides ``width``, else 1 (the released code's rule)."""
    return next((heads for heads in range(7, 15) if width % heads == 0), 1)


class TransformerExtractor(TransformerTraits, Extractor):
    """Post-norm transformer encoder without positions, then a linear layer to ``hidden`` (as in the released code).

    Args:
        width: columns of the input; the encoder works at this width.
        attend_padding: whether padding takes part in attention, as in the released code. A dialogue's output then
            depends on the longest dialogue of its batch.
        memory: for a causal transformer, how many utterances each one attends to: itself and those right before it.
            Padding comes later and is never attended to. None for a transformer that is not causal.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int,
        dropout: float,
        feed_forward: int = 2048,
        heads: int | None = None,
        attend_padding: bool = False,
        memory: int | None = None,
    ) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, heads or encoder_heads(width), feed_forward, dropout, batch_first=True
        )
        # Nested tensors would remove the padding that the released protocol attends to.
        self.transformer_encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.transformer_out = nn.Linear(width, hidden)
        self.memory = memory
        self.attend_padding = attend_padding and memory is None

    @classmethod
    def from_config(cls, config: ModelConfig) -> TransformerExtractor:
        """Build the extractor of a configuration."""
        return cls(
            config.encoder_width,
            config.hidden,
            config.context_layers,
            config.dropout,
            config.feed_forward,
            config.encoder_heads,
            config.attend_padding,
            config.memory if config.causal else None,
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``."""
        if self.memory is not None:
            mask = causal_mask(x.shape[1], self.memory, x.device)
            return self.transformer_out(self.transformer_encoder(x, mask=mask, is_causal=False))
        absent = None if self.attend_padding else torch.zeros_like(x[..., 0]).masked_fill(~present, -torch.inf)
        return self.transformer_out(self.transformer_encoder(x, src_key_padding_mask=absent))

    def packed(self, x: Tensor, lengths: Tensor, seed_batch: SeedBatch) -> Tensor:
        """See ``Extractor``; faster than ``forward``."""
        batch = blocks(lengths, seed_batch, self.memory)
        for layer in self.transformer_encoder.layers:
            x = encode(layer, x, batch, seed_batch)
        return linear(x, self.transformer_out.weight, self.transformer_out.bias)
