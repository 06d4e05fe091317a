"""The window graph: which utterance sends to which, and under which relation. Built here and nowhere else.

Utterance j sends to every i in [j - past, j + future] of its own dialogue, itself included; so i receives from
the band [i - future, i + past]. Paper section 3.1; directions and relation numbers as in the released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Band:
    """The graph as one row of senders per receiver.

    Shapes (M receivers, W = past + 1 + future slots):
        source: (M, W) int64, row of the sender; meaningless where ``valid`` is false, yet always inside 0..M-1.
        valid: (M, W) bool, whether an edge is there. The slot of the receiver itself is always valid.
        relation: (M, W) int64, ``2 * speakers * speaker_j + 2 * speaker_i + (j >= i)``.
    """

    source: Tensor
    valid: Tensor
    relation: Tensor


def positions(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Place in its dialogue, and length of that dialogue, for every packed utterance.

    Shapes:
        lengths: (B,) int64. Returns two (sum of lengths,) int64.
    """
    length = torch.repeat_interleave(lengths, lengths)
    starts = torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
    return torch.arange(len(length), device=lengths.device) - starts, length


def build_band(position: Tensor, length: Tensor, speaker: Tensor, past: int, future: int, speakers: int = 2) -> Band:
    """The band of utterances that lie dialogue after dialogue in one row.

    Shapes:
        position, length, speaker: (M,) int64, place in the dialogue, the dialogue's length, speaker number.
    """
    offset = torch.arange(-future, past + 1, device=position.device)
    neighbour = position[:, None] + offset
    valid = (neighbour >= 0) & (neighbour < length[:, None]) | (offset == 0)
    row = torch.arange(position.shape[0], device=position.device)[:, None]
    source = torch.where(valid, row + offset, row)
    relation = 2 * speakers * speaker[source] + 2 * speaker[:, None] + (offset >= 0)
    return Band(source, valid, relation)


class Edges(NamedTuple):
    """The graph as torch_geometric wants it.

    Shapes:
        pairs: (2, E) int64, row 0 the sender j and row 1 the receiver i. relation: (E,) int64.
    """

    pairs: Tensor
    relation: Tensor


def edge_list(band: Band) -> Edges:
    """The same graph, edge by edge, ordered by receiver."""
    receiver = torch.arange(band.source.shape[0], device=band.source.device)[:, None].expand_as(band.source)
    return Edges(torch.stack([band.source[band.valid], receiver[band.valid]]), band.relation[band.valid])
