"""Extractors without context: they encode each utterance alone, stream by stream, plainly or decoupled as in DMD.

From DMD (arXiv 2303.13802), reduced to one feature vector per stream and utterance; not in the paper.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from replicate.model.config import ModelConfig
from replicate.model.context.base import Extractor
from replicate.model.extractors.streams import DecoupledStreamsTraits, PerStreamTraits, StreamsTraits
from replicate.model.heads.decoupler import Decoupled, Decoupler

# Columns of a stream's encoding, as DMD has for MOSI.
SPACE = 50


class PerStream(PerStreamTraits, Extractor):
    """Base: takes the streams apart and encodes rows of utterances, so that no utterance depends on another one.

    Args:
        widths: columns of each stream, in the order of the input; there must be two or more.
    """

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"an extractor of several streams needs their widths, not {tuple(widths)}")
        self.widths = tuple(widths)
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def from_config(cls, config: ModelConfig) -> PerStream:
        """Build the extractor of a configuration; ``context_layers`` has no effect."""
        return cls(config.stream_widths, config.hidden, config.dropout)

    def encode(self, streams: Sequence[Tensor]) -> Tensor:
        """Compute node features (N, hidden) from the features (N, width) of each stream."""
        raise NotImplementedError

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``."""
        return self.encode(x.flatten(0, 1).split(self.widths, 1)).view(*present.shape, -1)


class Streams(StreamsTraits, PerStream):
    """A linear layer and LayerNorm for each stream, a sigmoid layer on each, and a linear layer that joins them."""

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__(widths, hidden, dropout)
        self.encoders = nn.ModuleList(nn.Sequential(nn.Linear(width, SPACE), nn.LayerNorm(SPACE)) for width in widths)
        self.gates = nn.ModuleList(nn.Linear(SPACE, SPACE) for _ in widths)
        self.join = nn.Linear(SPACE * len(widths), hidden)

    def encode(self, streams: Sequence[Tensor]) -> Tensor:
        """See ``PerStream``."""
        layers = zip(self.encoders, self.gates, streams, strict=True)
        node: Tensor = self.join(self.dropout(torch.cat([gate(each(x)).sigmoid() for each, gate, x in layers], 1)))
        return node


class Reinforcement(nn.Module):
    """One layer of a cross-modal transformer for sequences of length 1: attention is a linear map of the source."""

    def __init__(self, space: int) -> None:
        super().__init__()
        self.norm, self.value = nn.LayerNorm(space), nn.Linear(space, space)
        self.feed = nn.Sequential(
            nn.LayerNorm(space), nn.Linear(space, 4 * space), nn.ReLU(), nn.Linear(4 * space, space)
        )

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Add what the source's features (N, space) give to the target's."""
        x = target + self.value(self.norm(source))
        added: Tensor = x + self.feed(x)
        return added


class DecoupledStreams(DecoupledStreamsTraits, PerStream):
    """DMD's model: each stream's encoding is split into a shared and a private half.

    The private halves are reinforced by those of the other streams, and the shared ones are joined. A sigmoid layer on
    each of the results, and a linear layer, give the node features. The map to the shared half is the same for all.
    """

    def __init__(self, widths: Sequence[int], hidden: int, dropout: float) -> None:
        super().__init__(widths, hidden, dropout)
        count = len(widths)
        self.decouplers = nn.ModuleList(Decoupler(width, SPACE, owns_shared=False) for width in widths)
        self.shared = nn.Linear(SPACE, SPACE, bias=False)
        # In the order of itertools.permutations: all edges to the first stream, then all to the second, and so on.
        self.reinforcements = nn.ModuleList(Reinforcement(SPACE) for _ in range(count * (count - 1)))
        size = self.private_width
        self.gates = nn.ModuleList([*(nn.Linear(size, size) for _ in widths), nn.Linear(SPACE * count, SPACE * count)])
        self.join = nn.Linear(count * (size + SPACE), hidden)

    @property
    def private_width(self) -> int:
        """Columns of a reinforced private half."""
        return SPACE * (len(self.widths) - 1)

    def split(self, streams: Sequence[Tensor]) -> list[Decoupled]:
        """Split each stream's encoding, from its features (N, width)."""
        return [each(x, self.shared) for each, x in zip(self.decouplers, streams, strict=True)]

    def reinforced(self, halves: Sequence[Decoupled]) -> list[Tensor]:
        """Return each stream's private half, reinforced by each of the other streams: (N, ``private_width``)."""
        pairs = itertools.permutations([half.private for half in halves], 2)
        added = [layer(target, source) for layer, (target, source) in zip(self.reinforcements, pairs, strict=True)]
        size = len(self.widths) - 1
        return [torch.cat(added[first : first + size], 1) for first in range(0, len(added), size)]

    def joined(self, halves: Sequence[Decoupled]) -> Tensor:
        """Return the shared halves of all streams (N, streams * ``SPACE``)."""
        return torch.cat([half.shared for half in halves], 1)

    def encode(self, streams: Sequence[Tensor]) -> Tensor:
        """See ``PerStream``."""
        halves = self.split(streams)
        features = [*self.reinforced(halves), self.joined(halves)]
        gated = [gate(x).sigmoid() for gate, x in zip(self.gates, features, strict=True)]
        node: Tensor = self.join(self.dropout(torch.cat(gated, 1)))
        return node
