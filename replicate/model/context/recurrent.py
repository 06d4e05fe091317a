"""Recurrent context extractors: GRU and LSTM, options of the released code beside the transformer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from replicate.model.context.base import Extractor


class Recurrent(Extractor):
    """A GRU or LSTM over each dialogue, both ways with half the width each, or causal with all of it.

    Args:
        kind: nn.GRU or nn.LSTM.
        width, hidden: columns of the input and of the output.

    Raises:
        ValueError: an odd ``hidden`` has no half.
    """

    def __init__(
        self, kind: type[nn.GRU] | type[nn.LSTM], width: int, hidden: int, layers: int, dropout: float, causal: bool
    ) -> None:
        super().__init__()
        if hidden % 2 and not causal:
            raise ValueError(f"hidden = {hidden} is odd: each direction takes half of it")
        self.recurrent = kind(
            width,
            hidden if causal else hidden // 2,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,  # stands between layers; torch warns where there is no between
            bidirectional=not causal,
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``. Packed, so that the backward direction starts at each dialogue's end."""
        given = pack_padded_sequence(x, present.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        node, _ = pad_packed_sequence(self.recurrent(given)[0], batch_first=True, total_length=x.shape[1])
        return node
