import pytest
import torch

from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.model.seed_layers import SeedBatch
from replicate.model.seed_stack import scatter_gradients, stack
from replicate.rng import generator, seeded

CONFIG = ModelConfig(width=6, hidden=4, context_layers=2, gnn_heads=3, feed_forward=8, dropout=0.2, encoder_heads=2)
DIALOGUES, LENGTHS = [3, 2], torch.tensor([5, 1, 3, 20, 4])


def models(config=CONFIG):
    made = []
    for seed in (0, 1):
        with seeded(seed, "weights"):
            made.append(COGMEN(config).train())
    return made


def batch(lengths, seed=0):
    """Features and speakers of dialogues."""
    present = torch.arange(int(lengths.max())) < lengths[:, None]
    draws = generator(seed, "batch")
    x = torch.randn(*present.shape, 6, generator=draws) * present[..., None]
    return x, torch.randint(2, present.shape, generator=draws), torch.rand(*present.shape, 6, generator=draws).round()


def rows(seed=0):
    return SeedBatch.several(LENGTHS, DIALOGUES, [generator(seed + run, "dropout") for run in (0, 1)])


@pytest.mark.parametrize(("projected", "bias"), [(0, False), (4, False), (4, True)])
def test_a_stack_gives_the_outputs_and_gradients_of_its_models(projected, bias):
    config = ModelConfig(**{**CONFIG.__dict__, "projected": projected, "projection_bias": bias})
    single, members = models(config), models(config)
    whole = stack(members)
    x, speakers, keep = batch(LENGTHS)
    keep = keep[..., : config.encoder_width]
    stacked = whole(x, LENGTHS, speakers, keep=keep, seed_batch=rows())
    sum(field.square().sum() for field in stacked).backward()
    scatter_gradients(whole, members)
    first = 0
    for run, (model, member, count) in enumerate(zip(single, members, DIALOGUES, strict=True)):
        own = slice(first, first := first + count)
        lengths = LENGTHS[own]
        longest = int(lengths.max())
        with seeded(run, "dropout"):
            alone = model(x[own, :longest], lengths, speakers[own, :longest], keep=keep[own, :longest])
        sum(field.square().sum() for field in alone).backward()
        starts = int(LENGTHS[: own.start].sum())
        for ours, theirs in zip(stacked, alone, strict=True):
            assert torch.allclose(ours[starts : starts + int(lengths.sum())], theirs, atol=1e-5)
        for (name, ours), theirs in zip(member.named_parameters(), model.parameters(), strict=True):
            if theirs.grad is None:
                assert ours.grad is None, name
            else:
                assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4), name
        for (name, ours), theirs in zip(member.named_buffers(), model.buffers(), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5), name


def test_models_are_views_of_the_stack():
    members = models()
    before = [model.clf.lin1.weight.clone() for model in members]
    whole = stack(members)
    assert all(torch.equal(model.clf.lin1.weight, old) for model, old in zip(members, before, strict=True))
    with torch.no_grad():
        members[1].clf.lin1.weight.zero_()
        whole.gcn.bn.running_mean[0] = 7
    assert torch.equal(whole.clf.lin1.weight[0], before[0]) and not whole.clf.lin1.weight[1].any()
    assert (members[0].gcn.bn.running_mean == 7).all() and not members[1].gcn.bn.running_mean.any()


def test_frozen_parameters_stay_frozen_in_a_stack():
    config = ModelConfig(**{**CONFIG.__dict__, "projected": 4, "learn_projection": False})
    whole = stack(models(config))
    assert not whole.projection.weight.requires_grad and whole.clf.lin1.weight.requires_grad


def test_only_the_packed_form_computes_a_stack():
    whole = stack(models())
    x, speakers, _ = batch(LENGTHS)
    with pytest.raises(ValueError, match="packed form"):
        whole(x, LENGTHS, speakers, "reference", seed_batch=rows())
