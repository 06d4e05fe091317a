"""The two graph layers without scatter: blocks of utterances against the rows around them. Same weights as PyG's.

Cost and memory grow linearly in the number of utterances, and the operations export to plain ONNX.
"""

from __future__ import annotations

import math

import torch
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
    mean = torch.bmm(share.flatten(1, 2), x[band.sender])
    mean = mean.view(-1, layer.num_relations * layer.in_channels_l)[: x.shape[0]]
    return mean @ layer.weight.reshape(-1, layer.out_channels) + x @ layer.root + layer.bias


def windowed_attention(layer: TransformerConv, x: Tensor, band: Band) -> Tensor:
    """What ``layer(x, edge_index)`` gives: each utterance attends to its window, heads concatenated, plus the skip.

    Shapes:
        x: (M, d). Returns (M, heads * out).
    """
    heads, width = layer.heads, layer.out_channels
    blocks, block, senders = band.valid.shape
    # Rows of zeros and bmm instead of padding and matmul: torch 2.6 exports those only with frozen sizes.
    rest = x.new_zeros(blocks * block - x.shape[0], heads * width)
    query = _by_head(torch.cat([layer.lin_query(x), rest]).view(blocks, block, heads, width))
    key = _by_head(layer.lin_key(x)[band.sender].view(blocks, senders, heads, width))
    value = _by_head(layer.lin_value(x)[band.sender].view(blocks, senders, heads, width))
    score = torch.bmm(query, key.transpose(1, 2)).view(blocks, heads, block, senders) / math.sqrt(width)
    share = score.masked_fill(~band.valid[:, None], -torch.inf).softmax(-1)
    mixed = torch.bmm(share.flatten(0, 1), value).view(blocks, heads, block, width)
    return mixed.transpose(1, 2).reshape(blocks * block, heads * width)[: x.shape[0]] + layer.lin_skip(x)


def _by_head(x: Tensor) -> Tensor:
    """(blocks, rows, heads, width) to (blocks * heads, rows, width)."""
    return x.transpose(1, 2).flatten(0, 1)
