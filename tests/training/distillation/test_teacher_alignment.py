import pytest
import torch
import torch.nn.functional as F

from replicate.training.distillation import teacher_alignment
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from replicate.training.distillation.teacher_alignment import align, alignment_loss
from replicate.training.methods.pkdot import AlignmentSettings

LABELS = torch.arange(300) % 3, torch.arange(60) % 3
QUICK = AlignmentSettings(epochs=25, batch=64, rank=8)


def teacher(width, seed, noise=0.3):
    """A teacher whose embeddings depend on the class, in directions of its own."""
    draws = torch.Generator().manual_seed(seed)
    centre = torch.randn(3, width, generator=draws)
    outputs = []
    for labels in LABELS:
        embedding = centre[labels] + noise * torch.randn(len(labels), width, generator=draws)
        outputs.append(UtteranceOutputs(embedding, (-torch.cdist(embedding, centre)).log_softmax(1)))
    return TeacherOutputs(*outputs, "somewhere")


JOINT, VIDEO, SPEECH = teacher(10, 0), teacher(6, 1), teacher(12, 2)


def test_single_stream_teachers_are_aligned_and_the_joint_one_stays():
    (joint, *others), notes = align([JOINT, VIDEO, SPEECH], LABELS, QUICK, 24)
    assert notes["alignment epoch"] in range(1, 26) and notes["alignment dev F1"] > 0.9
    assert all(0.8 < notes[f"alignment cosine {number}"] <= 1 for number in (1, 2))
    assert joint is JOINT.train or all(torch.equal(a, b) for a, b in zip(joint, JOINT.train, strict=True))
    for each in others:
        assert each.embedding.shape == (300, 10) and each.log_prob.shape == (300, 3)
        assert not each.embedding.requires_grad
        assert float(F.cosine_similarity(each.embedding, joint.embedding).mean()) > 0.8
        assert float((each.log_prob.argmax(1) == LABELS[0]).float().mean()) > 0.95
        assert float(each.log_prob.exp().sum(1).sub(1).abs().max()) < 1e-5


def test_the_joint_teacher_moves_if_it_is_not_detached():
    settings = AlignmentSettings(epochs=5, batch=64, rank=8, detach_joint=False, joint_learning_rate=1e-2)
    (joint, _), _ = align([JOINT, VIDEO], LABELS, settings, 24)
    assert not torch.equal(joint.embedding, JOINT.train.embedding) and joint.embedding.shape == (300, 10)
    assert float((joint.log_prob.argmax(1) == LABELS[0]).float().mean()) > 0.95


def test_the_same_seed_aligns_the_same_and_another_one_otherwise():
    first, again, other = (align([JOINT, VIDEO], LABELS, QUICK, seed)[0][1].embedding for seed in (24, 24, 25))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("f1", "best"), [([0.5, 0.4, 0.3, 0.4], 1), ([0.1, 0.5, 0.5, 0.2], 3), ([0.1, 0.2, 0.3, 0.4], 4)]
)
def test_adapters_are_those_of_the_best_epoch_on_dev(monkeypatch, f1, best):
    def aligned(epochs):
        with monkeypatch.context() as patch:
            scores = iter(f1)
            patch.setattr(teacher_alignment, "weighted_f1", lambda labels, log_prob: next(scores))
            return align([JOINT, VIDEO], LABELS, AlignmentSettings(epochs=epochs, batch=64, rank=8), 24)[0][1].embedding

    assert torch.equal(aligned(4), aligned(best))


def test_a_joint_teacher_alone_needs_no_alignment():
    assert align([JOINT], LABELS, QUICK, 24) == ([JOINT.train], {})


def test_the_loss_by_hand():
    even = torch.full((2, 2), 0.5).log()
    joint, other = (
        UtteranceOutputs(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), even),
        UtteranceOutputs(torch.tensor([[3.0, 0.0], [1.0, 0.0]]), even),
    )
    labels = torch.tensor([0, 1])
    nll = float(torch.log(torch.tensor(2.0)))
    # Cosines 1 and 0: mean distance one half.
    assert float(alignment_loss(joint, [other], labels, True)) == pytest.approx(0.5 * 0.5 + 0.5 * nll)
    assert float(alignment_loss(joint, [other, other], labels, True)) == pytest.approx(0.5 * 1.0 + 0.5 * nll)
    assert float(alignment_loss(joint, [other], labels, False)) == pytest.approx(0.5 * 0.5 + 0.5 * 2 * nll)
