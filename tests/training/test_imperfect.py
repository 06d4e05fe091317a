"""Imperfect training data: what is left out, what is wrong, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.errors import EmptyDialogue, InvalidDefinition, MissingClass
from replicate.training.data import scales, tensors
from replicate.training.imperfect import used_for_training, with_privileged_noise
from replicate.training.inference import compute_teacher_outputs, predict
from replicate.training.loop import train, train_seed_group

from .conftest import AV, STUDENT, TEACHER, A, changed, corpus, run, spec_of, trained

MANY = corpus((3,) * 20, classes=3)


def part(arm, on=MANY, seed=24):
    return used_for_training(on, arm, seed)


def names(found):
    return [dialogue.id for dialogue in found.split("train")]


def labels(found, split="train"):
    return np.concatenate([dialogue.labels for dialogue in found.split(split)])


@pytest.mark.parametrize("arm", [A, replace(AV, privileged_noise=1.0), replace(A, epoch_share=0.5)])
def test_perfect_data_are_the_corpus_itself(arm):
    assert part(arm) is MANY


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=12), st.integers(2, 4), st.integers(0, 99))
def test_smaller_shares_are_parts_of_larger_ones_with_every_class(lengths, classes, seed):
    on = corpus(tuple(lengths), classes=classes)
    before: set[str] = set()
    for share in (0.1, 0.4, 0.7, 0.99):
        try:
            found = part(replace(A, dialogue_share=share), on, seed)
        except (MissingClass, EmptyDialogue):
            continue
        kept = names(found)
        assert len(kept) == max(1, round(share * len(lengths)))
        assert before <= set(kept) and kept == [name for name in names(on) if name in kept]
        assert set(labels(found)) == set(labels(on)) and len(labels(found)) >= 2
        assert found.split("dev") == on.split("dev") and found.split("test") == on.split("test")
        before = set(kept)


def test_seeds_use_other_dialogues():
    arm = replace(A, dialogue_share=0.25)
    assert len({tuple(names(part(arm, seed=seed))) for seed in range(8)}) > 4
    assert names(part(arm)) == names(part(arm))


def test_a_rare_class_is_always_kept():
    first = MANY.split("train")[7]
    on = changed(MANY, "train", lambda d: {"labels": np.full(3, 2) if d.id == first.id else np.array([0, 1, 0])})
    for seed in range(8):
        assert first.id in names(part(replace(A, dialogue_share=0.1), on, seed))


def test_a_share_without_room_for_every_class_is_refused():
    on = changed(MANY, "train", lambda d: {"labels": np.full(3, int(d.id.removeprefix("train")) % 3)})
    with pytest.raises(
        MissingClass, match=r"speech, seed 24, .*0.1 keeps 2 of 20 training dialogues, but 3 are needed"
    ):
        part(replace(A, dialogue_share=0.1), on)
    assert set(labels(part(replace(A, dialogue_share=0.15), on))) == {0, 1, 2}


def test_a_single_utterance_is_refused():
    on = changed(corpus((1, 1, 1)), "train", lambda d: {"labels": np.zeros(1, np.int64)})
    with pytest.raises(EmptyDialogue, match="a single training utterance"):
        part(replace(A, dialogue_share=0.2), on)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 1), st.integers(2, 4), st.integers(0, 99))
def test_the_share_of_labels_is_wrong_and_no_others(share, classes, seed):
    on = corpus((5, 3, 4, 1, 6, 2), classes=classes)
    found = part(replace(A, label_noise=share), on, seed)
    assert (labels(found) != labels(on)).sum() == round(share * 21)
    assert set(labels(found)) <= set(range(classes))
    assert all((labels(found, split) == labels(on, split)).all() for split in ("dev", "test"))
    for mine, theirs in zip(found.dialogues, on.dialogues, strict=True):
        assert all(np.array_equal(mine.features[name], theirs.features[name]) for name in mine.features)


def test_a_low_rate_of_wrong_labels_is_part_of_a_higher_one():
    low, high = (labels(part(replace(A, label_noise=share))) for share in (0.1, 0.5))
    wrong = low != labels(MANY)
    assert wrong.sum() == 6 and (low[wrong] == high[wrong]).all()


def test_wrong_labels_are_any_other_class():
    on = changed(corpus((400,), classes=4), "train", lambda d: {"labels": np.ones(400, np.int64)})
    counts = np.bincount(labels(part(replace(A, label_noise=1.0), on)), minlength=4)
    # Standard deviation of a count of 400 draws of probability 1/3: 9.4.
    assert counts[1] == 0 and counts.sum() == 400 and abs(counts[[0, 2, 3]] - 400 / 3).max() < 38


def test_both_are_applied_to_the_dialogues_that_are_left():
    found = part(replace(A, dialogue_share=0.5, label_noise=0.5))
    kept = np.concatenate([d.labels for d in MANY.split("train") if d.id in names(found)])
    assert len(kept) == 30 and (labels(found) != kept).sum() == 15


@pytest.mark.parametrize(("share", "epochs"), [(1.0, 2), (0.5, 1), (0.1, 1)])
def test_training_stops_early(share, epochs):
    arm = replace(A, epoch_share=share)
    assert spec_of(arm).epochs(corpus()) == epochs
    result, whole = run(arm), run(A)
    assert result.curve == whole.curve[:epochs] and result.best_epoch <= epochs


def noise(on, deviation, seed=24, arm=AV):
    """Scaled streams of the test split with noise, minus those without it, and the scaled streams."""
    scaling = scales(on, arm.streams)
    noisy = with_privileged_noise(on, replace(arm, privileged_noise=deviation), seed, scaling)
    before, after = (tensors(each, "test", scaling) for each in (on, noisy))
    return (after.x - before.x)[before.present], after


def test_noise_is_on_privileged_streams_only_and_of_the_given_deviation():
    whole = corpus((2000, 5))
    long = replace(whole, dialogues=(replace(whole.dialogues[0], split="test"), *whole.dialogues[1:]))
    drawn, _ = noise(long, 2.0)
    assert drawn[:, :4].abs().max() == 0
    # Standard error of the deviation of 6000 draws: 0.02.
    assert drawn[:, 4:].std() == pytest.approx(2, abs=0.1) and drawn[:, 4:].mean() == pytest.approx(0, abs=0.15)
    alone, _ = noise(long, 2.0, arm=replace(AV, train="V", contexts=("V",), select="V"))
    assert torch.allclose(alone, drawn[:, 4:], atol=1e-5)


def test_noise_is_fixed_and_differs_between_seeds_in_more_than_its_size():
    one, padded = noise(corpus(), 1.0)
    assert torch.equal(one, noise(corpus(), 1.0)[0])
    assert torch.allclose(noise(corpus(), 3.0)[0], 3 * one, atol=1e-5)
    other = noise(corpus(), 1.0, seed=25)[0][:, 4:]
    assert abs(float(torch.corrcoef(torch.stack([one[:, 4:].flatten(), other.flatten()]))[0, 1])) < 0.9
    assert padded.x[~padded.present].abs().max() == 0


def test_a_model_of_noisy_streams_is_trained_and_tested_on_them():
    arm = replace(AV, privileged_noise=4.0)
    result, on = run(arm), corpus()
    noisy = with_privileged_noise(on, arm, 24, result.scaling)
    for source, same in ((noisy, True), (on, False)):
        found = predict(trained(result), tensors(source, "test", result.scaling), arm, "AV", source, 3)
        assert np.allclose(found, result.log_prob["test", "AV"], atol=1e-5) is same
    alone = predict(trained(result), tensors(on, "test", result.scaling), arm, "A", on, 3)
    assert np.allclose(alone, result.log_prob["test", "A"], atol=1e-5)


def test_outputs_of_a_teacher_of_noisy_streams_are_computed_on_them():
    arm = replace(TEACHER, privileged_noise=4.0)
    result = run(arm)
    outputs = compute_teacher_outputs(trained(result), result.scaling, spec_of(arm), corpus())
    assert np.allclose(outputs.train.log_prob, result.log_prob["train", "AV"], atol=1e-5)


@pytest.mark.parametrize("change", [{"dialogue_share": 0.5}, {"label_noise": 0.5}])
def test_an_imperfect_teacher_gives_outputs_for_all_training_utterances(change):
    arm = replace(TEACHER, **change)
    result = run(arm)
    outputs = compute_teacher_outputs(trained(result), result.scaling, spec_of(arm), corpus())
    assert len(outputs.train.log_prob) == len(outputs.train.embedding) == 21
    assert np.allclose(outputs.train.log_prob, result.log_prob["train", "AV"], atol=1e-5)
    student = replace(STUDENT, teacher=arm)
    assert run(student, teacher_outputs=[outputs]).curve[0].logged["triplet"] > 0


def test_what_is_left_out_has_no_influence():
    arm = replace(A, dialogue_share=0.5)
    kept = names(part(arm, corpus()))
    other = changed(
        corpus(), "train", lambda d: {} if d.id in kept else {"features": {k: 9 * v for k, v in d.features.items()}}
    )
    mine, theirs = run(arm), run(arm, other)
    assert all(torch.equal(mine.weights[name], theirs.weights[name]) for name in mine.weights)
    assert mine.curve == theirs.curve
    assert not np.array_equal(mine.log_prob["train", "A"], theirs.log_prob["train", "A"])
    assert mine.scaling["audio"].mean.tolist() != run(A).scaling["audio"].mean.tolist()


def test_wrong_labels_change_the_model():
    assert run(replace(A, label_noise=0.5)).curve != run(A).curve


@pytest.mark.parametrize("change", [{"dialogue_share": 0.5}, {"label_noise": 0.5}, {"privileged_noise": 1.0}])
def test_data_of_a_seed_exclude_training_as_one_program(change):
    arm = replace(AV, **change)
    assert not arm.stackable and not replace(STUDENT, teacher=replace(TEACHER, **change)).stackable
    with pytest.raises(ValueError, match="both cannot train as one program"):
        train_seed_group([spec_of(arm, seed) for seed in (24, 25)], corpus())


def test_stopping_early_leaves_one_program_possible():
    arm = replace(A, epoch_share=0.5)
    specs = [spec_of(arm, seed) for seed in (24, 25)]
    assert arm.stackable
    for ours, spec in zip(train_seed_group(specs, corpus()), specs, strict=True):
        assert np.allclose(ours.log_prob["test", "A"], train(spec, corpus()).log_prob["test", "A"], atol=1e-4)


@pytest.mark.parametrize(
    ("arm", "change", "message"),
    [
        (A, {"dialogue_share": 0.0}, "dialogue_share = 0.0 must be above 0, and at most 1"),
        (A, {"epoch_share": float("nan")}, "epoch_share = nan must be above 0, and at most 1"),
        (A, {"label_noise": 1.1}, "label_noise = 1.1 must be from 0 to 1"),
        (AV, {"privileged_noise": -1.0}, "privileged_noise = -1.0 must be a number of 0 or more"),
        (A, {"privileged_noise": 1.0}, "privileged_noise = 1.0, but train = 'A' has no stream other than audio"),
        (A, {"fusion": "middle"}, "fusion = 'middle' is none of 'early', 'late'"),
        (STUDENT, {"dialogue_share": 0.5}, "dialogue_share is for arms that are trained on labels only"),
        (STUDENT, {"label_noise": 0.5}, "label_noise is for arms that are trained on labels only"),
    ],
)
def test_an_impossible_setting_is_refused(arm, change, message):
    with pytest.raises(InvalidDefinition, match=f"^arm {arm.name}: {message}"):
        replace(arm, **change)
