"""The context extractor: every utterance looks at all others of its dialogue ("SeqContext" in the released code)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from replicate.model.packed import blocks, encode
from replicate.model.rows import Rows, linear


def encoder_heads(width: int) -> int:
    """The first head count in 7..14 that divides ``width``, else 1 (rule of the released code)."""
    return next((heads for heads in range(7, 15) if width % heads == 0), 1)


class ContextExtractor(nn.Module):
    """Post-norm transformer encoder without positions, then a linear layer to ``hidden`` (as in the released code).

    Args:
        width: columns of the input; the encoder works at this width.
        attend_padding: whether padding takes part in attention. The released code lets it, so that a dialogue's
            output depends on the longest dialogue of its batch.
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
    ) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, heads or encoder_heads(width), feed_forward, dropout, batch_first=True
        )
        # Nested tensors would pack away the padding that the released reading attends to.
        self.transformer_encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.transformer_out = nn.Linear(width, hidden)
        self.attend_padding = attend_padding

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Node features.

        Shapes:
            x: (B, L, width), padding zero; present: (B, L) bool, false on padding. Returns (B, L, hidden).
        """
        absent = None if self.attend_padding else torch.zeros_like(x[..., 0]).masked_fill(~present, -torch.inf)
        return self.transformer_out(self.transformer_encoder(x, src_key_padding_mask=absent))

    def packed(self, x: Tensor, lengths: Tensor, rows: Rows) -> Tensor:
        """Node features of packed utterances: what ``forward`` gives where padding takes no part, in less time.

        Shapes:
            x: (M, width), dialogue after dialogue, in ``rows``; lengths: (B,) int64. Returns (M, hidden).
        """
        given = blocks(lengths, rows)
        for layer in self.transformer_encoder.layers:
            x = encode(layer, x, given, rows)
        return linear(x, self.transformer_out.weight, self.transformer_out.bias)
