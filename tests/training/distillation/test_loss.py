"""The whole loss, and runs by every method."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from replicate.errors import MissingStream, WrongTeacher
from replicate.model.cogmen import COGMEN, Output
from replicate.training import loop as run_module
from replicate.training import trainer
from replicate.training.config import Arm, Protocol
from replicate.training.data import Batch
from replicate.training.distillation.base import TeacherOutputs, origin
from replicate.training.distillation.loss import Distillation
from replicate.training.inference import compute_teacher_outputs
from replicate.training.loop import train, train_seed_group
from replicate.training.methods.dmd import DmdOnlineSettings, DmdSettings
from replicate.training.methods.logits import LogitsSettings
from replicate.training.methods.pkdot import AlignmentSettings, MtPkdotSettings, PkdotSettings
from replicate.training.methods.triplet import TripletSettings

from ..conftest import PAPER, STUDENT, TEACHER, A, changed, corpus, louder, method_setup, run, spec_of, trained

SPEECH = replace(STUDENT, name="speech teacher", teacher=None)
VIDEO = Arm("video", "V", ("V",), "V", context_layers=1, gnn_heads=3)
SHORT = AlignmentSettings(epochs=2, batch=8, rank=4)
# The triplet loss does not look at the batch.
BATCH = Batch.whole(*(torch.zeros(0, 0) for _ in range(4)))
METHODS = {
    "triplet": TripletSettings(),
    "logits": LogitsSettings(),
    "pkdot": PkdotSettings(utterances=12),
    "mtpkdot": MtPkdotSettings(alignment=SHORT),
    "sample": MtPkdotSettings(alignment=SHORT, select="sample", anchors="shared_lowest"),
    "moving": MtPkdotSettings(alignment=replace(SHORT, detach_joint=False), select="uniform"),
    "guess": MtPkdotSettings(alignment=SHORT, hallucinate="mse"),
    "match": MtPkdotSettings(alignment=SHORT, hallucinate="mmd"),
    "dmd": DmdSettings(space=6),
    "repel": DmdSettings(space=6, private_features="repel", edges="uniform", distance="divergence"),
    "released dmd": DmdSettings(space=6, margin_form="code", margin=0.15, clip=0.6),
    "dmd-online": DmdOnlineSettings(space=6),
}


def arm_of(name, **settings):
    method = replace(METHODS[name], **settings)
    if not method.traits.needs_teacher:
        return replace(STUDENT, teacher=None, distillation=method)
    further = (VIDEO, SPEECH) if method.traits.several_teachers and name != "pkdot" else ()
    return replace(STUDENT, unimodal_teachers=further, distillation=method)


@pytest.fixture(scope="module")
def teacher_outputs():
    """Each teacher's outputs."""
    found = {}
    for arm in (TEACHER, SPEECH, VIDEO):
        result = run(arm)
        found[arm.name] = compute_teacher_outputs(trained(result), result.scaling, spec_of(arm), corpus())
    return found


def learn(arm, teacher_outputs, on=None, **budget):
    return run(arm, on, teacher_outputs=[teacher_outputs[teacher.name] for teacher in arm.teachers], **budget)


def output(n=5):
    draws = torch.Generator().manual_seed(0)
    return Output(
        *(torch.randn(n, 4, generator=draws) for _ in range(2)), torch.randn(n, 4, generator=draws).log_softmax(1)
    )


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_and_repeats(teacher_outputs, name):
    arm = arm_of(name)
    result, again, alone = (learn(each, teacher_outputs) for each in (arm, arm, replace(STUDENT, teacher=None)))
    assert all(np.isfinite(x).all() for x in result.log_prob.values())
    assert all(torch.equal(result.weights[key], again.weights[key]) for key in result.weights)
    assert not np.array_equal(result.log_prob["test", "A"], alone.log_prob["test", "A"])
    assert result.curve == again.curve and not alone.curve[0].logged
    for epoch in result.curve:
        assert "nll" in epoch.logged and all(np.isfinite(value) for value in epoch.logged.values())
    # The labels' own loss and what the method adds make the loss that is logged.
    assert result.curve[0].logged.keys() - {"nll"}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_a_student_that_is_wider_than_its_teachers(teacher_outputs, name):
    result = learn(replace(arm_of(name), gnn_heads=4), teacher_outputs, epochs=1)
    assert result.model.gnn_heads == 4 and np.isfinite(result.curve[0].train_loss)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_saved_needs_no_teacher(teacher_outputs, name):
    result = learn(arm_of(name), teacher_outputs)
    assert result.weights.keys() == COGMEN(result.model).state_dict().keys()
    assert list(result.scaling) == ["audio"]
    assert trained(result)(torch.zeros(1, 2, 4), torch.tensor([2]), torch.zeros(1, 2, dtype=torch.int64)).log_prob.shape


