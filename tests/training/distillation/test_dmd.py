import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.rng import generator
from replicate.training.distillation.base import UtteranceOutputs
from replicate.training.distillation.dmd import DmdOnlineSettings, DmdSettings, margin_loss, orthogonality
from replicate.training.distillation.triplet import draw_positives

from ..conftest import method_setup

NAMES = ("joint", "video", "speech")
WIDTHS = (6, 5, 7)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(settings=None):
    """A method for three teachers, or none if it needs none, and the student's decoupler."""
    settings = settings or DmdSettings(space=8)
    names = NAMES if settings.implementation.needs_teacher else ()
    teachers = dict(zip(names, WIDTHS, strict=False))
    setup = method_setup(settings, teachers, hidden=6, classes=3, heads={"decoupled": settings.space})
    return settings.implementation(setup), setup.model.decoupler


def outputs(width, n=12, seed=0):
    return UtteranceOutputs(normal(n, width, seed=seed).requires_grad_(), normal(n, 3, seed=seed + 9).log_softmax(1))


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


@pytest.mark.parametrize("change", [{}, {"homo": False}, {"hetero": False}])
def test_losses_are_named_and_edges_are_logged(change):
    settings_ = DmdSettings(space=8, **change)
    made, _ = build(settings_)
    losses, logged = made(outputs(6), [outputs(w, seed=w) for w in WIDTHS], torch.arange(12) % 3)
    plain = {"branches", "reconstruction", "cycle", "orthogonality", "margin"}
    graphs = {name for name in ("homo", "hetero") if getattr(settings_, name)}
    assert losses.keys() == plain | graphs and losses.keys() <= made.weights.keys()
    edges = {f"{graph} edge {name} to student" for graph in graphs for name in NAMES}
    components = {f"{graph} {name}" for graph in graphs for name in ("prior", "logits")}
    assert logged.keys() == edges | components | {"margins without a negative"}
    assert made.weights.keys() == losses.keys()
    for graph in graphs:
        assert sum(float(logged[f"{graph} edge {name} to student"]) for name in NAMES) == pytest.approx(1)
    assert all(torch.isfinite(loss) and loss.dim() == 0 for loss in losses.values())


def test_weights_are_those_of_the_released_code():
    made, _ = build()
    assert made.weights == pytest.approx(
        {
            "branches": 1,
            "homo": 0.05,
            "hetero": 0.05,
            "reconstruction": 0.1,
            "cycle": 0.1,
            "margin": 0.01,
            "orthogonality": 0.01,
        }
    )


def test_graphs_move_the_student_and_no_teacher():
    """The graphs' losses have no gradient in the teachers' own branches."""
    made, student = build()
    teacher_outputs = [outputs(w, seed=w) for w in WIDTHS]
    losses, _ = made(outputs(6), teacher_outputs, torch.arange(12) % 3)
    (losses["homo"] + losses["hetero"]).backward()
    moved = {name for name, p in made.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert not [name for name in moved if name.startswith(("teachers.", "nodes.1", "nodes.2", "nodes.3"))]
    assert any(name.startswith("nodes.0") for name in moved) and any("weigh" in name for name in moved)
    assert student.project.weight.grad.abs().max() > 0
    assert all(teacher.embedding.grad is None for teacher in teacher_outputs)
    # The teachers' saved outputs stay unchanged.
    before = [teacher.embedding.detach().clone() for teacher in teacher_outputs]
    sum(made(outputs(6), teacher_outputs, torch.arange(12) % 3).losses.values()).backward()
    assert all(torch.equal(teacher.embedding, kept) for teacher, kept in zip(teacher_outputs, before, strict=True))


@pytest.mark.parametrize(("settings_", "widths"), [(DmdSettings(space=8), WIDTHS), (DmdOnlineSettings(space=8), (6,))])
@pytest.mark.parametrize("labels", [[0] * 12, [0, 1, 2] * 4])
def test_a_batch_of_one_class_gives_numbers(settings_, widths, labels):
    made, _ = build(settings_)
    losses, logged = made(outputs(6), [outputs(w, seed=w) for w in widths], torch.tensor(labels))
    assert float(logged["margins without a negative"]) == float(len(set(labels)) == 1)
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert (float(losses["margin"].detach()) == 0) is (len(set(labels)) == 1)


def test_online_edges_go_both_ways():
    made, _ = build(DmdOnlineSettings(space=8))
    ours, theirs = outputs(6), outputs(6, seed=3)
    losses, logged = made(ours, [theirs], torch.arange(12) % 3)
    assert {
        f"{g} edge {e}" for g in ("homo", "hetero") for e in ("video model to student", "student to video model")
    } <= logged.keys()
    sum(losses.values()).backward()
    assert ours.embedding.grad.abs().max() > 0 and theirs.embedding.grad.abs().max() > 0


def test_private_halves_may_be_pulled_closer_or_pushed_apart():
    losses = {}
    for kind in ("off", "attract", "repel"):
        made, _ = build(DmdSettings(space=8, private_features=kind))
        losses[kind] = float(
            made(outputs(6), [outputs(w, seed=w) for w in WIDTHS], torch.arange(12) % 3).losses["hetero"].detach()
        )
    assert losses["off"] < min(losses["attract"], losses["repel"])
