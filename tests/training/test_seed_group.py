"""Runs that train as one program against each of them alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from replicate.errors import Diverged
from replicate.training import loop as training
from replicate.training.config import Protocol
from replicate.training.loop import train, train_seed_group
from replicate.training.masking.scenarios import Masking

from .conftest import AV, MASK, PAPER, STUDENT, TEACHER, A, corpus, embeddings, speaking, spec_of, with_hubert

SEEDS = (24, 25, 26)


@pytest.fixture
def double(monkeypatch):
    """Train in 64 bits: in 32, Adam makes steps out of gradients that are rounding alone (biases before BatchNorm)."""

    def tensors(*arguments):
        batch = original(*arguments)
        return replace(batch, x=batch.x.double())

    original = training.tensors
    monkeypatch.setattr(training, "tensors", tensors)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def both(arm, on=None, protocol=None, teacher=None, **budget):
    """Runs of a seed group, and each alone."""
    on = on or corpus((5, 3, 4, 1, 6, 2, 9))
    specs = [spec_of(arm, seed, protocol, **budget) for seed in SEEDS]
    teacher_outputs = [] if teacher is None else [speaking(teacher, on, protocol)]
    seed_group = train_seed_group(specs, on, teacher_outputs=[teacher_outputs] * len(specs))
    return seed_group, [train(spec, on, teacher_outputs=teacher_outputs) for spec in specs]


def assert_alike(seed_group, alone, tolerance=1e-7):
    assert len(seed_group) == len(alone)
    for ours, theirs in zip(seed_group, alone, strict=True):
        for one, other in zip(ours.curve, theirs.curve, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, abs=tolerance)
            assert one.dev_loss == pytest.approx(other.dev_loss, abs=tolerance)
        assert ours.best_epoch == theirs.best_epoch
        for key, value in theirs.log_prob.items():
            assert np.abs(ours.log_prob[key] - value).max() < 10 * tolerance, key


@pytest.mark.parametrize("arm", [A, AV, MASK], ids=lambda arm: arm.name)
def test_a_seed_group_gives_what_its_runs_give_alone(arm):
    seed_group, alone = both(arm, learning_rate=1e-4)
    assert_alike(seed_group, alone, 1e-4)
    # And they are three runs: no two alike.
    assert len({run.curve[0].train_loss for run in seed_group}) == 3


@pytest.mark.slow
def test_dropout_and_masks_of_every_kind(double):
    for unit in ("batch", "dialogue", "utterance"):
        protocol = replace(PAPER, masking=Masking(unit=unit, none=0.1, audio=0.2, privileged=0.2, random=0.5, length=2))
        assert_alike(*both(replace(MASK, dropout=0.4), protocol=protocol))


@pytest.mark.parametrize("triplet", ["one", "n-way"])
def test_students_in_a_seed_group(triplet, double):
    on = corpus((5, 3, 4, 1, 6, 2, 9))
    teacher = embeddings(TEACHER, on)
    assert_alike(*both(STUDENT, on, Protocol("paper", triplet=triplet), teacher))
    # A narrower student has a map to train that is not in the model.
    assert_alike(*both(replace(STUDENT, gnn_heads=1), on, teacher=teacher))


def test_late_fusion_in_a_seed_group(double):
    assert_alike(*both(replace(MASK, fusion="late")))


@pytest.mark.parametrize("projection", ["learned", "random", "pca"])
def test_projections_in_a_seed_group(projection, double):
    hubert = replace(PAPER, hubert=replace(PAPER.hubert, projection=projection))
    assert_alike(*both(replace(A, audio="hubert"), with_hubert(corpus()), hubert))


def test_runs_with_fewer_batches_wait_for_the_others(double):
    """A batch of one utterance joins the one before, in some orders and not in others."""
    on = corpus((1, 1, 1, 5, 2))
    specs = [spec_of(seed=seed, batch=1, epochs=1) for seed in range(24, 30)]
    seed_group = train_seed_group(specs, on)
    assert_alike(seed_group, [train(spec, on) for spec in specs])


def test_each_run_has_its_own_learning_rate_schedule():
    def fallen(runs):
        return [[epoch.learning_rate for epoch in run.curve] for run in runs]

    seed_group, alone = both(A, epochs=16, learning_rate=3e-2, on=corpus((4, 3)), feed_forward=4)
    assert fallen(seed_group) == fallen(alone)
    assert len({tuple(rates) for rates in fallen(alone)}) > 1


def test_on_epoch_is_called_for_every_epoch_of_every_run():
    reported = []
    specs = [spec_of(seed=seed) for seed in SEEDS]
    train_seed_group(specs, corpus(), on_epoch=lambda spec, epoch: reported.append((spec.seed, epoch.epoch)))
    assert reported == [(seed, epoch) for epoch in (1, 2) for seed in SEEDS]


def test_the_same_bits_again():
    specs = [spec_of(MASK, seed) for seed in SEEDS]
    for one, other in zip(train_seed_group(specs, corpus()), train_seed_group(specs, corpus()), strict=True):
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_a_diverged_run_is_named():
    specs = [spec_of(seed=seed, learning_rate=1e30, epochs=4) for seed in SEEDS]
    with pytest.raises(Diverged, match="speech, seed 24"):
        train_seed_group(specs, corpus())


def test_only_seeds_may_differ():
    with pytest.raises(ValueError, match="nothing but their seeds"):
        train_seed_group([spec_of(A), spec_of(AV)], corpus())


@pytest.mark.gpu
def test_a_seed_group_gives_what_its_runs_give_alone_on_a_gpu():
    specs = [spec_of(MASK, seed, learning_rate=1e-4) for seed in SEEDS]
    on = corpus((5, 3, 4, 1, 6, 2, 9))
    assert_alike(train_seed_group(specs, on, "cuda"), [train(spec, on, "cuda") for spec in specs], 1e-4)
