"""The triplet loss and its negatives, compared with the released code and with a plain loop."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from replicate.model.cogmen import Output
from replicate.rng import generator
from replicate.training.config import Protocol
from replicate.training.data import Batch
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from replicate.training.distillation.loss import Distillation
from replicate.training.distillation.triplet import draw_negatives, triplet_loss
from replicate.training.methods.triplet import TripletSettings

from ..conftest import STUDENT, method_setup, spec_of

GOLDEN = Path(__file__).parents[2] / "golden" / "triplet.npz"

FORMS = ("one", "n-way")

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=14)

# The triplet loss does not look at the batch.
BATCH = Batch.whole(*(torch.zeros(0, 0) for _ in range(4)))


def draw(labels, form, seed=0, classes=4):
    return draw_negatives(torch.tensor(labels), classes, form, generator(seed, "negatives"))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_released_loss_and_its_gradient():
    with np.load(GOLDEN) as arrays:
        recorded = {name: torch.from_numpy(array) for name, array in arrays.items()}
    student = recorded["student"].requires_grad_()
    loss = triplet_loss(student, recorded["teacher"], recorded["negative_index"], "n-way")
    loss.backward()
    assert torch.allclose(loss, recorded["loss"], rtol=0, atol=1e-5)
    assert torch.allclose(student.grad, recorded["grad"], rtol=0, atol=1e-5)


def by_hand(student, teacher, negative, form):
    """Anchor by anchor, distance by distance."""

    def distance(a, b):
        return np.sqrt(sum((x - y + 1e-6) ** 2 for x, y in zip(a, b, strict=True)))

    anchors = []
    for x, p, rows in zip(student, teacher, negative, strict=True):
        chosen = [row for row in rows if row >= 0]
        pulled = sum(distance(x, p) for _ in chosen)
        pushed = sum(distance(x, teacher[row]) for row in chosen)
        anchors.append(max(pulled - pushed + 1, 0))
    return np.mean(anchors) if form == "one" else np.sum(anchors)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, deadline=None)
@example([2], 1, 0)
@example([1, 1, 1], 3, 0)
@example([0, 0, 3], 2, 0)
@given(LABELS, st.integers(1, 5), st.integers(0, 99))
def test_the_loss_is_that_of_a_plain_loop(form, labels, width, seed):
    student, teacher = normal(2, len(labels), width, seed=seed).double()
    negative = draw(labels, form, seed)
    loss = triplet_loss(student, teacher, negative, form)
    assert float(loss) == pytest.approx(by_hand(student.tolist(), teacher.tolist(), negative.tolist(), form))


def test_two_anchors_on_a_line():
    # Distances to the own and to the other one: 1 and 3 for the first, 1 - 3 + 1 < 0; 2 and 0 for the second.
    student, teacher = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    negative = torch.tensor([[1], [0]])
    assert float(triplet_loss(student, teacher, negative, "one")) == pytest.approx((0 + 3) / 2, abs=1e-4)
    assert float(triplet_loss(student, teacher, negative, "n-way")) == pytest.approx(3, abs=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labels", [[0, 1, 1, 2, 0, 3], [0, 0, 1], [2, 2]])
def test_gradients_are_those_of_small_steps(form, labels):
    student, teacher = normal(2, len(labels), 3, seed=5).double()
    negative = draw(labels, form)
    assert torch.autograd.gradcheck(lambda x: triplet_loss(x, teacher, negative, form), student.requires_grad_())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labels", [[0, 1, 1, 2], [0, 0], [3]])
def test_a_student_that_is_its_teacher_has_a_finite_gradient(form, labels):
    teacher = normal(len(labels), 4)
    student = teacher.clone().requires_grad_()
    triplet_loss(student, teacher, draw(labels, form), form).backward()
    assert torch.isfinite(student.grad).all()
    # And one at the same place as its negative.
    same = torch.zeros(len(labels), 4, requires_grad=True)
    triplet_loss(same, torch.zeros(len(labels), 4), draw(labels, form), form).backward()
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labels", [[1], [2, 2, 2]])
def test_an_anchor_without_a_negative_has_no_gradient(form, labels):
    negative = draw(labels, form)
    assert (negative == -1).all()
    student = normal(len(labels), 4).requires_grad_()
    loss = triplet_loss(student, normal(len(labels), 4, seed=1), negative, form)
    loss.backward()
    assert loss.item() == (1 if form == "one" else len(labels))
    assert (student.grad == 0).all()


@settings(max_examples=150, deadline=None)
@given(LABELS, st.integers(0, 999))
def test_one_negative_of_any_other_class_where_there_is_one(labels, seed):
    negative = draw(labels, "one", seed)
    assert negative.shape == (len(labels), 1) and negative.dtype == torch.int64
    for label, row in zip(labels, negative[:, 0].tolist(), strict=True):
        if len(set(labels)) == 1:
            assert row == -1
        else:
            assert 0 <= row < len(labels) and labels[row] != label


@settings(max_examples=150, deadline=None)
@given(LABELS, st.integers(0, 999))
def test_a_negative_of_every_other_class_that_is_there(labels, seed):
    negative = draw(labels, "n-way", seed)
    assert negative.shape == (len(labels), 4)
    for label, rows in zip(labels, negative.tolist(), strict=True):
        for of, row in enumerate(rows):
            if of == label or of not in labels:
                assert row == -1
            else:
                assert labels[row] == of


@pytest.mark.parametrize("form", FORMS)
def test_negatives_are_drawn_uniformly_and_each_anchor_for_itself(form):
    labels = torch.tensor([2, 0, 1, 0, 0, 2, 1, 3, 0])
    draws, times = generator(3, "negatives"), 4000
    drawn = torch.stack([draw_negatives(labels, 4, form, draws) for _ in range(times)])
    for anchor, label in enumerate(labels.tolist()):
        for column in range(drawn.shape[2]):
            others = (labels != label) if form == "one" else (labels == column) & (labels != label)
            expected = times / max(int(others.sum()), 1)
            counts = torch.bincount(drawn[:, anchor, column].clamp(min=0), minlength=9)[others]
            assert (drawn[:, anchor, column] >= 0).all() == bool(others.any())
            if len(counts) > 1:
                assert float(((counts - expected) ** 2).sum() / expected) < chi2.ppf(0.9999, len(counts) - 1)
    # Anchors 1 and 3 are of one class; of class 2 there are two utterances, of all other classes five.
    same = (drawn[:, 1, -2] == drawn[:, 3, -2]) if form == "n-way" else (drawn[:, 1] == drawn[:, 3])
    assert float(same.float().mean()) == pytest.approx(0.5 if form == "n-way" else 0.2, abs=0.04)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_generator_draws_the_same_negatives(form):
    labels = [0, 1, 2, 3] * 5
    assert torch.equal(draw(labels, form), draw(labels, form))
    assert not torch.equal(draw(labels, form), draw(labels, form, seed=1))


def output(n=5, width=4, classes=4):
    return Output(normal(n, 3), normal(n, width, seed=1), normal(n, classes, seed=2).log_softmax(1))


def loss_of(arm, teacher, form="one", seed=24):
    """The loss of a student whose embeddings have 4 columns."""
    outputs = UtteranceOutputs(teacher, torch.zeros(len(teacher), 4))
    setup = method_setup(arm.method)
    spec = spec_of(arm, seed, Protocol("p", triplet=form))
    return Distillation(replace(setup, spec=spec, teacher_outputs=[TeacherOutputs(outputs, outputs, "")]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (2.0, 0.5)])
def test_the_loss_is_the_weighted_sum_of_both(form, weights):
    arm = replace(STUDENT, distillation=TripletSettings(triplet_weight=weights[0], nll_weight=weights[1]))
    labels, rows, teacher = torch.tensor([0, 1, 1, 3, 0]), torch.tensor([6, 2, 0, 1, 5]), normal(7, 4, seed=3)
    loss = loss_of(arm, teacher, form)(output(), labels, rows, BATCH)
    negative = draw(labels.tolist(), form, 24)
    triplet = triplet_loss(output().graph, teacher[rows], negative, form)
    nll = F.nll_loss(output().log_prob, labels)
    assert float(loss) == pytest.approx(float(weights[0] * triplet + weights[1] * nll))


def test_a_narrower_student_gets_a_linear_map_and_an_equal_one_none():
    same = loss_of(STUDENT, normal(5, 4))
    assert list(same.parameters()) == []
    narrower = loss_of(STUDENT, normal(5, 6))
    assert [tuple(p.shape) for p in narrower.parameters()] == [(6, 4)]
    labels, rows = torch.tensor([0, 1, 1, 3, 0]), torch.arange(5)
    narrower(output(), labels, rows, BATCH).backward()
    assert narrower.method.adapter.weight.grad.abs().max() > 0
    again = loss_of(STUDENT, normal(5, 6))
    other = loss_of(STUDENT, normal(5, 6), seed=25)
    assert torch.equal(narrower.method.adapter.weight, again.method.adapter.weight)
    assert not torch.equal(narrower.method.adapter.weight, other.method.adapter.weight)
