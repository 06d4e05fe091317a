import pytest
import torch
from torch_geometric.nn import RGCNConv, TransformerConv

from replicate.model.window_graph import build_band, edge_list
from replicate.model.windowed_gnn import relational_convolution, windowed_attention
from replicate.rng import generator, seeded

ROWS = (21, 301)  # the last block is not full; oneDNN computes the products of the larger one


def band(rows):
    dialogue = torch.tensor([0] * 9 + [1] * (rows - 10) + [2])
    speaker = torch.randint(0, 2, (rows,), generator=generator(0, "speaker"))
    return build_band(dialogue, speaker, 2, 3)


def gradients(layer, found, x):
    weights = torch.randn(found.shape, generator=generator(0, "weights"))
    return torch.autograd.grad((found * weights).sum(), [x, *layer.parameters()], allow_unused=True)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("ours", [relational_convolution, windowed_attention])
def test_outputs_and_gradients_are_those_of_torch_geometric(rows, ours):
    with seeded(0, "layers"):
        relational = ours is relational_convolution
        layer = RGCNConv(6, 6, 8) if relational else TransformerConv(6, 5, heads=3)
        x = torch.randn(rows, 6, requires_grad=True)
    for parameter in layer.parameters():
        parameter.data += 0.1  # biases begin at zero
    edges = edge_list(band(rows), rows)
    theirs = layer(x, edges.pairs, edges.relation) if relational else layer(x, edges.pairs)
    found = ours(layer, x, band(rows))
    assert torch.allclose(found, theirs, atol=1e-5)
    names = ["x", *(name for name, _ in layer.named_parameters())]
    for name, mine, other in zip(names, gradients(layer, found, x), gradients(layer, theirs, x), strict=True):
        # A key's bias adds the same to all scores of a receiver, so that it has no effect.
        mine = torch.zeros_like(other) if mine is None and name == "lin_key.bias" else mine
        assert torch.allclose(mine, other, atol=1e-5), name
