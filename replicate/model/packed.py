"""The context extractor's layers on packed utterances: padding costs nothing but in attention. Same weights as torch's.

Linear layers, norms and dropout see the utterances alone, one after the other; attention works on padded blocks of
dialogues of like length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Dialogues that share a block of attention on CPUs: blocks of few dialogues of like length hold little padding.
DIALOGUES = 8


class Block(NamedTuple):
    """Some dialogues, padded to the longest of them.

    Shapes:
        row: (B', L') int64, place of each utterance among the packed ones, some real place on padding;
        mask: (B', 1, 1, L') float32, what is added to scores, -inf on padding; place, packed: (n,) int64, of each real
        utterance its place in the block and among the packed ones.
    """

    row: Tensor
    mask: Tensor
    place: Tensor
    packed: Tensor


def blocks(lengths: Tensor) -> list[Block]:
    """Packed dialogues of the given lengths (B,) as blocks for attention, the longest first; on a GPU a single one."""
    size = len(lengths) if lengths.is_cuda else DIALOGUES
    starts = lengths.cumsum(0) - lengths
    found = []
    for chosen in lengths.argsort(descending=True, stable=True).split(size):
        step = torch.arange(int(lengths[chosen[0]]), device=lengths.device)
        present = step < lengths[chosen, None]
        row = starts[chosen, None] + torch.where(present, step, 0)
        mask = torch.zeros(present.shape, device=lengths.device).masked_fill(~present, -torch.inf)
        found.append(Block(row, mask[:, None, None], present.flatten().nonzero()[:, 0], row[present]))
    return found


def encode(layer: nn.TransformerEncoderLayer, x: Tensor, parts: list[Block]) -> Tensor:
    """What the post-norm layer gives for packed utterances (N, width), each attending to its own dialogue."""
    mixed = _attend(layer.self_attn, x, parts)
    x = layer.norm1(x + drop(mixed, layer.dropout1))
    return layer.norm2(x + drop(_feed_forward(layer, x), layer.dropout2))


def drop(x: Tensor, dropout: nn.Dropout) -> Tensor:
    """Dropout, on CPUs by a mask of our own."""
    if x.is_cuda or not dropout.training or dropout.p == 0:
        return dropout(x)
    return x * kept(x.shape, dropout.p)


def kept(shape: Sequence[int], chance: float) -> Tensor:
    """What dropout leaves, as factors: 0 or 1 / (1 - chance), float32.

    Four of them from each draw of 64 bits, so the chance is met to 1e-5. Drawn by numpy, from a state that torch's
    global generator gives: torch's own dropout on CPUs takes ten times as long, a quarter of an epoch.
    """
    state = int(torch.empty((), dtype=torch.int64).random_())
    count = math.prod(shape)
    bits = np.random.SFC64(state).random_raw((count + 3) // 4).view(np.uint16)[:count]
    factors = np.multiply(bits >= round(chance * 65536), np.float32(1 / (1 - chance)), dtype=np.float32)
    return torch.from_numpy(factors).view(*shape)


def _attend(attention: nn.MultiheadAttention, x: Tensor, parts: list[Block]) -> Tensor:
    width, heads = attention.embed_dim, attention.num_heads
    projected = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    chance = nn.Dropout(attention.dropout).train(attention.training)
    mixed, order = [], []
    for block in parts:
        padded = projected.index_select(0, block.row.flatten()).view(*block.row.shape, 3, heads, width // heads)
        query, key, value = padded.permute(2, 0, 3, 1, 4)
        score = query @ key.transpose(2, 3) / math.sqrt(width // heads) + block.mask
        out = drop(score.softmax(-1), chance) @ value
        mixed.append(out.transpose(1, 2).reshape(-1, width).index_select(0, block.place))
        order.append(block.packed)
    return attention.out_proj(torch.cat(mixed).index_select(0, torch.cat(order).argsort()))


def _feed_forward(layer: nn.TransformerEncoderLayer, x: Tensor) -> Tensor:
    out: Tensor = layer.linear2(drop(layer.linear1(x).relu(), layer.dropout))
    return out
