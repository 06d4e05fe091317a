import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from replicate.model.products import LEAST
from replicate.model.seed_layers import SeedBatch, batch_norm, drop, fill, layer_norm, linear, plus, product
from replicate.rng import generator, seeded

LENGTHS = torch.tensor([2, 1, 4])  # a run with two dialogues, one with one, and one with none between them
DIALOGUES = [2, 0, 1]


def rows(draws=None):
    return SeedBatch.several(LENGTHS, DIALOGUES, draws or [generator(seed, "dropout") for seed in range(3)])


def test_rows_of_several_runs():
    found = rows()
    assert (found.counts, found.size) == ((3, 0, 4), 4)
    assert found.place.tolist() == [0, 1, 2, 8, 9, 10, 11]
    assert found.real[..., 0].tolist() == [[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    x = torch.arange(7.0)[:, None]
    assert torch.equal(found.gather(found.pad(x)), x)
    assert [index for index, _ in found.segments] == [(slice(0, 3),), (slice(4, 4),), (slice(8, 12),)]


def test_a_single_run_has_its_utterances_as_rows():
    found, x = SeedBatch.one(2, 5, torch.device("cpu")), torch.ones(5, 1)
    assert found.pad(x) is x and found.gather(x) is x
    assert found.size == 5 and found.segments == [((slice(0, 5),), torch.default_generator)]


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_takes_each_runs_rows_by_its_own_weights(bias):
    with seeded(0, "layers"):
        layers = [nn.Linear(3, 2, bias=bias) for _ in range(2)]
        x = torch.randn(10, 3)
    weight = torch.stack([layer.weight for layer in layers])
    found = linear(x, weight, torch.stack([layer.bias for layer in layers]) if bias else None)
    expected = torch.cat([layer(part) for layer, part in zip(layers, x.split(5), strict=True)])
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.equal(linear(x, layers[0].weight, layers[0].bias), layers[0](x))
    assert torch.allclose(product(x, weight.mT), torch.cat([a @ w.T for a, w in zip(x.split(5), weight, strict=True)]))


@pytest.mark.parametrize("bias", [True, False])
def test_many_rows_of_each_run_are_multiplied_by_its_own_weights(bias):
    # So many that oneDNN computes the products.
    with seeded(0, "layers"):
        weight, biases = torch.randn(2, 5, 3), torch.randn(2, 5) if bias else None
        x = torch.randn(2 * LEAST, 3)
    expected = torch.cat(
        [F.linear(x[i * LEAST : (i + 1) * LEAST], weight[i], None if biases is None else biases[i]) for i in (0, 1)]
    )
    assert torch.allclose(linear(x, weight, biases), expected, atol=1e-6)
    assert bias or torch.allclose(product(x, weight.mT), expected, atol=1e-6)


def test_each_run_has_its_own_bias():
    assert plus(torch.zeros(4, 1), torch.tensor([[1.0], [2.0]])).flatten().tolist() == [1, 1, 2, 2]
    assert plus(torch.zeros(2, 1), torch.tensor([3.0])).flatten().tolist() == [3, 3]


def stacked(layers):
    whole = type(layers[0])(layers[0].weight.numel())
    for name in ("weight", "bias"):
        setattr(whole, name, nn.Parameter(torch.stack([getattr(layer, name).detach() for layer in layers])))
    for name, _ in layers[0].named_buffers():
        setattr(whole, name, torch.stack([getattr(layer, name) for layer in layers]))
    return whole


def drawn(kind, count):
    with seeded(1, "norms"):
        layers = [kind(3) for _ in range(count)]
        for layer in layers:
            layer.weight.data.uniform_(0.5, 2)
            layer.bias.data.normal_()
        return layers


def test_layer_norm_by_run():
    layers, x = drawn(nn.LayerNorm, 2), torch.randn(8, 3, generator=generator(0, "x"))
    expected = torch.cat([layer(part) for layer, part in zip(layers, x.split(4), strict=True)])
    assert torch.allclose(layer_norm(stacked(layers), x), expected, atol=1e-6)
    assert torch.equal(layer_norm(layers[0], x), layers[0](x))


def test_batch_norm_by_run_sees_the_runs_utterances_alone():
    layers, found = drawn(nn.BatchNorm1d, 3), rows()
    whole = stacked(layers)
    for seed in range(3):
        x = torch.randn(7, 3, generator=generator(seed, "x"))
        ours = found.gather(batch_norm(whole, found.pad(x), found))
        expected = torch.cat([layers[0](x[:3]), layers[2](x[3:])])
        assert torch.allclose(ours, expected, atol=1e-5)
    for name, buffer in whole.named_buffers():
        # The run without a dialogue keeps what it had.
        assert torch.allclose(buffer, torch.stack([getattr(layer, name) for layer in layers])), name
    for layer in (whole.eval(), *layers):
        layer.eval()
    ours, expected = batch_norm(whole, found.pad(x), found), torch.cat([layers[0](x[:3]), layers[2](x[3:])])
    assert torch.allclose(found.gather(ours), expected, atol=1e-5)


def factors(shape, chance, draws):
    found = torch.empty(shape)
    fill(found, chance, draws)
    return found


@pytest.mark.parametrize("chance", [0.1, 0.3, 0.5])
def test_dropout_keeps_its_share_and_the_mean(chance):
    found = factors((500, 1001), chance, generator(0, "dropout"))
    assert found.unique().tolist() == pytest.approx([0.0, 1 / (1 - chance)])
    assert abs((found == 0).float().mean() - chance) < 4 * (chance * (1 - chance) / found.numel()) ** 0.5 + 1e-5
    # Different rows and different columns have different masks.
    assert abs(torch.corrcoef(torch.stack([found[:-1].flatten(), found[1:].flatten()]))[0, 1]) < 0.01


def test_dropout_repeats_with_the_same_seed_only():
    def draw():
        draws = generator(3, "dropout")
        return factors((7, 9), 0.5, draws), factors((7, 9), 0.5, draws)

    first, second = draw()
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip((first, second), draw(), strict=True))


def test_dropout_does_nothing_in_eval_mode():
    x, single = torch.ones(3, 4), SeedBatch.one(1, 3, torch.device("cpu")).segments
    assert drop(x, nn.Dropout(0.5).eval(), single) is x
    assert drop(x, nn.Dropout(0.0), single) is x
    with seeded(0, "x"):
        assert not torch.equal(drop(x, nn.Dropout(0.5), single), x)


def test_dropout_of_a_run_is_the_same_alone_and_in_a_stack():
    x, found = torch.ones(12, 5), rows()
    stacked = found.gather(drop(x, nn.Dropout(0.4), found.segments))
    alone = [factors((count, 5), 0.4, generator(seed, "dropout")) for seed, count in ((0, 3), (2, 4))]
    assert np.array_equal(stacked, torch.cat(alone))