def test_the_loss_is_the_sum_of_what_is_logged(teacher_outputs):
    result = learn(arm_of("mtpkdot"), teacher_outputs, batch=100)
    weights = {"transport": 0.2, "centroid": 0.2, "nll": 0.8}
    for epoch in result.curve:
        assert epoch.train_loss == pytest.approx(sum(epoch.logged[name] * w for name, w in weights.items()), rel=1e-5)


def test_the_share_of_each_teacher_is_logged(teacher_outputs):
    for epoch in learn(arm_of("mtpkdot"), teacher_outputs).curve:
        shares = [epoch.logged[f"chosen {name}"] for name in ("teacher", "video", "speech teacher")]
        assert sum(shares) == pytest.approx(1) and all(share in (0, 0.5, 1) for share in shares)


def test_batches_too_small_for_transport_are_logged_and_trained_without(teacher_outputs):
    result = learn(arm_of("pkdot"), teacher_outputs, on=None, batch=1)
    assert 0 < result.curve[0].logged["without transport"] <= 1


def test_a_single_class_gives_finite_predictions():
    source = changed(corpus(), "train", lambda d: {"labels": np.zeros(len(d), np.int64)})
    found = {}
    for arm in (TEACHER, SPEECH, VIDEO):
        result = run(arm, source)
        found[arm.name] = compute_teacher_outputs(trained(result), result.scaling, spec_of(arm), source)
    for name in METHODS:
        assert all(np.isfinite(x).all() for x in learn(arm_of(name), found, source, epochs=1).log_prob.values()), name


def test_learned_weights_begin_as_the_fixed_ones_and_move(teacher_outputs):
    fixed, learned = (
        learn(arm_of("triplet", weights=kind), teacher_outputs, epochs=4) for kind in ("fixed", "learned")
    )
    assert fixed.curve[0].logged["nll"] == pytest.approx(learned.curve[0].logged["nll"], rel=1e-2)
    moved = [epoch.logged["weight of triplet"] for epoch in learned.curve]
    assert "weight of triplet" not in fixed.curve[0].logged
    # The weight of a loss above one half decreases, that of a loss below one half increases.
    assert (moved[0] < 1) == (learned.curve[0].logged["triplet"] > 0.5)
    assert moved[0] == pytest.approx(1, abs=0.05) and len(set(moved)) == len(moved)


def test_a_small_loss_gets_a_large_weight():
    """The best variance for a loss that stays at 0.1 is 0.2."""
    labels = torch.zeros(4, dtype=torch.int64)
    settings = TripletSettings(triplet_weight=0.0, weights="learned")
    made = Distillation(method_setup(settings, labels=(labels, labels)))
    optimizer = torch.optim.Adam(made.variances.values(), lr=settings.weights_rate)
    even = Output(torch.zeros(4, 4), torch.zeros(4, 4), torch.full((4, 4), -0.1))
    for _ in range(600):
        optimizer.zero_grad()
        made(even, labels, torch.arange(4), BATCH).backward()
        optimizer.step()
    assert made.logged()["weight of nll"] == pytest.approx(5, rel=0.1)


def test_learned_weights_by_hand():
    labels, rows = torch.tensor([0, 1, 1, 3, 0]), torch.arange(5)
    settings = TripletSettings(triplet_weight=0.0, nll_weight=2.0, weights="learned")
    made = Distillation(method_setup(settings, labels=(labels, labels)))
    assert list(made.variances) == ["nll"]  # a loss that has no weight cannot learn one
    nll = float(F.nll_loss(output().log_prob, labels))
    assert float(made(output(), labels, rows, BATCH)) == pytest.approx(2 * nll)
    made.variances["nll"].data.fill_(0.7)
    assert float(made(output(), labels, rows, BATCH)) == pytest.approx(
        2 * float(torch.exp(torch.tensor(-0.7))) * nll + 0.35
    )


def test_a_teacher_of_another_corpus_or_protocol_is_refused(teacher_outputs):
    message = "student: its teacher teacher was trained on another corpus than made-up, or under another protocol"
    # Of another size, of the same size, and with labels in another order.
    louder_one = changed(corpus(), "train", louder)
    for other in (corpus(lengths=(5, 3, 4)), louder_one, changed(corpus(), "dev", lambda d: {"labels": 1 - d.labels})):
        with pytest.raises(WrongTeacher, match=message):
            learn(STUDENT, teacher_outputs, other)
    with pytest.raises(WrongTeacher, match="than released"):
        learn(STUDENT, teacher_outputs, protocol=Protocol("released", attend_padding=True))
    learn(STUDENT, teacher_outputs, protocol=replace(PAPER, name="another name"), epochs=1)


