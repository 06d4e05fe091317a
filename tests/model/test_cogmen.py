import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.model.window_graph import edge_list

from .conftest import batch, small_model

LENGTHS = st.lists(st.integers(1, 23), min_size=1, max_size=4)
WINDOWS = [(5, 5), (0, 0), (5, 0), (0, 3), (30, 30)]


def run(model, given, form="banded"):
    return model(given.x, given.lengths, given.speakers, form)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(0, 7), st.integers(0, 7), st.integers(1, 3), st.integers(0, 100))
def test_both_forms_give_the_same_outputs(lengths, past, future, speakers, seed):
    model = small_model(seed, past=past, future=future, speakers=speakers)
    given = batch(lengths, speakers=speakers, seed=seed)
    with torch.no_grad():
        reference, banded = run(model, given, "reference"), run(model, given)
    assert banded.log_prob.shape == (sum(lengths), 4)
    for ours, theirs in zip(banded, reference, strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)


def test_both_forms_project_alike():
    model, given = small_model(projected=4, projection_bias=True, encoder_heads=1), batch([5, 2, 9])
    with torch.no_grad():
        reference, banded = run(model, given, "reference"), run(model, given)
    assert torch.allclose(banded.log_prob, reference.log_prob, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("past", "future"), WINDOWS)
@pytest.mark.parametrize(("lengths", "training"), [([1], False), ([1, 17, 4], True), ([33, 2], True)])
def test_both_forms_give_the_same_gradients(lengths, training, past, future):
    given = batch(lengths)
    gradients = []
    for form in ("reference", "banded"):
        model = small_model(past=past, future=future).train(training)
        x = given.x.clone().requires_grad_()
        output = model(x, given.lengths, given.speakers, form)
        (F.nll_loss(output.log_prob, given.packed_labels()) + output.graph.square().mean()).backward()
        # The banded form leaves out the key's bias, which has no effect: its gradient in the reference form is zero,
        # too.
        gradients.append([x.grad, *(torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters())])
    assert sum(float(g.abs().sum()) for g in gradients[0]) > 1
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(LENGTHS, st.integers(0, 100))
def test_a_dialogue_does_not_depend_on_its_batch_mates(lengths, seed):
    model, given = small_model(), batch(lengths, seed=seed)
    alone = []
    with torch.no_grad():
        batched = run(model, given).log_prob
        for i, n in enumerate(lengths):
            alone.append(
                model(given.x[i : i + 1, :n], given.lengths[i : i + 1], given.speakers[i : i + 1, :n]).log_prob
            )
    assert torch.allclose(batched, torch.cat(alone), rtol=0, atol=1e-5)


def test_content_of_padding_does_not_matter_unless_it_is_attended_to():
    given = batch([3, 9])
    noisy = given.x.clone()
    noisy[0, 3:] = 7
    for attend_padding in (False, True):
        model = small_model(attend_padding=attend_padding)
        with torch.no_grad():
            clean, other = (model(x, given.lengths, given.speakers).log_prob for x in (given.x, noisy))
        assert torch.allclose(clean, other, rtol=0, atol=1e-5) is not attend_padding


def test_the_released_protocol_depends_on_the_longest_dialogue_of_the_batch():
    model, given = small_model(attend_padding=True), batch([3, 9])
    with torch.no_grad():
        batched = run(model, given).log_prob[:3]
        alone = model(given.x[:1, :3], given.lengths[:1], given.speakers[:1, :3]).log_prob
    assert (batched - alone).abs().max() > 1e-3


@pytest.mark.parametrize(("past", "future"), [(0, 0), (2, 0), (0, 3), (1, 2)])
@pytest.mark.parametrize("form", ["reference", "banded"])
def test_a_message_reaches_two_windows_and_no_further(past, future, form):
    """Two layers: utterance 20 has an effect from 20 - 2 * past to 20 + 2 * future."""
    model, given = small_model(past=past, future=future), batch([40])
    with torch.no_grad():
        node, graph = model.nodes(given.x, given.lengths, given.speakers)
        graph = edge_list(graph, 40) if form == "reference" else graph
        before = model.classify(node, graph).graph
        node[20] += 3
        moved = (model.classify(node, graph).graph - before).abs().amax(1) > 1e-6
    assert moved.nonzero().flatten().tolist() == list(range(20 - 2 * past, 20 + 2 * future + 1))


def test_speakers_matter_with_more_than_two_of_them():
    model, given = small_model(speakers=3), batch([6], speakers=3)
    outputs = []
    with torch.no_grad():
        for speaker in range(3):
            speakers = given.speakers.clone()
            speakers[0, 2] = speaker
            outputs.append(model(given.x, given.lengths, speakers).log_prob)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (outputs[one] - outputs[other]).abs().max() > 1e-4


def test_shapes_follow_the_configuration():
    model, given = small_model(gnn_heads=2, classes=5, speakers=3, context_layers=1), batch([4, 1], speakers=3)
    output = run(model, given)
    assert [tuple(part.shape) for part in output] == [(5, 8), (5, 16), (5, 5)]
    assert torch.allclose(output.log_prob.exp().sum(1), torch.ones(5), atol=1e-6)
    assert model.gcn.conv1.weight.shape == (18, 8, 8)
