import pytest
import torch

from replicate.model.context.recurrent import Gru, Lstm
from replicate.rng import seeded


def recurrent(kind, causal, layers=1):
    with seeded(0, "recurrent"):
        return kind(3, 4, layers, 0.0, causal)


def gru_by_hand(weights, x, end):
    """h after each utterance of one dialogue (L, 3), by the equations of Cho et al. as torch documents them."""
    w, u, b, c = (weights[f"{name}_l0{end}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, found = torch.zeros(u.shape[1]), []
    for row in x:
        given, kept = (w @ row + b).chunk(3), (u @ h + c).chunk(3)
        reset, update = torch.sigmoid(given[0] + kept[0]), torch.sigmoid(given[1] + kept[1])
        h = (1 - update) * torch.tanh(given[2] + reset * kept[2]) + update * h
        found.append(h)
    return torch.stack(found)


@torch.no_grad()
def test_each_direction_is_the_recurrence_step_by_step_and_has_half_the_width():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    present = torch.ones(1, 5, dtype=torch.bool)
    model = recurrent(Gru, causal=False)
    weights = dict(model.recurrent.named_parameters())
    back = gru_by_hand(weights, x.flip(0), "_reverse").flip(0)
    assert torch.allclose(model(x[None], present)[0], torch.cat([gru_by_hand(weights, x, ""), back], 1), atol=1e-6)
    model = recurrent(Gru, causal=True)
    alone = gru_by_hand(dict(model.recurrent.named_parameters()), x, "")
    assert alone.shape == (5, 4) and torch.allclose(model(x[None], present)[0], alone, atol=1e-6)


@pytest.mark.parametrize("kind", [Gru, Lstm])
def test_dropout_is_only_between_layers(kind):
    x, present = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0)), torch.ones(1, 5, dtype=torch.bool)
    for layers, same in ((1, True), (2, False)):
        with seeded(0, "recurrent"):
            model = kind(3, 4, layers, 0.5, False).train()
        assert torch.equal(model(x, present), model(x, present)) is same


def test_an_odd_width_has_no_half():
    with pytest.raises(ValueError, match="hidden = 5 is odd"):
        Gru(3, 5, 1, 0.0, False)
    assert Gru(3, 5, 1, 0.0, True).recurrent.hidden_size == 5
