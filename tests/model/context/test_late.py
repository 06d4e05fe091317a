"""Late fusion: one context extractor per stream."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.model.config import ModelConfig
from replicate.model.context.base import context_extractor
from replicate.model.context.late import LateFusion
from replicate.model.seed_layers import SeedBatch
from replicate.model.seed_stack import stack

from ..conftest import batch, small_model

WIDTHS = (2, 3, 1)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)
kinds = pytest.mark.parametrize("kind", ["transformer", "gru", "ssm"])


def late(seed=0, widths=WIDTHS, **config):
    return small_model(seed, stream_widths=widths, context_layers=1, **config)


@kinds
def test_with_one_stream_it_is_the_extractor_of_that_stream(kind):
    given, one, plain = batch([5, 1, 3]), late(widths=(6,), context=kind), small_model(context_layers=1, context=kind)
    assert isinstance(one.rnn, LateFusion) and isinstance(plain.rnn, context_extractor(kind))
    ours, theirs = (model(given.x, given.lengths, given.speakers) for model in (one, plain))
    assert torch.equal(ours.log_prob, theirs.log_prob)


@kinds
def test_every_stream_has_an_encoder_of_its_own_width(kind):
    model = late(context=kind).rnn
    x, present = torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool)
    pieces = [each(part, present) for each, part in zip(model.extractors, x.split(WIDTHS, -1), strict=True)]
    expected = torch.cat(pieces, -1) @ model.join.weight.T + model.join.bias
    assert torch.allclose(model(x, present), expected, atol=1e-6) and model.join.weight.shape == (8, 24)


@kinds
@settings(max_examples=10, deadline=None)
@given(lengths=LENGTHS)
@torch.no_grad()
def test_both_forms_agree_and_padding_changes_nothing(kind, lengths):
    model, given = late(context=kind), batch(lengths)
    found = model(given.x, given.lengths, given.speakers)
    reference = model(given.x, given.lengths, given.speakers, "reference")
    assert torch.allclose(found.log_prob, reference.log_prob, atol=1e-5)
    padded = torch.nn.functional.pad(given.x, (0, 0, 0, 4), value=7.0)
    speakers = torch.nn.functional.pad(given.speakers, (0, 4))
    wider = model(padded, given.lengths, speakers, "reference")
    assert torch.allclose(found.log_prob, wider.log_prob, atol=1e-5)


@pytest.mark.parametrize("form", ["banded", "reference"])
def test_a_hidden_stream_has_no_gradient_and_no_influence(form):
    model, given = late(widths=(3, 3)), batch([4, 2])
    keep = torch.tensor([1.0] * 3 + [0.0] * 3)
    x = given.x.clone().requires_grad_()
    found = model(x, given.lengths, given.speakers, form, keep).node
    found.square().sum().backward()
    assert x.grad[..., 3:].abs().max() == 0 and x.grad[given.present][:, :3].abs().min() > 0
    changed = given.x.clone()
    changed[..., 3:] += 3
    assert torch.equal(found, model(changed, given.lengths, given.speakers, form, keep).node)


def test_a_stream_is_encoded_without_the_others():
    model, given = late().rnn, batch([4])
    changed = given.x.clone()
    changed[..., 2:5] += 3
    before, after = (
        [each(part, given.present) for each, part in zip(model.extractors, x.split(WIDTHS, -1), strict=True)]
        for x in (given.x, changed)
    )
    assert [torch.equal(one, other) for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_late_fusions_of_transformers_train_as_a_stack():
    given = batch([5, 2, 4, 7])
    rows = SeedBatch.several(given.lengths, [2, 2])
    with torch.no_grad():
        found = stack([late(seed) for seed in range(2)]).eval()(given.x, given.lengths, given.speakers, seed_batch=rows)
        alone = [
            late(seed)(given.x[part], given.lengths[part], given.speakers[part]).log_prob
            for seed, part in enumerate((slice(0, 2), slice(2, 4)))
        ]
    assert torch.allclose(found.log_prob, torch.cat(alone), atol=1e-5)


def test_padding_is_attended_to_where_the_protocol_says_so():
    assert late(attend_padding=True).rnn.attend_padding and not late().rnn.attend_padding


def test_a_projected_stream_is_encoded_at_its_projected_width():
    model = late(projected=4, widths=(8, 2))
    given = batch([3, 2])
    assert model(given.x, given.lengths, given.speakers).log_prob.shape == (5, 4)


@pytest.mark.parametrize("widths", [(2, 3), (6, 0), (8,)])
def test_widths_that_are_not_those_of_the_input_are_refused(widths):
    with pytest.raises(ValueError, match=r"stream_widths .* do not sum to 6 columns"):
        ModelConfig(6, stream_widths=widths)
