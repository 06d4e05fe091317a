"""The context extractor's layers on packed utterances: padding costs nothing but in attention. Same weights as torch's.

Linear layers, norms and dropout see the utterances alone, one after the other; attention works on padded blocks of
dialogues of like length.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from replicate.model.seed_layers import Part, SeedBatch, drop, layer_norm, linear

# Dialogues of a run that share a block of attention on CPUs: few dialogues of like length hold little padding.
DIALOGUES = 8


class Block(NamedTuple):
    """Some dialogues, padded to the longest of them.

    Attributes:
        parts: of each run its dialogues, without the padding that only other runs' dialogues need.

    Shapes:
        row: (B', L') int64, row of each utterance, some real one on padding; mask: float32, what is added to scores,
        (B', 1, 1, L'), -inf on padding, or (L', L') of a causal layer; place: (n,) int64, of each real utterance its
        place in the block.
    """

    row: Tensor
    mask: Tensor
    place: Tensor
    parts: list[Part]


class Blocks(NamedTuple):
    """All dialogues of a batch.

    Shapes:
        order: (rows,) int64, where a row's utterance is among the real ones of all blocks; anywhere for rows of none.
    """

    blocks: list[Block]
    order: Tensor


def causal_mask(length: int, memory: int, device: torch.device) -> Tensor:
    """(length, length) float32: 0 where a row's utterance hears a column's, which is it or at most memory - 1 before.

    Padding stands behind, where no utterance hears it; itself it hears what is before it, so that no row is empty.
    """
    step = torch.arange(length, device=device)
    ago = step[:, None] - step
    return torch.zeros(length, length, device=device).masked_fill((ago < 0) | (ago >= memory), -torch.inf)


def blocks(lengths: Tensor, rows: SeedBatch, memory: int | None = None) -> Blocks:
    """Dialogues of the given lengths (B,), run after run, in blocks, the longest first; on a GPU in a single one.

    ``memory`` is that of a causal layer, None where every utterance hears all of its dialogue.
    """
    device, dialogues = lengths.device, rows.dialogues
    size = len(lengths) if lengths.is_cuda else DIALOGUES
    run = torch.repeat_interleave(torch.arange(len(dialogues), device=device), torch.tensor(dialogues, device=device))
    starts = lengths.cumsum(0) - lengths
    starts = starts if rows.place is None else rows.place[starts]
    longest = lengths.argsort(descending=True, stable=True)
    longest = longest[run[longest].argsort(stable=True)]
    rank = torch.cat([torch.arange(count, device=device) for count in dialogues])
    found, real = [], []
    for first in range(0, max(dialogues), size):
        chosen = longest[(rank >= first) & (rank < first + size)]
        length = lengths[chosen]
        step = torch.arange(int(length.max()), device=device)
        present = step < length[:, None]
        row = starts[chosen, None] + torch.where(present, step, 0)
        if memory is None:
            mask = torch.zeros(present.shape, device=device).masked_fill(~present, -torch.inf)[:, None, None]
        else:
            mask = causal_mask(len(step), memory, device)
        parts: list[Part] = []
        before = 0
        for count, draws in zip(dialogues, rows.draws, strict=True):
            own = slice(before, before := before + min(max(count - first, 0), size))
            if own.start < own.stop:
                width = slice(int(length[own.start]))
                parts.append(((own, slice(None), width, width), draws))
        found.append(Block(row, mask, present.flatten().nonzero()[:, 0], parts))
        real.append(row[present])
    packed = torch.cat(real)
    order = torch.zeros(len(dialogues) * rows.size, dtype=torch.int64, device=device)
    order[packed] = torch.arange(len(packed), device=device)
    return Blocks(found, order)


def encode(layer: nn.TransformerEncoderLayer, x: Tensor, given: Blocks, rows: SeedBatch) -> Tensor:
    """What the post-norm layer gives for rows x (M, width), each utterance attending to its own dialogue."""
    mixed = _attend(layer.self_attn, x, given)
    x = layer_norm(layer.norm1, x + drop(mixed, layer.dropout1, rows.parts))
    hidden = drop(linear(x, layer.linear1.weight, layer.linear1.bias).relu(), layer.dropout, rows.parts)
    out = linear(hidden, layer.linear2.weight, layer.linear2.bias)
    return layer_norm(layer.norm2, x + drop(out, layer.dropout2, rows.parts))


def _attend(attention: nn.MultiheadAttention, x: Tensor, given: Blocks) -> Tensor:
    width, heads = attention.embed_dim, attention.num_heads
    projected = linear(x, attention.in_proj_weight, attention.in_proj_bias)
    chance = nn.Dropout(attention.dropout).train(attention.training)
    mixed = []
    for block in given.blocks:
        padded = projected.index_select(0, block.row.flatten()).view(*block.row.shape, 3, heads, width // heads)
        query, key, value = padded.permute(2, 0, 3, 1, 4)
        score = query @ key.transpose(2, 3) / math.sqrt(width // heads) + block.mask
        out = drop(score.softmax(-1), chance, block.parts) @ value
        mixed.append(out.transpose(1, 2).reshape(-1, width).index_select(0, block.place))
    return linear(torch.cat(mixed).index_select(0, given.order), attention.out_proj.weight, attention.out_proj.bias)
