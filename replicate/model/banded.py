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
    # torch 2.6 exports no padding of computed size, hence rows of zeros.
    rest = x.new_zeros(blocks * block - x.shape[0], heads * width)
    query = torch.cat([layer.lin_query(x), rest]).view(blocks, block, heads, width).transpose(1, 2)
    key = layer.lin_key(x)[band.sender].view(blocks, senders, heads, width).permute(0, 2, 3, 1)
    value = layer.lin_value(x)[band.sender].view(blocks, senders, heads, width).transpose(1, 2)
    score = (query @ key) / math.sqrt(width)
    share = score.masked_fill(~band.valid[:, None], -torch.inf).softmax(-1)
    mixed = (share @ value).transpose(1, 2).reshape(blocks * block, heads * width)
    return mixed[: x.shape[0]] + layer.lin_skip(x)
