from dataclasses import replace

import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.training.distillation.base import UtteranceOutputs
from replicate.training.distillation.pkdot import (
    TransportDistillation,
    anchors,
    similarities,
    structure_loss,
    transport,
)
from replicate.training.methods.pkdot import LEAST_UTTERANCES, MtPkdotSettings, PkdotSettings

from ..conftest import method_setup

NAMES = ("joint", "video", "speech")
ANCHORS = ("row_lowest", "shared_lowest", "row_highest", "all")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def outputs(n=40, width=6, seed=0, classes=3):
    return UtteranceOutputs(normal(n, width, seed=seed), normal(n, classes, seed=seed + 100).log_softmax(1))


def build(settings=None, names=NAMES):
    return TransportDistillation(method_setup(settings or MtPkdotSettings(), dict.fromkeys(names, 6)))


@pytest.mark.parametrize("which", ANCHORS)
def test_a_student_equal_to_its_teacher_has_no_loss(which):
    embedding = normal(40, 6)
    cost, centroid = structure_loss(embedding, embedding.clone(), MtPkdotSettings(anchors=which))
    assert abs(float(cost)) < 1e-6 and float(centroid) < 1e-6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0.1, 50), st.floats(0.1, 50), st.sampled_from(ANCHORS))
def test_rotation_and_scale_of_either_side_do_not_matter(seed, scale, other, which):
    student, teacher = normal(30, 5, seed=seed).double(), normal(30, 7, seed=seed + 1).double()
    rotation, teacher_rotation = (torch.linalg.qr(normal(n, n, seed=seed + 2).double()).Q for n in (5, 7))
    settings_ = MtPkdotSettings(anchors=which)
    plain = structure_loss(student, teacher, settings_)
    moved = structure_loss(scale * student @ rotation, other * teacher @ teacher_rotation, settings_)
    for before, after in zip(plain, moved, strict=True):
        assert float(before) == pytest.approx(float(after), rel=1e-6, abs=1e-9)


def test_the_gradient_reaches_only_the_student():
    student, teacher = normal(40, 5).requires_grad_(), normal(40, 7, seed=1).requires_grad_()
    sum(structure_loss(student, teacher, MtPkdotSettings())).backward()
    assert teacher.grad is None and torch.isfinite(student.grad).all() and student.grad.abs().max() > 0


@pytest.mark.parametrize("n", [8, 20, 31])
@pytest.mark.parametrize("which", ANCHORS)
def test_more_anchors_than_utterances_are_cut_down(n, which):
    columns = anchors(similarities(normal(n, 4)), which, 30)
    assert columns.shape == (n, n if which == "all" else min(30, n - 1))
    cost, _ = structure_loss(normal(n, 4, seed=1), normal(n, 4), MtPkdotSettings(anchors=which))
    assert torch.isfinite(cost)


def test_anchors_are_the_least_or_most_similar_of_the_teacher():
    similarity = torch.tensor(
        [[1.0, 0.2, -0.5, 0.9], [0.2, 1.0, 0.1, -0.3], [-0.5, 0.1, 1.0, 0.4], [0.9, -0.3, 0.4, 1.0]]
    )
    assert anchors(similarity, "row_lowest", 2).tolist() == [[2, 1], [3, 2], [0, 1], [1, 2]]
    assert anchors(similarity, "row_highest", 1).tolist() == [[3], [0], [3], [0]]
    # Means are 0.4, 0.25, 0.25 and 0.5: the second and third for everyone.
    assert [sorted(row) for row in anchors(similarity, "shared_lowest", 2).tolist()] == [[1, 2]] * 4
    assert anchors(similarity, "all", 1).tolist() == [[0, 1, 2, 3]] * 4


@pytest.mark.parametrize("which", ANCHORS)
@pytest.mark.parametrize("zero", ["one row", "student", "teacher", "both"])
def test_zero_vectors_and_equal_rows_give_numbers(which, zero):
    student, teacher = normal(40, 5), normal(40, 7, seed=1)
    if zero == "one row":
        student[3], teacher[5] = 0, 0
    if zero in ("student", "both"):
        student = torch.zeros(40, 5)
    if zero in ("teacher", "both"):
        teacher = torch.ones(40, 7)
    student.requires_grad_()
    losses = structure_loss(student, teacher, MtPkdotSettings(anchors=which))
    sum(losses).backward()
    assert all(torch.isfinite(loss) for loss in losses)
    assert student.grad.norm(dim=1).max() < 100  # of a zero vector, too


@pytest.mark.parametrize("n", [30, 100])
def test_the_cost_is_that_of_another_library(n):
    """POT's cost has no half, so that twice the regularisation and half the value are ours."""
    x, y = normal(n, 10).double() / 4, normal(n, 10, seed=1).double() / 4 + 0.3
    found = float(transport(x, y, 0.1))
    oracle = ot.bregman.empirical_sinkhorn_divergence(x.numpy(), y.numpy(), reg=0.02, numIterMax=5000) / 2
    # The library anneals, and includes the entropy in its value: the values agree to some per cent.
    assert found == pytest.approx(float(np.squeeze(oracle)), rel=0.05)


