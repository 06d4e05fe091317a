import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.model.context import ContextExtractor
from replicate.model.packed import DIALOGUES, blocks, drop, kept
from replicate.rng import seeded


def extractor(dropout=0.0):
    with seeded(0, "extractor"):
        return ContextExtractor(8, 5, 2, dropout, feed_forward=16).train()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=2 * DIALOGUES + 1))
def test_packed_dialogues_give_what_padded_ones_give_and_the_same_gradients(lengths):
    counts = torch.tensor(lengths)
    present = torch.arange(max(lengths)) < counts[:, None]
    x = torch.randn(*present.shape, 8, generator=torch.Generator().manual_seed(1)) * present[..., None]
    padded, packed = extractor(), extractor()
    ours, theirs = packed.packed(x[present], counts), padded(x, present)[present]
    assert torch.allclose(ours, theirs, atol=1e-5)
    for out in (ours, theirs):
        out.square().sum().backward()
    for (name, mine), other in zip(packed.named_parameters(), padded.parameters(), strict=True):
        assert torch.allclose(mine.grad, other.grad, rtol=1e-4, atol=1e-4), name


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3 * DIALOGUES))
def test_every_utterance_lies_in_one_block(lengths):
    found = blocks(torch.tensor(lengths))
    assert sorted(torch.cat([block.packed for block in found]).tolist()) == list(range(sum(lengths)))
    assert all(torch.equal(block.row.flatten()[block.place], block.packed) for block in found)
    assert all((block.mask == 0).sum() == len(block.packed) for block in found)
    longest = [block.row.shape[1] for block in found]
    assert longest == sorted(longest, reverse=True) and longest[0] == max(lengths)


@pytest.mark.parametrize("chance", [0.1, 0.3, 0.5])
def test_dropout_keeps_the_stated_share_and_the_mean(chance):
    with seeded(0, "dropout"):
        factors = kept((500, 1001), chance)
    assert factors.unique().tolist() == pytest.approx([0.0, 1 / (1 - chance)])
    count = factors.numel()
    assert abs((factors == 0).float().mean() - chance) < 4 * (chance * (1 - chance) / count) ** 0.5 + 1e-5
    # Neither rows nor columns of it are alike.
    assert abs(torch.corrcoef(torch.stack([factors[:-1].flatten(), factors[1:].flatten()]))[0, 1]) < 0.01


def test_dropout_repeats_with_its_seed_and_goes_on_without():
    def draw():
        with seeded(3, "dropout"):
            return kept((7, 9), 0.5), kept((7, 9), 0.5)

    first, second = draw()
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip((first, second), draw(), strict=True))


def test_dropout_leaves_evaluation_alone():
    x = torch.ones(3, 4)
    assert torch.equal(drop(x, torch.nn.Dropout(0.5).eval()), x)
    assert torch.equal(drop(x, torch.nn.Dropout(0.0)), x)
    with seeded(0, "x"):
        assert not torch.equal(drop(x, torch.nn.Dropout(0.5)), x)
    model = extractor(dropout=0.4).eval()
    lengths = torch.tensor([3, 2])
    assert torch.equal(model.packed(torch.ones(5, 8), lengths), model.packed(torch.ones(5, 8), lengths))


def test_dropout_is_drawn_everywhere_that_torch_draws_it():
    # In the mean over many draws both are the same function; a missing dropout would show in the variance.
    model = extractor(dropout=0.3)
    x, lengths = torch.randn(4, 8, generator=torch.Generator().manual_seed(2)), torch.tensor([4])
    present = torch.ones(1, 4, dtype=torch.bool)
    with seeded(0, "dropout"), torch.no_grad():
        ours = torch.stack([model.packed(x, lengths) for _ in range(2000)])
        theirs = torch.stack([model(x[None], present)[0] for _ in range(2000)])
    assert torch.allclose(ours.mean(0), theirs.mean(0), atol=0.05)
    assert torch.allclose(ours.std(0), theirs.std(0), rtol=0.08)
