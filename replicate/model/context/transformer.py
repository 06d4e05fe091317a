"""The context extractor: what each utterance takes from the others of its dialogue ("SeqContext" in the released code).

``make`` chooses; the transformer is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from replicate.model.context.base import Extractor
from replicate.model.context.packed import blocks, causal_mask, encode
from replicate.model.context.recurrent import Recurrent
from replicate.model.context.s4d import StateSpace
from replicate.model.seed_layers import SeedBatch, linear

if TYPE_CHECKING:
    from replicate.model.config import ModelConfig


def make(config: ModelConfig) -> Extractor:
    """The context extractor that a configuration asks for."""
    sizes = (config.encoder_width, config.hidden, config.context_layers, config.dropout)
    if config.context == "ssm":
        return StateSpace(*sizes, config.causal)
    if config.context != "transformer":
        return Recurrent(nn.GRU if config.context == "gru" else nn.LSTM, *sizes, config.causal)
    return ContextExtractor(
        *sizes,
        config.feed_forward,
        config.encoder_heads,
        config.attend_padding,
        config.memory if config.causal else None,
    )


def encoder_heads(width: int) -> int:
    """The first head count in 7..14 that divides ``width``, else 1 (rule of the released code)."""
    return next((heads for heads in range(7, 15) if width % heads == 0), 1)


class ContextExtractor(Extractor):
    """Post-norm transformer encoder without positions, then a linear layer to ``hidden`` (as in the released code).

    Args:
        width: columns of the input; the encoder works at this width.
        attend_padding: whether padding takes part in attention. The released code lets it, so that a dialogue's
            output depends on the longest dialogue of its batch.
        memory: None, or utterances that each one attends to: itself and those before it. No padding is among them.
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
        # Nested tensors would pack away the padding that the released reading attends to.
        self.transformer_encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.transformer_out = nn.Linear(width, hidden)
        self.memory = memory
        self.attend_padding = attend_padding and memory is None

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``."""
        if self.memory is not None:
            mask = causal_mask(x.shape[1], self.memory, x.device)
            return self.transformer_out(self.transformer_encoder(x, mask=mask, is_causal=False))
        absent = None if self.attend_padding else torch.zeros_like(x[..., 0]).masked_fill(~present, -torch.inf)
        return self.transformer_out(self.transformer_encoder(x, src_key_padding_mask=absent))

    def packed(self, x: Tensor, lengths: Tensor, rows: SeedBatch) -> Tensor:
        """See ``Extractor``; takes less time than ``forward``."""
        given = blocks(lengths, rows, self.memory)
        for layer in self.transformer_encoder.layers:
            x = encode(layer, x, given, rows)
        return linear(x, self.transformer_out.weight, self.transformer_out.bias)
