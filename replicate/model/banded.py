"""The two graph layers without scatter: each utterance gathers its window. Same weights as torch_geometric's.

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
    relations = torch.arange(layer.num_relations, device=x.device)
    member = ((band.relation[..., None] == relations) & band.valid[..., None]).to(x.dtype)
    share = member / member.sum(1, keepdim=True).clamp(min=1)
    # Average the senders first: one product of width relations x d instead of one per edge.
    mean = torch.bmm(share.transpose(1, 2), x[band.source])
    weight = layer.weight.reshape(-1, layer.out_channels)
    return mean.flatten(1) @ weight + x @ layer.root + layer.bias


def windowed_attention(layer: TransformerConv, x: Tensor, band: Band) -> Tensor:
    """What ``layer(x, edge_index)`` gives: each utterance attends to its window, heads concatenated, plus the skip.

    Shapes:
        x: (M, d). Returns (M, heads * out).
    """
    heads, width = layer.heads, layer.out_channels
    query = layer.lin_query(x).view(-1, heads, 1, width)
    key = layer.lin_key(x)[band.source].view(*band.source.shape, heads, width)
    value = layer.lin_value(x)[band.source].view(*band.source.shape, heads, width)
    score = (query @ key.permute(0, 2, 3, 1)) / math.sqrt(width)
    score = score.masked_fill(~band.valid[:, None, None, :], -torch.inf)
    mixed = score.softmax(-1) @ value.transpose(1, 2)
    return mixed.flatten(1) + layer.lin_skip(x)
