import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.model.context.packed import DIALOGUES, blocks, encode
from replicate.model.context.transformer import TransformerExtractor
from replicate.model.products import use_onednn
from replicate.model.seed_layers import SeedBatch
from replicate.rng import generator, seeded

CPU = torch.device("cpu")


def extractor(dropout=0.0):
    with seeded(0, "extractor"):
        return TransformerExtractor(8, 5, 2, dropout, feed_forward=16).train()


def one(lengths):
    return SeedBatch.one(len(lengths), int(sum(lengths)), CPU)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=2 * DIALOGUES + 1))
def test_packed_dialogues_give_what_padded_ones_give_and_the_same_gradients(lengths):
    counts = torch.tensor(lengths)
    present = torch.arange(max(lengths)) < counts[:, None]
    x = torch.randn(*present.shape, 8, generator=torch.Generator().manual_seed(1)) * present[..., None]
    padded, packed = extractor(), extractor()
    ours, theirs = packed.packed(x[present], counts, one(lengths)), padded(x, present)[present]
    assert torch.allclose(ours, theirs, atol=1e-5)
    for out in (ours, theirs):
        out.square().sum().backward()
    for (name, mine), other in zip(packed.named_parameters(), padded.parameters(), strict=True):
        assert torch.allclose(mine.grad, other.grad, rtol=1e-4, atol=1e-4), name


several = st.lists(st.lists(st.integers(1, 9), max_size=2 * DIALOGUES + 1), min_size=1, max_size=4)


@given(several.filter(any))
def test_every_utterance_is_in_one_block(runs):
    lengths = torch.tensor([length for run in runs for length in run])
    draws = [generator(seed, "dropout") for seed in range(len(runs))]
    rows = one(lengths) if len(runs) == 1 else SeedBatch.several(lengths, [len(run) for run in runs], draws)
    found, order = blocks(lengths, rows)
    listed = torch.cat([block.row.flatten()[block.place] for block in found])
    real = torch.arange(sum(map(sum, runs))) if rows.place is None else rows.place
    assert sorted(listed.tolist()) == real.tolist()
    assert torch.equal(listed[order[real]], real)
    assert all((block.mask == 0).sum() == len(block.place) for block in found)
    longest = [block.row.shape[1] for block in found]
    assert longest == sorted(longest, reverse=True) and longest[0] == max(map(max, filter(None, runs)))


@given(several.filter(any))
def test_dropout_of_a_run_has_the_same_shapes_alone_and_in_a_stack(runs):
    lengths = torch.tensor([length for run in runs for length in run])
    rows = SeedBatch.several(lengths, [len(run) for run in runs], [generator(seed, "x") for seed in range(len(runs))])
    stacked = [
        [(draws, factors[index].shape) for index, draws in block.segments]
        for block in blocks(lengths, rows).blocks
        for factors in [torch.empty(len(block.row), 1, block.row.shape[1], block.row.shape[1])]
    ]
    for run, draws in zip(runs, rows.draws, strict=True):
        alone = (
            [(len(b.row), 1, b.row.shape[1], b.row.shape[1]) for b in blocks(torch.tensor(run), one(run)).blocks]
            if run
            else []
        )
        assert [shape for block in stacked for who, shape in block if who is draws] == alone


def test_evaluation_draws_nothing():
    model, lengths = extractor(dropout=0.4).eval(), torch.tensor([3, 2])
    first, second = (model.packed(torch.ones(5, 8), lengths, one(lengths)) for _ in range(2))
    assert torch.equal(first, second)


def test_dropout_is_drawn_everywhere_that_torch_draws_it():
    # In the mean over many draws both are the same function; a missing dropout would show in the variance.
    model = extractor(dropout=0.3)
    x, lengths = torch.randn(4, 8, generator=torch.Generator().manual_seed(2)), torch.tensor([4])
    present = torch.ones(1, 4, dtype=torch.bool)
    with seeded(0, "dropout"), torch.no_grad():
        ours = torch.stack([model.packed(x, lengths, one(lengths)) for _ in range(2000)])
        theirs = torch.stack([model(x[None], present)[0] for _ in range(2000)])
    assert torch.allclose(ours.mean(0), theirs.mean(0), atol=0.05)
    assert torch.allclose(ours.std(0), theirs.std(0), rtol=0.08)


def test_many_utterances_have_the_gradients_of_padded_dialogues():
    # So many that oneDNN computes the products, see ``replicate.model.products``.
    counts = torch.full((9,), 40)
    present = torch.ones(9, 40, dtype=torch.bool)
    x = torch.randn(9, 40, 8, generator=generator(1, "x"))
    assert use_onednn(x.flatten(0, 1), torch.empty(5, 8))
    padded, packed = extractor(), extractor()
    ours, theirs = packed.packed(x.flatten(0, 1), counts, one(counts)), padded(x, present).flatten(0, 1)
    assert torch.allclose(ours, theirs, atol=1e-5)
    for out in (ours, theirs):
        out.square().mean().backward()
    for (name, mine), other in zip(packed.named_parameters(), padded.named_parameters(), strict=True):
        assert torch.allclose(mine.grad, other[1].grad, rtol=1e-4, atol=1e-5), name


def test_many_utterances_have_the_same_dropout_alone_and_in_a_stack_of_models():
    counts, model = torch.full((9,), 40), extractor(dropout=0.4)
    x = torch.randn(360, 8, generator=generator(1, "x"))
    alone = SeedBatch((9,), (360,), (generator(0, "dropout"),))
    layer = model.transformer_encoder.layers[0]
    by_hand = copy.deepcopy(layer)
    for name, parameter in layer.named_parameters():
        owner = by_hand.get_submodule(name.rpartition(".")[0])
        setattr(owner, name.rpartition(".")[2], torch.nn.Parameter(parameter.detach()[None]))
    stacked = SeedBatch.several(counts, [9], [generator(0, "dropout")])
    ours = encode(layer, x, blocks(counts, alone), alone)
    assert torch.allclose(ours, encode(by_hand, x, blocks(counts, stacked), stacked), atol=1e-5)