def test_the_gradient_has_the_direction_of_another_solver():
    """On what training compares: similarities at a teacher's anchors."""
    labels, draws = torch.arange(64) % 4, torch.Generator().manual_seed(0)
    centre = torch.randn(4, 16, generator=draws).double()
    student, teacher = (similarities(centre[labels] + torch.randn(64, 16, generator=draws)) for _ in range(2))
    columns = anchors(teacher, "row_lowest", 30)
    x, y = ((s - s.min()).gather(1, columns) for s in (student, teacher))
    (ours,) = torch.autograd.grad(transport(x.requires_grad_(), y, 0.1), x)
    uniform = np.full(64, 1 / 64)

    def distance(a, b):
        cost = torch.cdist(a, b).square() / 2
        # The envelope theorem: where the distance is at its least, the plan counts as fixed.
        plan = ot.sinkhorn(uniform, uniform, cost.detach().numpy(), 0.01, "sinkhorn_log", numItermax=5000)
        return (torch.from_numpy(plan) * cost).sum()

    (theirs,) = torch.autograd.grad(distance(x, y) - distance(x, x) / 2, x)
    assert float(F.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)) > 0.999


def test_the_order_of_utterances_does_not_matter_to_transport():
    x = normal(40, 6)
    assert abs(float(transport(x, x[torch.randperm(40)], 0.1))) < 1e-6


def test_transport_over_the_number_of_anchors():
    student, teacher = normal(60, 5), normal(60, 7, seed=1)
    plain, scaled = (
        structure_loss(student, teacher, MtPkdotSettings(scale_by_count=each))[0] for each in (False, True)
    )
    assert float(scaled) == pytest.approx(float(plain) / 30)


def logits_for(labels, classes, right):
    """Log-probabilities with this chance for the right class of each utterance."""
    labels, right = torch.tensor(labels), torch.tensor(right)
    rest = ((1 - right) / (classes - 1))[:, None].expand(-1, classes)
    return rest.scatter(1, labels[:, None], right[:, None]).log()


def three(labels, chances):
    """Teachers whose embeddings are 0, 1, 2 everywhere."""
    return [
        UtteranceOutputs(torch.full((len(labels), 4), float(i)), logits_for(labels, 3, chance))
        for i, chance in enumerate(chances)
    ]


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_teacher_with_the_least_cross_entropy_on_the_batch_is_taken(best):
    labels = [0, 1, 2, 1]
    teachers = three(labels, [[0.5] * 4 if i == best else [0.4] * 4 for i in range(3)])
    embedding, share = build().choose(teachers, torch.tensor(labels))
    assert (embedding == best).all() and share.tolist() == [float(i == best) for i in range(3)]


def test_a_teacher_may_be_chosen_for_every_utterance():
    labels = [0, 1, 2, 1]
    teachers = three(labels, [[0.5, 0.1, 0.1, 0.5], [0.1, 0.5, 0.1, 0.1], [0.1, 0.1, 0.5, 0.1]])
    embedding, share = build(MtPkdotSettings(select="sample")).choose(teachers, torch.tensor(labels))
    assert embedding[:, 0].tolist() == [0, 1, 2, 0] and share.tolist() == [0.5, 0.25, 0.25]


def test_a_teacher_may_be_drawn_or_always_be_the_joint_one():
    labels = [0, 1, 2, 1]
    teachers = three(labels, [[0.1] * 4, [0.5] * 4, [0.5] * 4])
    method = build(MtPkdotSettings(select="uniform"))
    taken = [float(method.choose(teachers, torch.tensor(labels))[0][0, 0]) for _ in range(300)]
    assert all(70 < taken.count(i) < 130 for i in range(3))
    method = build(MtPkdotSettings(select="joint_only"))
    assert (method.choose(teachers, torch.tensor(labels))[0] == 0).all()


def test_pkdot_is_mtpkdot_with_the_joint_teacher_alone():
    labels = torch.arange(40) % 3
    teachers = [outputs(seed=i) for i in range(3)]
    twin = replace(MtPkdotSettings(), select="joint_only", transport_weight=0.6, centroid_weight=0.0, nll_weight=1.0)
    found = []
    for settings_, teacher_outputs in ((PkdotSettings(), teachers[:1]), (twin, teachers)):
        method = build(settings_, NAMES[: len(teacher_outputs)])
        found.append((method(outputs(seed=9), teacher_outputs, labels).losses, method.weights, method.nll_weight))
    assert found[0] == found[1]


def test_a_batch_that_is_too_small_has_no_transport_which_is_logged():
    method = build()
    for n, skipped in ((LEAST_UTTERANCES - 1, 1), (LEAST_UTTERANCES, 0)):
        losses, logged = method(outputs(n), [outputs(n, seed=i) for i in range(3)], torch.zeros(n, dtype=torch.int64))
        assert float(logged["without transport"]) == skipped and bool(losses) != bool(skipped)
        assert logged.get("fewer anchors") == (None if skipped else 1)


def test_of_a_large_batch_some_utterances_are_drawn():
    settings_ = MtPkdotSettings(utterances=16)
    whole = outputs(200)
    rows = build(settings_, NAMES[:1])(whole, [outputs(200, seed=1)], torch.zeros(200, dtype=torch.int64))
    every = build(replace(settings_, utterances=200), NAMES[:1])(
        whole, [outputs(200, seed=1)], torch.zeros(200, dtype=torch.int64)
    )
    assert float(rows.losses["transport"]) != float(every.losses["transport"])
