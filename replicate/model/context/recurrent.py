"""Recurrent context extractors: GRU and LSTM, options of the released code that the paper does not use."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from replicate.model.context.base import Extractor
from replicate.model.extractors.recurrent import GruTraits, LstmTraits


class Recurrent(Extractor):
    """A recurrent network over each dialogue: bidirectional with half the width per direction, or causal.

    Args:
        width, hidden: columns of the input and of the output.

    Raises:
        ValueError: ``hidden`` is odd, so that two directions cannot share it equally.
    """

    kind: ClassVar[type[nn.GRU] | type[nn.LSTM]]

    def __init__(self, width: int, hidden: int, layers: int, dropout: float, causal: bool) -> None:
        super().__init__()
        if hidden % 2 and not causal:
            raise ValueError(f"hidden = {hidden} is odd: each direction takes half of it")
        self.recurrent = self.kind(
            width,
            hidden if causal else hidden // 2,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,  # between layers; torch warns if there is only one
            bidirectional=not causal,
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``. Sequences are packed, so that the backward direction starts at each dialogue's end."""
        given = pack_padded_sequence(x, present.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        node, _ = pad_packed_sequence(self.recurrent(given)[0], batch_first=True, total_length=x.shape[1])
        return node


class Gru(GruTraits, Recurrent):
    """A GRU."""

    kind = nn.GRU


class Lstm(LstmTraits, Recurrent):
    """An LSTM."""

    kind = nn.LSTM
