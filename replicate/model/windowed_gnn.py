"""The two graph layers without scatter operations, with the weights of torch_geometric's layers.

They run on blocks of utterances and the rows around them. Cost and memory grow linearly in the number of utterances,
and the operations export to plain ONNX.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import RGCNConv, TransformerConv

from replicate.model.products import multiply, use_onednn
from replicate.model.seed_layers import linear, plus, product
from replicate.model.window_graph import Band


def relational_convolution(layer: RGCNConv, x: Tensor, band: Band) -> Tensor:
    """Compute ``layer(x, edge_index, edge_type)``: each relation's transformed mean over senders, plus the root term.

    Shapes:
        x: (M, d). Returns (M, out).
    """
    relations = torch.arange(layer.num_relations, device=x.device)[:, None]
    member = ((band.relation[:, :, None, :] == relations) & band.valid[:, :, None, :]).to(x.dtype)
    share = member / member.sum(-1, keepdim=True).clamp(min=1)
    # Averaging the senders first takes one product per utterance, relations x d wide, instead of one per edge.
    mean = torch.bmm(share.flatten(1, 2), _around(x, band))
    mean = mean.view(-1, layer.num_relations * layer.in_channels_l)[: x.shape[0]]
    return plus(product(mean, layer.weight.flatten(-3, -2)) + product(x, layer.root), layer.bias)


def windowed_attention(layer: TransformerConv, x: Tensor, band: Band) -> Tensor:
    """Compute ``layer(x, edge_index)``: each utterance attends to its window, heads concatenated, plus the skip.

    The key's weight is multiplied with the query's, and the value's weight is applied after the weighted sum, so that
    senders need no projection per head. Softmax is shift-invariant, so the key's bias, the same for all senders, is
    dropped.

    Shapes:
        x: (M, d). Returns (M, heads * out).
    """
    heads, width = layer.heads, layer.out_channels
    blocks, block, senders = band.valid.shape
    around = _around(x, band)
    key = layer.lin_key.weight.unflatten(-2, (heads, width)).mT
    weight = (key @ layer.lin_query.weight.unflatten(-2, (heads, width))).flatten(-3, -2)
    bias = (key @ layer.lin_query.bias.unflatten(-1, (heads, width))[..., None]).flatten(-3)
    query = linear(x, weight, bias)
    query = F.pad(query, (0, 0, 0, blocks * block - x.shape[0])).view(blocks, block * heads, -1)
    score = torch.bmm(query, around.transpose(1, 2)).view(blocks, block, heads, senders) / math.sqrt(width)
    share = score.masked_fill(~band.valid[:, :, None], -torch.inf).softmax(-1)
    mixed = torch.bmm(share.flatten(1, 2), around).view(blocks * block, -1)[: x.shape[0]]
    value = _by_head(mixed, layer.lin_value.weight.unflatten(-2, (heads, width)).mT).flatten(1)
    return plus(value, layer.lin_value.bias) + linear(x, layer.lin_skip.weight, layer.lin_skip.bias)


def _around(x: Tensor, band: Band) -> Tensor:
    """Return the rows of x (M, d) around every block as a view (blocks, senders, d), with zeros beyond the ends."""
    blocks, block, senders = band.valid.shape
    past = senders - block - band.future
    return F.pad(x, (0, 0, band.future, blocks * block - x.shape[0] + past)).unfold(0, senders, block).transpose(1, 2)


def _by_head(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply each head's columns of x (M, heads * a) by its weight ([runs,] heads, a, b): (M, heads, b)."""
    heads, runs = weight.shape[-3], 1 if weight.dim() == 3 else len(weight)
    if weight.dim() == 3 and use_onednn(x, weight[0]):
        heads_of_x = x.unflatten(1, (heads, -1)).unbind(1)
        return torch.stack([multiply(one, own.mT) for one, own in zip(heads_of_x, weight, strict=True)], 1)
    columns = x.view(runs, x.shape[0] // runs, heads, -1).transpose(1, 2).flatten(0, 1)
    out = torch.bmm(columns, weight.flatten(0, -3))
    return out.unflatten(0, (runs, heads)).transpose(1, 2).flatten(0, 1)
