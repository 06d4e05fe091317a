from dataclasses import replace

import pytest
import torch

from replicate.errors import InvalidDefinition
from replicate.training.arm import CONTEXTS
from replicate.training.distillation.base import UtteranceOutputs, build_method
from replicate.training.methods.dmd import DmdOnlineSettings, DmdSettings

from ..conftest import A, changed, corpus, method_setup, run, with_hubert

NAMES = ("joint", "video", "speech")
WIDTHS = (6, 5, 7)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(settings=None):
    """A method for three teachers, or none if it needs none, and the student's decoupler."""
    settings = settings or DmdSettings(space=8)
    names = NAMES if settings.traits.needs_teacher else ()
    teachers = dict(zip(names, WIDTHS, strict=False))
    setup = method_setup(settings, teachers, hidden=6, classes=3, heads={"decoupled": settings.space})
    return build_method(setup), setup.model.decoupler


def outputs(width, n=12, seed=0):
    return UtteranceOutputs(normal(n, width, seed=seed).requires_grad_(), normal(n, 3, seed=seed + 9).log_softmax(1))


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
        f"{g} edge {e}" for g in ("homo", "hetero") for e in ("visual model to student", "student to visual model")
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


@pytest.mark.parametrize("kind", ["joint", "uniform", "none"])
def test_the_prior_of_every_edge_is_logged(kind):
    made, _ = build(DmdSettings(space=8, prior=kind))
    _, logged = made(outputs(6), [outputs(w, seed=w) for w in WIDTHS], torch.arange(12) % 3)
    found = [made.constants.get(f"homo prior {name} to student") for name in NAMES]
    if kind == "none":
        assert found == [None] * 3 and "homo prior" not in logged
    else:
        assert found == pytest.approx([0.965, 0.018, 0.018] if kind == "joint" else [1 / 3] * 3, abs=1e-3)


def test_both_forms_of_the_margin_loss_can_be_used():
    teacher_outputs, labels = [outputs(w, seed=w) for w in WIDTHS], torch.arange(12) % 3
    found = {}
    for form, count in (("paper", 32), ("code", 32), ("code", 4)):
        made, _ = build(DmdSettings(space=8, margin_form=form, margin=0.15, margin_utterances=count))
        found[form, count] = float(made(outputs(6), teacher_outputs, labels).losses["margin"].detach())
    assert len(set(found.values())) == 3 and all(value > 0 for value in found.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"auxiliary": "AV"}, "'AV' is no context without audio"),
        ({"auxiliary": "video"}, "'video' is no context without audio"),
        ({"margin": -0.1}, "margin = -0.1 must be 0 or more"),
        ({"clip": -0.6}, "clip = -0.6 must be 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_named(change, message):
    with pytest.raises(InvalidDefinition, match=message):
        replace(A, distillation=DmdOnlineSettings(**change))


@pytest.mark.parametrize(("auxiliary", "name"), [("T", "text model"), ("TV", "text and visual model")])
def test_the_second_model_has_the_privileged_streams_that_the_arm_names(auxiliary, name):
    arm = replace(A, name="online", context_layers=1, distillation=DmdOnlineSettings(space=6, auxiliary=auxiliary))
    assert arm.required_streams == ("audio", *CONTEXTS[auxiliary])
    with_text = with_hubert(corpus(), stream="text")
    other = changed(with_text, "train", lambda d: {"features": d.features | {"text": d.features["text"] ** 2}})
    result, squared = run(arm, with_text, epochs=1), run(arm, other, epochs=1)
    assert {f"homo edge {name} to student", f"homo edge student to {name}"} <= result.curve[0].logged.keys()
    assert list(result.scaling) == ["audio"] and result.curve != squared.curve
