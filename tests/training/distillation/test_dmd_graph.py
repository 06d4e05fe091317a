import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.training.distillation.dmd_graph import (
    GraphDistillation,
    attracted,
    distance,
    prior,
    repelled,
)
from replicate.training.methods.decoupling import GraphSettings

INTO_STUDENT = [(1, 0), (2, 0), (3, 0)]
BOTH_WAYS = [(1, 0), (0, 1)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(edges=INTO_STUDENT, settings_=None, features=None):
    torch.manual_seed(0)
    expected = prior([1.0, *[0.0] * (len(edges) - 1)])
    return GraphDistillation(settings_ or GraphSettings(), edges, expected, 4, 5, 8, features)


def nodes(edges, n=7, seed=0):
    """Logits and features of every node."""
    count = 1 + max(place for edge in edges for place in edge)
    return (
        [normal(n, 4, seed=seed + i).requires_grad_() for i in range(count)],
        [normal(n, 5, seed=seed + 50 + i).requires_grad_() for i in range(count)],
    )


def test_priors_of_the_released_code():
    homo, hetero = prior([0, 0, 1, 0, 1, 0]), prior([0, 0, 1, 0, 1, 1])
    assert homo.tolist() == pytest.approx([0.0088, 0.0088, 0.4823, 0.0088, 0.4823, 0.0088], abs=5e-5)
    assert hetero.tolist() == pytest.approx([0.0060, 0.0060, 0.3273, 0.0060, 0.3273, 0.3273], abs=5e-5)
    assert prior([1, 0, 0]).tolist() == pytest.approx([0.965, 0.018, 0.018], abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.sampled_from([INTO_STUDENT, BOTH_WAYS]), st.sampled_from(["learned", "uniform"]))
def test_weights_of_an_utterance_sum_to_one(seed, edges, kind):
    weights = unit(edges, GraphSettings(edges=kind)).weights(*nodes(edges, seed=seed))
    assert weights.shape == (7, len(edges)) and (weights >= 0).all()
    assert weights.sum(1).tolist() == pytest.approx([1] * 7, abs=1e-6)
    if kind == "uniform":
        assert (weights == 1 / len(edges)).all()


@pytest.mark.parametrize("features", [None, repelled, attracted])
@pytest.mark.parametrize("kind", ["softmax", "log_softmax", "divergence"])
def test_sources_of_edges_get_no_gradient(features, kind):
    logits, feature = nodes(INTO_STUDENT)
    unit(settings_=GraphSettings(distance=kind), features=features)(logits, feature).loss.backward()
    assert logits[0].grad.abs().max() > 0 and feature[0].grad.abs().max() > 0
    assert all(tensor.grad is None for tensor in (*logits[1:], *feature[1:]))


def test_with_edges_both_ways_each_node_gets_the_gradient_of_its_own_edge_only():
    logits, feature = nodes(BOTH_WAYS)
    unit(BOTH_WAYS)(logits, feature).loss.backward()
    assert all(tensor.grad.abs().max() > 0 for tensor in logits)
    ours, theirs = (x.detach().clone() for x in logits)
    ours.requires_grad_()
    distance(ours, theirs, GraphSettings()).sum().backward()
    # The edge to the student pulls it towards the other: the sign is that of its own distance alone.
    weightless = unit(BOTH_WAYS, GraphSettings(edges="uniform", edge_weight=0.0))
    again = [x.detach().clone().requires_grad_() for x in logits]
    weightless(again, feature).loss.backward()
    total = 0.5 + prior([1.0, 0.0])[0]
    assert torch.allclose(again[0].grad, ours.grad * total / 7, atol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "log_softmax", "divergence"])
def test_equal_logits_are_at_no_distance_also_when_all_are_shifted(kind):
    logits = normal(5, 4)
    assert distance(logits + torch.arange(5.0)[:, None], logits, GraphSettings(distance=kind)).abs().max() < 1e-5


def test_distances_by_hand():
    even, odds = torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]])
    assert float(distance(even, odds, GraphSettings())) == pytest.approx(0.5)
    assert float(distance(even, odds, GraphSettings(distance="log_softmax"))) == pytest.approx(
        math.log(1.5) + math.log(2)
    )


def test_the_loss_by_hand():
    """One edge: its weight is 1, and 1 more from the prior, so that only twice the distance is left."""
    one = [(1, 0)]
    logits, feature = [torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]])], [torch.ones(1, 5), -torch.ones(1, 5)]
    plain = GraphDistillation(GraphSettings(), one, prior([1.0]), 2, 5, 8)(logits, feature)
    assert float(plain.loss.detach()) == pytest.approx(2 * 0.5)
    apart = GraphDistillation(GraphSettings(), one, prior([1.0]), 2, 5, 8, attracted)(logits, feature)
    assert float(apart.loss.detach()) == pytest.approx(2 * 0.5 + 10 * 2 * 2)


def test_edges_are_pulled_towards_their_prior():
    logits, feature = nodes(INTO_STUDENT)
    loss, components, weights = unit(settings_=GraphSettings(edge_weight=10.0))(logits, feature)
    without = unit(settings_=GraphSettings(edge_weight=0.0))(logits, feature).loss
    expected = 10 * (weights.mean(0) - prior([1.0, 0, 0])).square().sum()
    assert float(loss - without) == pytest.approx(float(expected), rel=1e-4)
    assert float(components["prior"]) == pytest.approx(float(expected)) and "features" not in components
    assert float(components["logits"]) == pytest.approx(float(without))


def test_without_a_prior_learned_weights_count_twice_and_nothing_pulls_them():
    logits, feature = nodes(INTO_STUDENT)
    torch.manual_seed(0)
    free = GraphDistillation(GraphSettings(), INTO_STUDENT, None, 4, 5, 8)
    loss, components, weights = free(logits, feature)
    apart = torch.stack([distance(logits[0], each, GraphSettings()) for each in logits[1:]], 1)
    assert components.keys() == {"logits"}
    assert float(loss) == pytest.approx(float((2 * weights * apart).sum(1).mean()), rel=1e-5)


def test_distances_of_features_by_hand():
    x = torch.tensor([[1.0, 0.0]])
    assert [float(repelled(x, y)) for y in (x, -x)] == [1, 0]
    assert [float(attracted(x, y)) for y in (x, -x)] == [0, 2]