@pytest.mark.parametrize("name", ["pkdot", "mtpkdot", "dmd", "dmd-online"])
def test_padding_has_no_effect(teacher_outputs, name, monkeypatch):
    """Whatever values padding has, in the student's streams and in the auxiliary ones."""

    def dirty(*arguments):
        batch = original(*arguments)
        absent = ~batch.present[..., None]
        auxiliary = None if batch.auxiliary is None else batch.auxiliary + 50.0 * absent
        return replace(batch, x=batch.x + 50.0 * absent, auxiliary=auxiliary)

    clean = learn(arm_of(name), teacher_outputs, epochs=1)
    original = run_module.tensors
    monkeypatch.setattr(run_module, "tensors", dirty)
    other = learn(arm_of(name), teacher_outputs, epochs=1)
    assert all(torch.equal(clean.weights[key], other.weights[key]) for key in clean.weights)


@pytest.mark.parametrize("name", ["logits", "pkdot", "mtpkdot", "sample"])
def test_a_seed_group_gives_what_its_seeds_give_alone(teacher_outputs, name):
    arm = arm_of(name)
    specs = [spec_of(arm, seed, epochs=1, learning_rate=1e-4) for seed in (24, 25)]
    outputs = [teacher_outputs[teacher.name] for teacher in arm.teachers]
    for ours, spec in zip(train_seed_group(specs, corpus(), teacher_outputs=[outputs, outputs]), specs, strict=True):
        alone = train(spec, corpus(), teacher_outputs=outputs)
        assert ours.curve[0].logged.keys() == alone.curve[0].logged.keys()
        for key, value in alone.curve[0].logged.items():
            assert ours.curve[0].logged[key] == pytest.approx(value, abs=1e-3), key


@pytest.mark.gpu
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_a_gpu(teacher_outputs, name):
    arm = arm_of(name)
    outputs = [teacher_outputs[teacher.name] for teacher in arm.teachers]
    one, two = (train(spec_of(arm), corpus(), "cuda", teacher_outputs=outputs) for _ in range(2))
    assert all(torch.equal(one.weights[key], two.weights[key]) for key in one.weights)


def test_gradients_are_clipped_by_value(teacher_outputs, monkeypatch):
    largest = []

    def step(self):
        gradients = [p.grad for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        original(self)
        largest.append(max(float(gradient.abs().max()) for gradient in gradients))

    original = trainer.Trainer.step
    monkeypatch.setattr(trainer.Trainer, "step", step)
    for clip, bounded in ((0.0, False), (1e-4, True)):
        largest.clear()
        learn(arm_of("dmd", clip=clip), teacher_outputs, epochs=1)
        assert largest and all((each <= 1e-4) == bounded for each in largest)


def test_auxiliary_streams_are_required():
    audio_only = replace(
        corpus(), dialogues=tuple(replace(d, features={"audio": d.features["audio"]}) for d in corpus().dialogues)
    )
    with pytest.raises(MissingStream, match="no stream 'visual'"):
        train(spec_of(arm_of("dmd-online")), audio_only)


def test_the_teachers_video_does_not_reach_the_student(teacher_outputs):
    """With the teachers' outputs given, the corpus's video changes nothing for the student."""
    blind = corpus()
    blind = replace(
        blind,
        dialogues=tuple(
            replace(d, features=d.features | {"visual": 0 * d.features["visual"]}) for d in blind.dialogues
        ),
    )
    arms = {arm.name: arm for arm in (TEACHER, SPEECH, VIDEO)}
    same = {name: each._replace(origin=origin(blind, arms[name], PAPER)) for name, each in teacher_outputs.items()}
    for name in ("triplet", "mtpkdot", "dmd"):
        one, two = (learn(arm_of(name), *what, epochs=1) for what in ((teacher_outputs, corpus()), (same, blind)))
        assert all(torch.equal(one.weights[key], two.weights[key]) for key in one.weights), name


def test_the_head_learns_its_target_and_leaves_the_student_unchanged(teacher_outputs):
    result = learn(arm_of("guess"), teacher_outputs, epochs=12, learning_rate=3e-3)
    errors = [epoch.logged["hallucination"] for epoch in result.curve]
    assert errors[-1] < 0.8 * errors[0]
    assert result.model.hallucinated == 300 and result.weights["clf.lin1.weight"].shape == (100, 500)
    # Another target changes nothing but the head.
    other = dict(teacher_outputs) | {
        "video": TeacherOutputs(
            *(split._replace(embedding=-split.embedding) for split in teacher_outputs["video"][:2]),
            teacher_outputs["video"].origin,
        )
    }
    short = arm_of("guess", select="joint_only")
    one, two = (learn(short, each, epochs=1, batch=100) for each in (teacher_outputs, other))
    same = {name for name in one.weights if torch.equal(one.weights[name], two.weights[name])}
    assert {name.split(".")[0] for name in one.weights.keys() - same} == {"hallucinator"}


def test_only_dmd_and_additional_heads_train_alone():
    assert not arm_of("dmd").stackable and not arm_of("dmd-online").stackable
    assert not arm_of("guess").stackable
    assert arm_of("mtpkdot").stackable and STUDENT.stackable and A.stackable
    assert run_module.model_config(spec_of(arm_of("dmd")), corpus()).decoupled == 6
