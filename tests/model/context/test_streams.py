import itertools

import pytest
import torch
import torch.nn.functional as F

from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.model.context.base import context_extractor
from replicate.model.context.streams import SPACE, DecoupledStreams, Reinforcement
from replicate.rng import seeded

WIDTHS = (4, 3, 5)
kinds = pytest.mark.parametrize("kind", ["streams", "decoupled-streams"])


def model(kind):
    config = ModelConfig(
        sum(WIDTHS), hidden=8, gnn_heads=1, past=0, future=0, dropout=0.0, context=kind, stream_widths=WIDTHS
    )
    with seeded(0, "weights"):
        return COGMEN(config).eval()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@kinds
def test_an_utterance_depends_on_no_other_one(kind):
    x, speakers = normal(2, 4, 12), torch.zeros(2, 4, dtype=torch.int64)
    lengths = torch.tensor([4, 3])
    both = model(kind)(x, lengths, speakers)
    alone = model(kind)(x[1:, 2:3], torch.tensor([1]), speakers[1:, 2:3])
    assert torch.allclose(both.log_prob[6:], alone.log_prob, atol=1e-6)
    reference = model(kind)(x, lengths, speakers, form="reference")
    assert torch.allclose(both.log_prob, reference.log_prob, atol=1e-5)


@kinds
def test_every_stream_has_an_effect(kind):
    extractor, streams = model(kind).rnn, [normal(6, width, seed=width) for width in WIDTHS]
    node = extractor.encode(streams)
    for place in range(3):
        other = [-x if i == place else x for i, x in enumerate(streams)]
        assert (extractor.encode(other) - node).abs().max() > 1e-3


def test_a_layer_of_cross_attention_to_one_utterance():
    """Attention over one key is the same whatever the query: its value, mapped linearly."""
    layer = Reinforcement(SPACE)
    target, source = normal(5, SPACE), normal(5, SPACE, seed=1)
    attention = torch.nn.MultiheadAttention(SPACE, 1, batch_first=True)
    values = attention.in_proj_weight[2 * SPACE :], attention.in_proj_bias[2 * SPACE :]
    product = attention.out_proj.weight @ values[0]
    layer.value.load_state_dict(
        {"weight": product, "bias": attention.out_proj.weight @ values[1] + attention.out_proj.bias}
    )
    key = layer.norm(source)[:, None]
    x = target + attention(target[:, None], key, key)[0][:, 0]
    assert torch.allclose(layer(target, source), x + layer.feed(x), atol=1e-5)


def test_private_halves_are_reinforced_by_the_other_streams_in_order():
    extractor = model("decoupled-streams").rnn
    assert isinstance(extractor, DecoupledStreams)
    halves = extractor.split([normal(6, width, seed=width) for width in WIDTHS])
    found = extractor.reinforced(halves)
    pairs = list(itertools.permutations(range(3), 2))
    for target in range(3):
        into = [
            extractor.reinforcements[pairs.index((target, source))](halves[target].private, halves[source].private)
            for source in range(3)
            if source != target
        ]
        assert torch.equal(found[target], torch.cat(into, 1))
    assert extractor.joined(halves).shape == (6, 3 * SPACE)


def test_one_map_to_the_shared_half_serves_all_streams():
    extractor = model("decoupled-streams").rnn
    halves = extractor.split([normal(6, width, seed=width) for width in WIDTHS])
    for half in halves:
        assert torch.allclose(half.shared, F.linear(half.common, extractor.shared.weight), atol=1e-6)
    assert len([name for name, _ in extractor.named_parameters() if ".shared" in name]) == 0


@kinds
def test_one_stream_is_not_enough(kind):
    with pytest.raises(ValueError, match="several streams"):
        context_extractor(kind).from_config(ModelConfig(4, context=kind))
