"""The two graph layers without scatter: blocks of utterances against the rows around them. Same weights as PyG's.

Cost and memory grow linearly in the number of utterances, and the operations export to plain ONNX.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import RGCNConv, TransformerConv

from replicate.model.graph import Band


def relational_convolution(layer: RGCNConv, x: Tensor, band: Band) -> Tensor:
    """What ``layer(x, edge_index, edge_type)`` gives: mean over each relation's senders, plus the root.

    Shapes:
        x: (M, d). Returns (M, out).
    """
    relations = torch.arange(layer.num_relations, device=x.device)[:, None]
    member = ((band.relation[:, :, None, :] == relations) & band.valid[:, :, None, :]).to(x.dtype)
    share = member / member.sum(-1, keepdim=True).clamp(min=1)
    # Average the senders first: one product of width relations x d for each utterance instead of one for each edge.
    mean = torch.bmm(share.flatten(1, 2), _around(x, band))
    mean = mean.view(-1, layer.num_relations * layer.in_channels_l)[: x.shape[0]]
    return mean @ layer.weight.reshape(-1, layer.out_channels) + x @ layer.root + layer.bias


def windowed_attention(layer: TransformerConv, x: Tensor, band: Band) -> Tensor:
    """What ``layer(x, edge_index)`` gives: each utterance attends to its window, heads concatenated, plus the skip.

    The key's weight is multiplied to the queries, and values are projected after they are mixed: so senders come as
    they are, once for all heads. What the key's bias adds is the same for all senders, and shares forget it.

    Shapes:
        x: (M, d). Returns (M, heads * out).
    """
    heads, width = layer.heads, layer.out_channels
    blocks, block, senders = band.valid.shape
    around = _around(x, band)
    query = _by_head(layer.lin_query(x), layer.lin_key.weight.view(heads, width, -1))
    query = F.pad(query, (0, 0, 0, 0, 0, blocks * block - x.shape[0])).reshape(blocks, block * heads, -1)
    score = torch.bmm(query, around.transpose(1, 2)).view(blocks, block, heads, senders) / math.sqrt(width)
    share = score.masked_fill(~band.valid[:, :, None], -torch.inf).softmax(-1)
    mixed = torch.bmm(share.flatten(1, 2), around).view(blocks * block, -1)[: x.shape[0]]
    value = _by_head(mixed, layer.lin_value.weight.view(heads, width, -1).transpose(1, 2)).flatten(1)
    return value + layer.lin_value.bias + layer.lin_skip(x)


def _around(x: Tensor, band: Band) -> Tensor:
    """The rows of x (M, d) around every block, zero where there are none: (blocks, senders, d), without a copy."""
    blocks, block, senders = band.valid.shape
    past = senders - block - band.future
    return F.pad(x, (0, 0, band.future, blocks * block - x.shape[0] + past)).unfold(0, senders, block).transpose(1, 2)


def _by_head(x: Tensor, weight: Tensor) -> Tensor:
    """Every head's part of x (M, heads * a) times its own weight (heads, a, b): (M, heads, b)."""
    heads = weight.shape[0]
    return torch.bmm(x.view(x.shape[0], heads, -1).transpose(0, 1), weight).transpose(0, 1)
