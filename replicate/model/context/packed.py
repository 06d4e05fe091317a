"""Transformer layers on packed utterances, with the weights of torch's ``TransformerEncoderLayer``.

Linear layers, norms and dropout run on utterances without padding; attention runs on padded blocks of dialogues of
similar length.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from replicate.model.products import feed_forward, use_onednn
from replicate.model.seed_layers import SeedBatch, Segment, draw_factors, drop, layer_norm, linear

# Dialogues of one run per block of attention on CPUs: few dialogues of similar length need little padding.
DIALOGUES = 8


class Block(NamedTuple):
    """Some dialogues, padded to the longest of them.

    Attributes:
        segments: the dialogues of each run, without the padding that only other runs' dialogues need.

    Shapes:
        row: (B', L') int64, input row of each utterance; on padding, the row of the dialogue's first utterance.
        mask: float32, added to the scores, (B', 1, 1, L') with -inf on padding, or (L', L') in a causal layer.
        place: (n,) int64, index of each real utterance in the flattened block.
    """

    row: Tensor
    mask: Tensor
    place: Tensor
    segments: list[Segment]


class Blocks(NamedTuple):
    """All dialogues of a batch.

    Shapes:
        order: (rows,) int64, for each row the index of its utterance among the real ones of all blocks; 0 for padding.
    """

    blocks: list[Block]
    order: Tensor


def causal_mask(length: int, memory: int, device: torch.device) -> Tensor:
    """Return a causal layer's mask: 0 for the utterance itself and the ``memory`` - 1 right before it, -inf otherwise.

    Padding follows the utterances, so no utterance attends to it. Padding rows attend to what precedes them, because
    the softmax of a fully masked row would be NaN.

    Shapes:
        Returns (length, length) float32, queries in rows.
    """
    step = torch.arange(length, device=device)
    ago = step[:, None] - step
    return torch.zeros(length, length, device=device).masked_fill((ago < 0) | (ago >= memory), -torch.inf)


def blocks(lengths: Tensor, seed_batch: SeedBatch, memory: int | None = None) -> Blocks:
    """Divide dialogues into blocks, the longest first; on a GPU there is one block.

    Args:
        memory: see ``causal_mask``; None if every utterance attends to its whole dialogue.

    Shapes:
        lengths: (B,) int64, of the dialogues of all runs, run after run.
    """
    device, dialogues = lengths.device, seed_batch.dialogues
    size = len(lengths) if lengths.is_cuda else DIALOGUES
    run = torch.repeat_interleave(torch.arange(len(dialogues), device=device), torch.tensor(dialogues, device=device))
    starts = lengths.cumsum(0) - lengths
    starts = starts if seed_batch.place is None else seed_batch.place[starts]
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
        segments: list[Segment] = []
        before = 0
        for count, draws in zip(dialogues, seed_batch.draws, strict=True):
            own = slice(before, before := before + min(max(count - first, 0), size))
            if own.start < own.stop:
                width = slice(int(length[own.start]))
                segments.append(((own, slice(None), width, width), draws))
        found.append(Block(row, mask, present.flatten().nonzero()[:, 0], segments))
        real.append(row[present])
    packed = torch.cat(real)
    order = torch.zeros(len(dialogues) * seed_batch.size, dtype=torch.int64, device=device)
    order[packed] = torch.arange(len(packed), device=device)
    return Blocks(found, order)


def encode(layer: nn.TransformerEncoderLayer, x: Tensor, batch: Blocks, seed_batch: SeedBatch) -> Tensor:
    """Compute the post-norm layer for rows x (M, width); each utterance attends to its own dialogue."""
    mixed = _attend(layer.self_attn, x, batch)
    x = layer_norm(layer.norm1, x + drop(mixed, layer.dropout1, seed_batch.segments))
    first, second = layer.linear1, layer.linear2
    if use_onednn(x, first.weight):
        shape = torch.Size((len(x), first.out_features))
        kept = draw_factors(shape, x.device, layer.dropout, seed_batch.segments)
        out = feed_forward(x, (first.weight, first.bias), (second.weight, second.bias), kept, layer.dropout.p)
    else:
        hidden = drop(linear(x, first.weight, first.bias).relu(), layer.dropout, seed_batch.segments)
        out = linear(hidden, second.weight, second.bias)
    return layer_norm(layer.norm2, x + drop(out, layer.dropout2, seed_batch.segments))


def _attend(attention: nn.MultiheadAttention, x: Tensor, batch: Blocks) -> Tensor:
    width, heads = attention.embed_dim, attention.num_heads
    projected = linear(x, attention.in_proj_weight, attention.in_proj_bias)
    chance = nn.Dropout(attention.dropout).train(attention.training)
    mixed = []
    for block in batch.blocks:
        padded = projected.index_select(0, block.row.flatten()).view(*block.row.shape, 3, heads, width // heads)
        query, key, value = padded.permute(2, 0, 3, 1, 4)
        score = query @ key.transpose(2, 3) / math.sqrt(width // heads) + block.mask
        out = drop(score.softmax(-1), chance, block.segments) @ value
        mixed.append(out.transpose(1, 2).reshape(-1, width).index_select(0, block.place))
    return linear(torch.cat(mixed).index_select(0, batch.order), attention.out_proj.weight, attention.out_proj.bias)
