"""The window graph: which utterance sends messages to which, and under which relation.

Utterance j sends to every i in [j - past, j + future] of its own dialogue, including itself; so i receives from
the band [i - future, i + past]. Directions and relation numbers are those of the released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

# Receivers per block. Larger blocks compute more pairs outside the window, smaller ones gather every sender more
# often; on CPUs 16 is close to the fastest for windows of 5 + 5.
BLOCK = 16


@dataclass(frozen=True)
class Band:
    """The graph of M utterances in blocks of T receivers, each with the S = T + future + past rows around it.

    The first ``future`` of the S rows precede a block's receivers.

    Shapes (K blocks cover the M rows, the last one padded):
        sender: (K, S) int64, row of the sender; beyond either end of the batch, some row of 0..M-1 that is not valid.
        valid: (K, T, S) bool, whether there is an edge. Every real receiver has an edge from itself.
        relation: (K, T, S) int64, ``2 * speakers * speaker_j + 2 * speaker_i + (j >= i)``.
    """

    sender: Tensor
    valid: Tensor
    relation: Tensor
    future: int


class Edges(NamedTuple):
    """The graph in torch_geometric's format.

    Shapes:
        pairs: (2, E) int64, row 0 the sender j and row 1 the receiver i. relation: (E,) int64.
    """

    pairs: Tensor
    relation: Tensor


def dialogue_numbers(lengths: Tensor) -> Tensor:
    """Return the dialogue number of every packed utterance.

    Shapes:
        lengths: (B,) int64. Returns (sum of lengths,) int64.
    """
    return torch.repeat_interleave(torch.arange(lengths.shape[0], device=lengths.device), lengths)


def build_band(
    dialogue: Tensor, speaker: Tensor, past: int, future: int, speakers: int = 2, block: int = BLOCK
) -> Band:
    """Build the graph of packed utterances, dialogue after dialogue.

    Shapes:
        dialogue, speaker: (M,) int64, number of each utterance's dialogue and speaker.
    """
    rows = dialogue.shape[0]
    first = torch.arange(0, rows, block, device=dialogue.device)[:, None]
    receiver = first + torch.arange(block, device=dialogue.device)
    sender = first + torch.arange(-future, block + past, device=dialogue.device)
    inside = (sender >= 0) & (sender < rows)
    last = rows - 1
    receiver_, sender_ = receiver.clamp(max=last), sender.clamp(0, last)
    offset = sender[:, None, :] - receiver[:, :, None]
    same = dialogue[sender_][:, None, :] == dialogue[receiver_][:, :, None]
    valid = same & inside[:, None, :] & (offset >= -future) & (offset <= past)
    # A receiver past the last row is dropped later; its edge from itself keeps its softmax finite.
    valid = valid | (offset == 0)
    relation = 2 * speakers * speaker[sender_][:, None, :] + 2 * speaker[receiver_][:, :, None] + (offset >= 0)
    return Band(sender_, valid, relation, future)


def edge_list(band: Band, rows: int) -> Edges:
    """Return the same graph as a list of edges, ordered by receiver; ``rows`` is the number of utterances."""
    blocks, block, _ = band.valid.shape
    receiver = torch.arange(blocks * block, device=band.sender.device).view(blocks, block, 1)
    valid = band.valid & (receiver < rows)
    sender = band.sender[:, None, :].expand_as(valid)
    return Edges(torch.stack([sender[valid], receiver.expand_as(valid)[valid]]), band.relation[valid])
