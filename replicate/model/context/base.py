"""What every context extractor is: node features from the utterances of a dialogue, padded or packed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from replicate.model.seed_layers import SeedBatch


class Extractor(nn.Module):
    """Base of all context extractors.

    Attributes:
        attend_padding: whether padding takes part; only the transformer can let it.
    """

    attend_padding: bool = False

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Node features.

        Shapes:
            x: (B, L, width), padding zero; present: (B, L) bool, false on padding. Returns (B, L, hidden).
        """
        raise NotImplementedError

    def packed(self, x: Tensor, lengths: Tensor, rows: SeedBatch) -> Tensor:
        """Node features of packed utterances: what ``forward`` gives where padding takes no part.

        Shapes:
            x: (M, width), dialogue after dialogue, in ``rows``; lengths: (B,) int64. Returns (M, hidden).
        """
        if rows.source is not None:
            raise ValueError(f"{type(self).__name__} trains one run at a time")
        present = torch.arange(int(lengths.max()), device=x.device) < lengths[:, None]
        padded = x.new_zeros(*present.shape, x.shape[1])
        padded[present] = x
        node: Tensor = self(padded, present)[present]
        return node
