"""The two graph layers without scatter: blocks of utterances against the rows around them. Same weights as PyG's.

Cost and memory grow linearly in the number of utterances, and the operations export to plain ONNX.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import RGCNConv, TransformerConv

from replicate.model.graph import Band
from replicate.model.rows import linear, plus, product


def relational_convolution(layer: RGCNConv, x: Tensor, band: Band) -> Tensor:
    """What ``layer(x, edge_index, edge_type)`` gives: mean over each relation's senders, plus the root.

    Shapes:
        x: (M, d). Returns (M, out).
    """
    relations = torch.arange(layer.num_relations, device=x.device, dtype=band.relation.dtype)[:, None]
    member = (band.relation[:, :, None, :] == relations).to(x.dtype)
    share = member / member.sum(-1, keepdim=True).clamp(min=1)
    # Average the senders first: one product of width relations x d for each utterance instead of one for each edge.
    mean = torch.bmm(share.flatten(1, 2), _around(x, band)).view(-1, layer.num_relations * layer.in_channels_l)
    heard = product(mean, layer.weight.flatten(-3, -2))[: x.shape[0]]
    return plus(heard + product(x, layer.root), layer.bias)


def windowed_attention(layer: TransformerConv, x: Tensor, band: Band) -> Tensor:
    """What ``layer(x, edge_index)`` gives: each utterance attends to its window, heads concatenated, plus the skip.

    Queries and keys meet in one product of their weights, and values are projected after they are mixed: so senders
    come as they are, once for all heads. What the key's bias adds is the same for all senders, and shares forget it.

    Shapes:
        x: (M, d). Returns (M, heads * out).
    """
    heads, width = layer.heads, layer.out_channels
    blocks, block, senders = band.relation.shape
    around = _around(x, band)
    keys = layer.lin_key.weight.unflatten(-2, (heads, width)).mT / math.sqrt(width)
    weight = (keys @ layer.lin_query.weight.unflatten(-2, (heads, width))).flatten(-3, -2)
    bias = (keys @ layer.lin_query.bias.unflatten(-1, (heads, width, 1))).flatten(-3)
    padded = F.pad(x, (0, 0, 0, blocks * block - x.shape[0]))
    query = linear(padded, weight, bias).view(blocks, block * heads, -1)
    score = torch.bmm(query, around.transpose(1, 2)).view(blocks, block, heads, senders)
    score += torch.zeros_like(band.relation, dtype=x.dtype).masked_fill_(band.relation < 0, -torch.inf)[:, :, None]
    mixed = torch.bmm(score.softmax(-1).flatten(1, 2), around).view(blocks * block, -1)
    skip = linear(x, layer.lin_skip.weight, layer.lin_skip.bias + layer.lin_value.bias)
    value = layer.lin_value.weight.unflatten(-2, (heads, width)).mT.to(skip.dtype)
    found: Tensor = _ByHead.apply(skip, mixed, value)
    return found


def _around(x: Tensor, band: Band) -> Tensor:
    """The rows of x (M, d) around every block, zero where there are none: (blocks, senders, d), without a copy."""
    blocks, block, senders = band.relation.shape
    past = senders - block - band.future
    return F.pad(x, (0, 0, band.future, blocks * block - x.shape[0] + past)).unfold(0, senders, block).transpose(1, 2)


class _ByHead(torch.autograd.Function):
    """base (M, heads * b) plus each head's part of x (M or more, heads * a) times its weight ([runs,] heads, a, b).

    Written into base, without the copies that put heads first and back.
    """

    @staticmethod
    def forward(ctx: Any, base: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.mark_dirty(base)
        for out, part, own in _heads(weight, base, x[: base.shape[0]]):
            out.baddbmm_(part, own)
        return base

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient, rows = gradient.contiguous(), gradient.shape[0]
        to_x, to_weight = torch.empty_like(x), torch.empty_like(weight)
        to_x[rows:] = 0
        for part, given, own in _heads(weight, to_x[:rows], gradient):
            torch.bmm(given, own.mT, out=part)
        for part, given, own in _heads(to_weight, x[:rows], gradient):
            torch.bmm(part.mT, given, out=own)
        return gradient, to_x, to_weight


def _heads(weight: Tensor, *rows: Tensor) -> list[tuple[Tensor, ...]]:
    """Of every run its rows (heads, M / runs, ...), and its weight (heads, a, b)."""
    runs = weight.view(-1, *weight.shape[-3:])
    parts = (x.view(len(runs), x.shape[0] // len(runs), runs.shape[1], -1).transpose(1, 2) for x in rows)
    return list(zip(*parts, runs, strict=True))
