import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.rng import generator
from replicate.training.distillation.dmd_margin import all_pairs_margin, drawn_margin, margin_loss, orthogonality
from replicate.training.distillation.triplet import draw_positives


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_equal_halves_cost_1_and_opposite_ones_0():
    part = normal(5, 8)
    assert float(orthogonality(part, 2 * part)) == pytest.approx(1)
    assert float(orthogonality(part, -part)) == 0


def test_margins():
    anchor, other = torch.tensor([[1.0, 0.0]] * 3), torch.tensor([[0.0, 1.0]] * 3)
    every = torch.ones(3, dtype=torch.bool)
    assert float(margin_loss(anchor, anchor, other, every, 0.1)) == 0
    assert float(margin_loss(anchor, other, anchor, every, 0.1)) == pytest.approx(1.1)
    # Anchors without a negative do not count, and no anchor at all is no error.
    assert float(margin_loss(anchor, other, anchor, torch.tensor([True, False, False]), 0.1)) == pytest.approx(1.1)
    assert float(margin_loss(anchor, other, anchor, ~every, 0.1)) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=14), st.integers(0, 99))
def test_positives_are_of_the_same_class(labels, seed):
    labels = torch.tensor(labels)
    assert labels[draw_positives(labels, 4, generator(seed, "margins"))].equal(labels)


def by_loops(similar, labels, margin):
    """The loss over all pairs, and the share of anchors without one, with a loop for each index."""
    every = [(vector, int(label)) for each in similar for vector, label in zip(each, labels, strict=True)]
    means = []
    for i, (anchor, own) in enumerate(every):
        cosine = [float(F.cosine_similarity(anchor, other, dim=0)) for other, _ in every]
        near = [cosine[j] for j, (_, label) in enumerate(every) if label == own and j != i]
        far = [cosine[j] for j, (_, label) in enumerate(every) if label != own]
        if near and far:
            means.append(sum(max(0.0, margin - p + n) for p in near for n in far) / (len(near) * len(far)))
    return sum(means) / max(len(means), 1), 1 - len(means) / len(every)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 99))
def test_the_loss_over_all_pairs_by_loops(labels, nodes, seed):
    similar, labels = [normal(len(labels), 4, seed=seed + i) for i in range(nodes)], torch.tensor(labels)
    found = all_pairs_margin(similar, labels, 0.15)
    assert [float(each) for each in found] == pytest.approx(by_loops(similar, labels, 0.15), abs=1e-5)


@pytest.mark.parametrize("loss", ["drawn", "all pairs"])
def test_separated_classes_have_no_loss_and_collapsed_ones_the_margin(loss):
    labels = torch.tensor([0, 1, 0, 1])
    apart = F.one_hot(labels, 2).float()
    for similar, expected in (([apart, 2 * apart], 0.0), ([torch.ones(4, 2), torch.ones(4, 2)], 0.15)):
        if loss == "drawn":
            found, without = drawn_margin(similar, labels, 2, 0.15, generator(0, "margins"))
        else:
            found, without = all_pairs_margin(similar, labels, 0.15)
        assert float(found) == pytest.approx(expected, abs=1e-6) and float(without) == 0


def test_zero_vectors_give_finite_gradients():
    similar = [torch.zeros(4, 3, requires_grad=True) for _ in range(2)]
    all_pairs_margin(similar, torch.tensor([0, 1, 0, 1]), 0.15)[0].backward()
    assert all(torch.isfinite(each.grad).all() for each in similar)
