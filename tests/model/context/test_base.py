"""Properties of every context extractor."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.errors import InvalidDefinition
from replicate.model.config import ModelConfig
from replicate.model.context.base import Extractor, context_extractor, register
from replicate.model.context.recurrent import Gru, Lstm
from replicate.model.context.s4d import StateSpace
from replicate.model.context.transformer import TransformerExtractor
from replicate.model.seed_layers import SeedBatch
from replicate.rng import generator, seeded
from replicate.training.arm import Arm

from ..conftest import batch, small_model

KINDS = ["transformer", "gru", "lstm", "ssm"]
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=10)
kinds = pytest.mark.parametrize("kind", KINDS)
ways = pytest.mark.parametrize("causal", [False, True])


def extractor(kind, causal=False, memory=4, layers=2):
    config = ModelConfig(
        6,
        hidden=8,
        context_layers=layers,
        feed_forward=8,
        dropout=0.0,
        past=0,
        context=kind,
        causal=causal,
        memory=memory,
    )
    with seeded(0, "extractor"):
        return context_extractor(kind).from_config(config)


def dialogues(lengths, seed=0):
    present = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randn(*present.shape, 6, generator=generator(seed, "x")) * present[..., None], present


def one(lengths):
    return SeedBatch.one(len(lengths), sum(lengths), torch.device("cpu"))


def test_a_configuration_names_its_extractor():
    found = [type(extractor(kind)) for kind in KINDS]
    assert found == [TransformerExtractor, Gru, Lstm, StateSpace]
    assert isinstance(extractor("gru").recurrent, torch.nn.GRU) and isinstance(
        extractor("lstm").recurrent, torch.nn.LSTM
    )


@kinds
@ways
@settings(max_examples=15, deadline=None)
@given(lengths=LENGTHS)
def test_packed_gives_what_padded_gives_and_the_same_finite_gradients(kind, causal, lengths):
    x, present = dialogues(lengths)
    padded, packed = extractor(kind, causal).train(), extractor(kind, causal).train()
    ours = packed.packed(x[present], torch.tensor(lengths), one(lengths))
    theirs = padded(x, present)[present]
    assert ours.shape == (sum(lengths), 8) and torch.allclose(ours, theirs, atol=1e-5)
    for out in (ours, theirs):
        out.square().sum().backward()
    for (name, mine), other in zip(packed.named_parameters(), padded.parameters(), strict=True):
        assert mine.grad.isfinite().all(), name
        assert torch.allclose(mine.grad, other.grad, rtol=1e-4, atol=1e-4), name


@kinds
@ways
@settings(max_examples=15, deadline=None)
@given(lengths=LENGTHS)
@torch.no_grad()
def test_a_dialogue_depends_neither_on_others_nor_on_padding(kind, causal, lengths):
    x, present = dialogues(lengths)
    model = extractor(kind, causal).eval()
    batched = model(x.masked_fill(~present[..., None], 7.0), present)
    for row, n in enumerate(lengths):
        alone = model(x[row : row + 1, :n], torch.ones(1, n, dtype=torch.bool))[0]
        assert torch.allclose(batched[row, :n], alone, atol=1e-5)


@kinds
@ways
@settings(max_examples=15, deadline=None)
@given(length=st.integers(2, 12), data=st.data())
@torch.no_grad()
def test_later_utterances_change_earlier_ones_unless_causal(kind, causal, length, data):
    place = data.draw(st.integers(1, length - 1))
    x, present = dialogues([length])
    other = x.clone()
    other[0, place:] += 1
    model, rows = extractor(kind, causal).eval(), one([length])
    for run in (lambda x: model(x, present)[0], lambda x: model.packed(x[0], torch.tensor([length]), rows)):
        moved = (run(x) - run(other)).abs().amax(1)
        assert bool(moved[:place].max() < 1e-5) is causal
        assert (moved[place:] > 1e-5).all()


@pytest.mark.parametrize("form", ["packed", "padded"])
@torch.no_grad()
def test_a_causal_transformer_attends_to_its_memory_in_each_layer_and_no_further(form):
    x, present = dialogues([20])
    other = x.clone()
    other[0, 3] += 1
    for layers, memory in ((1, 1), (1, 4), (2, 4), (2, 64)):
        model = extractor("transformer", True, memory, layers).eval()
        both = [
            model(each, present)[0] if form == "padded" else model.packed(each[0], torch.tensor([20]), one([20]))
            for each in (x, other)
        ]
        moved = (both[0] - both[1]).abs().amax(1) > 1e-6
        assert moved.nonzero().flatten().tolist() == list(range(3, min(20, 3 + layers * (memory - 1) + 1)))


@torch.no_grad()
def test_a_memory_longer_than_the_dialogue_covers_all_earlier_utterances():
    x, present = dialogues([9])
    assert torch.equal(
        extractor("transformer", True, 9).eval()(x, present), extractor("transformer", True, 64).eval()(x, present)
    )


@kinds
@pytest.mark.parametrize("form", ["reference", "banded"])
@settings(max_examples=10, deadline=None)
@given(length=st.integers(2, 20), data=st.data())
def test_a_causal_model_never_looks_ahead(kind, form, length, data):
    place = data.draw(st.integers(1, length - 1))
    model, given = small_model(context=kind, causal=True, past=0, future=3), batch([length, 4])
    changed, speakers = given.x.clone(), given.speakers.clone()
    changed[0, place:] += 2
    speakers[0, place:] = 1 - speakers[0, place:]
    with torch.no_grad():
        before = model(given.x, given.lengths, given.speakers, form).log_prob
        after = model(changed, given.lengths, speakers, form).log_prob
    assert torch.allclose(before[:place], after[:place], rtol=0, atol=1e-5)
    assert not torch.allclose(before[place:length], after[place:length], rtol=0, atol=1e-5)


@kinds
def test_a_whole_causal_model_in_both_forms_gives_the_same_finite_gradients(kind):
    given = batch([1, 9, 4])
    gradients = []
    for form in ("reference", "banded"):
        model = small_model(context=kind, causal=True, past=0, memory=3).train()
        model(given.x, given.lengths, given.speakers, form).log_prob.square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    for name, gradient in gradients[1].items():
        assert gradient.isfinite().all() and torch.allclose(gradient, gradients[0][name], rtol=1e-4, atol=1e-4), name


def test_padding_takes_no_part_in_a_causal_model_under_any_protocol():
    assert small_model(attend_padding=True).rnn.attend_padding
    for kind in KINDS:
        assert not small_model(attend_padding=True, context=kind, causal=True, past=0).rnn.attend_padding


@pytest.mark.parametrize("wrong", [{"past": 1}, {"past": 0, "memory": 0}])
def test_an_impossible_causal_configuration_is_refused(wrong):
    with pytest.raises(ValueError, match="a causal model has past = 0"):
        ModelConfig(6, causal=True, **wrong)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_runs_of_other_extractors_train_alone(kind):
    rows = SeedBatch.several(torch.tensor([2, 3]), [1, 1])
    with pytest.raises(ValueError, match="one run at a time"):
        extractor(kind).packed(torch.zeros(6, 6), torch.tensor([2, 3]), rows)


def test_causal_transformers_train_as_a_stack():
    from replicate.model.seed_stack import stack

    models = [small_model(seed, causal=True, past=0, memory=3) for seed in range(2)]
    given = batch([5, 2, 4, 7])
    rows = SeedBatch.several(given.lengths, [2, 2])
    with torch.no_grad():
        stacked = stack([small_model(seed, causal=True, past=0, memory=3) for seed in range(2)]).eval()(
            given.x, given.lengths, given.speakers, seed_batch=rows
        )
        alone = [
            model(given.x[part], given.lengths[part], given.speakers[part]).log_prob
            for model, part in zip(models, (slice(0, 2), slice(2, 4)), strict=True)
        ]
    assert torch.allclose(stacked.log_prob, torch.cat(alone), atol=1e-5)


class Last(Extractor):
    """An extractor of one's own: a linear layer on each utterance."""

    def __init__(self, width, hidden, layers, dropout, causal):
        super().__init__()
        self.linear = torch.nn.Linear(width, hidden)

    def forward(self, x, present):
        return self.linear(x)


def test_an_extractor_of_ones_own_claims_no_capability():
    register("last")(Last)
    model = small_model(context="last", attend_padding=True)
    given = batch([1, 9, 4])
    reference, banded = (model(given.x, given.lengths, given.speakers, form) for form in ("reference", "banded"))
    assert isinstance(model.rnn, Last) and torch.allclose(reference.log_prob, banded.log_prob, atol=1e-5)
    assert not (Last.stackable or Last.exportable or Last.uses_memory or Last.can_attend_padding)
    assert not Arm("mine", "A", ("A",), "A", context="last").stackable


def test_an_unknown_extractor_is_named_with_the_nearest():
    with pytest.raises(
        InvalidDefinition, match=r"arm mine: context: unknown context extractor 'grue': did you mean gru"
    ):
        Arm("mine", "A", ("A",), "A", context="grue")
