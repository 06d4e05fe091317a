"""Late fusion: one context extractor per stream, whose outputs are joined by a linear layer.

The paper fuses early, with one extractor for the columns of all streams, and names masked training for late fusion as
future work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from replicate.model.config import ModelConfig
from replicate.model.context.base import Extractor, context_extractor
from replicate.model.seed_layers import SeedBatch, linear


class LateFusion(Extractor):
    """One extractor per stream, then a linear layer on their joined outputs; with one stream just its extractor.

    Args:
        extractors: one per stream, each with ``hidden`` columns of output.
        widths: columns of each stream, in the order of the input.
    """

    def __init__(self, extractors: Sequence[Extractor], widths: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.extractors = nn.ModuleList(extractors)
        self.widths = tuple(widths)
        self.join = nn.Linear(hidden * len(self.widths), hidden) if len(self.widths) > 1 else None
        self.attend_padding = any(extractor.attend_padding for extractor in extractors)

    @classmethod
    def from_config(cls, config: ModelConfig) -> LateFusion:
        """Build the extractors of a configuration, each at the width of its stream."""
        kind = context_extractor(config.context)
        narrow = [replace(config, width=width, projected=0, stream_widths=()) for width in config.stream_widths]
        return cls([kind.from_config(each) for each in narrow], config.stream_widths, config.hidden)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``."""
        streams = x.split(self.widths, -1)
        return self._joined([each(part, present) for each, part in zip(self.extractors, streams, strict=True)])

    def packed(self, x: Tensor, lengths: Tensor, seed_batch: SeedBatch) -> Tensor:
        """See ``Extractor``."""
        found = []
        for extractor, part in zip(self.extractors, x.split(self.widths, -1), strict=True):
            assert isinstance(extractor, Extractor)
            found.append(extractor.packed(part, lengths, seed_batch))
        return self._joined(found)

    def _joined(self, nodes: Sequence[Tensor]) -> Tensor:
        node = torch.cat(list(nodes), -1)
        if self.join is None:
            return node
        return linear(node, self.join.weight, self.join.bias)
