from dataclasses import replace

import numpy as np
import pytest
import torch

from replicate.config.protocols import protocol
from replicate.errors import Diverged, MissingStream
from replicate.training import loop as training
from replicate.training import trainer
from replicate.training.config import Budget, Protocol, RunSpec
from replicate.training.masking.scenarios import Masking
from replicate.training.metrics import weighted_f1

from .conftest import AV, MASK, A, changed, corpus, louder, run, with_hubert


def same(one, other):
    """Whether two runs left the same bits."""
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights) and all(
        np.array_equal(one.log_prob[key], other.log_prob[key]) for key in one.log_prob
    )


@pytest.fixture(scope="module")
def speech():
    return run()


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(speech):
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        torch.rand(seed + 5)
        again = run()
        assert same(speech, again)
        assert replace(again, seconds=0).curve == speech.curve


def test_a_run_leaves_the_global_state_as_it_was():
    torch.manual_seed(3)
    torch.set_num_threads(2)
    before = torch.random.get_rng_state(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    run(AV)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()) == before[1:]
    torch.set_num_threads(1)


def test_another_seed_gives_other_weights(speech):
    other = run(seed=25)
    assert not any(
        torch.equal(speech.weights[f"clf.lin{i}.weight"], other.weights[f"clf.lin{i}.weight"]) for i in (1, 2)
    )


def test_predictions_of_every_split_in_every_context():
    result = run(AV)
    assert {key: value.shape for key, value in result.log_prob.items()} == {
        (split, context): (n, 2) for split, n in (("train", 21), ("dev", 7), ("test", 7)) for context in ("A", "AV")
    }
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in result.log_prob.values())


def test_a_context_sees_only_its_streams():
    """Context A of a model for both is context AV where the video is zero."""
    plain = corpus(standardise=False)
    silent = changed(plain, "test", lambda d: {"features": d.features | {"visual": 0 * d.features["visual"]}})
    with_video, without = run(AV, plain), run(AV, silent)
    assert np.array_equal(with_video.log_prob["test", "A"], without.log_prob["test", "AV"])
    assert not np.allclose(with_video.log_prob["test", "A"], with_video.log_prob["test", "AV"])


def test_an_exception_from_on_epoch_ends_the_run():
    class Enough(Exception):
        pass

    def each_epoch(epoch):
        seen.append(epoch.epoch)
        if len(seen) == 2:
            raise Enough

    seen: list[int] = []
    spec = RunSpec(A, Protocol("paper"), Budget(epochs=5, batch=3), 24)
    with pytest.raises(Enough):
        training.train(spec, corpus(), on_epoch=each_epoch)
    assert seen == [1, 2]
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_budget_in_steps_trains_for_more_epochs():
    # Six training dialogues in batches of 3 are 2 steps an epoch.
    longer = run(steps=5)
    assert [epoch.epoch for epoch in longer.curve] == [1, 2, 3]
    assert same(longer, run(epochs=3)) and same(run(steps=4), run())


def test_the_learning_rate_waits_for_as_many_steps_in_more_epochs(monkeypatch):
    waits, judge = [], trainer.Trainer.judge

    def watched(self, *values):
        waits.append(self.schedule.patience)
        return judge(self, *values)

    monkeypatch.setattr(trainer.Trainer, "judge", watched)
    run(epochs=2, steps=8)  # 8 steps are 4 epochs, twice as many as the budget names
    assert waits == [20] * 4


def test_the_schedule_of_masks_follows_the_epochs(monkeypatch):
    """Without a mask in every epoch, a masked arm is trained like one without masks."""
    asked = []

    def at(masking, progress):
        asked.append(progress)
        return replace(masking, none=1.0, audio=0.0, privileged=0.0, random=0.0)

    monkeypatch.setattr(Masking, "at", at)
    unmasked = run(replace(MASK, masked=False), epochs=5)
    asked.clear()
    assert same(run(MASK, epochs=5), unmasked)
    assert asked == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(("dev_f1", "best"), [([0.3, 0.5, 0.5, 0.2], 2), ([0, 0, 0], 1), ([0.1, 0.2, 0.3], 3)])
def test_the_epoch_is_the_first_best_of_dev_and_its_weights_are_kept(monkeypatch, dev_f1, best):
    scripted = iter(dev_f1)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "weighted_f1", lambda labels, log_prob: next(scripted))
        result = run(epochs=len(dev_f1))
    assert [(epoch.epoch, epoch.dev_f1) for epoch in result.curve] == list(enumerate(dev_f1, 1))
    assert result.best_epoch == best
    rising = iter(range(best))
    monkeypatch.setattr(trainer, "weighted_f1", lambda labels, log_prob: next(rising))
    assert same(result, run(epochs=best))


def test_the_curve_is_of_the_predictions_that_are_kept():
    result = run(epochs=5)
    dev = np.concatenate([d.labels for d in corpus().split("dev")])
    best = result.curve[result.best_epoch - 1]
    assert best.dev_f1 == weighted_f1(dev, result.log_prob["dev", "A"]) == max(epoch.dev_f1 for epoch in result.curve)
    assert best.dev_loss == pytest.approx(-result.log_prob["dev", "A"][np.arange(7), dev].mean())


def test_the_test_split_has_no_effect_on_training(speech):
    other = changed(corpus(), "test", lambda d: louder(d) | {"labels": 1 - d.labels})
    result = run(on=other)
    assert all(torch.equal(result.weights[name], speech.weights[name]) for name in speech.weights)
    assert (result.best_epoch, result.curve) == (speech.best_epoch, speech.curve)
    assert not np.array_equal(result.log_prob["test", "A"], speech.log_prob["test", "A"])


def test_the_dev_split_chooses_the_epoch_and_trains_nothing(speech):
    result = run(on=changed(corpus(), "dev", louder))
    assert [epoch.train_loss for epoch in result.curve] == [epoch.train_loss for epoch in speech.curve]
    assert [epoch.dev_loss for epoch in result.curve] != [epoch.dev_loss for epoch in speech.curve]


def test_dev_is_scored_in_the_select_context():
    result = run(replace(AV, select="A"), epochs=3)
    dev = np.concatenate([d.labels for d in corpus().split("dev")])
    assert weighted_f1(dev, result.log_prob["dev", "A"]) == result.curve[result.best_epoch - 1].dev_f1
    assert [e.dev_loss for e in result.curve] != [e.dev_loss for e in run(AV, epochs=3).curve]


def test_masking_changes_training_and_only_of_masked_arms():
    plain = replace(MASK, masked=False)
    released = replace(Protocol("masks of the released code"), masking=protocol("released").masking)
    assert not same(run(MASK), run(plain))
    assert not same(run(MASK), run(MASK, protocol=released))
    assert same(run(plain), run(plain, protocol=released))


def test_late_fusion_has_an_encoder_per_stream():
    result = run(replace(MASK, fusion="late"))
    assert result.model.stream_widths == (4, 3)
    assert result.weights["rnn.extractors.1.transformer_out.weight"].shape == (100, 3)
    assert run(MASK).model.stream_widths == ()
    hubert = run(replace(AV, fusion="late", audio="hubert"), with_hubert(corpus()))
    assert hubert.model.stream_widths == (100, 3)


def test_attending_to_padding_changes_the_numbers(speech):
    assert not same(speech, run(protocol=Protocol("padding", attend_padding=True)))


def test_the_width_of_hidden_layers_is_the_budgets():
    layer = "rnn.transformer_encoder.layers.0.linear1.weight"
    assert run().weights[layer].shape == (2048, 4)
    narrow = run(feed_forward=8)
    assert narrow.weights[layer].shape == (8, 4) and narrow.model.feed_forward == 8


def test_a_learning_rate_that_diverges_is_an_error():
    with pytest.raises(Diverged, match="speech, seed 24"):
        run(learning_rate=1e30, epochs=4)


def test_features_that_diverge_are_an_error():
    huge = changed(
        corpus(standardise=False),
        "train",
        lambda d: {"features": {name: np.sign(array) * np.float32(3e38) for name, array in d.features.items()}},
    )
    with pytest.raises(Diverged):
        run(on=huge)


@pytest.fixture
def drawn(monkeypatch):
    """Record the labels of every batch and every mask of a run."""

    def nll_loss(log_prob, labels):
        if log_prob.requires_grad:  # of a training batch, not of dev
            seen["order"].append(labels.tolist())
        return original_loss(log_prob, labels)

    def draw(*arguments):
        keep = original_keep(*arguments)
        seen["masks"].append(keep.tolist())
        return keep

    def record(*arguments, **options):
        seen.update(order=[], masks=[])
        result = run(*arguments, **options)
        parameters = {n: t for n, t in result.weights.items() if "running" not in n and "num_batches" not in n}
        return {**seen, "weights": {name: tensor.tolist() for name, tensor in parameters.items()}}

    seen: dict[str, list] = {}
    original_loss, original_keep = trainer.F.nll_loss, Masking.draw
    monkeypatch.setattr(trainer.F, "nll_loss", nll_loss)
    monkeypatch.setattr(Masking, "draw", draw)
    return record


def test_a_draw_for_one_purpose_changes_no_other_draw(drawn):
    still = {"learning_rate": 0.0, "weight_decay": 0.0}  # the weights stay the initial ones
    masked, dropped, plain = (
        drawn(arm, **still)
        for arm in (replace(MASK, dropout=0.0), replace(MASK, dropout=0.5), replace(MASK, masked=False))
    )
    assert masked["order"] == dropped["order"] == plain["order"]
    assert masked["masks"] == dropped["masks"] != []
    assert masked["weights"] == dropped["weights"] == plain["weights"]


def test_epochs_are_shuffled_and_complete(drawn):
    order = drawn(epochs=2)["order"]
    assert len(order) == 4 and order[:2] != order[2:]
    total = sorted(label for d in corpus().split("train") for label in d.labels.tolist())
    for epoch in (order[:2], order[2:]):
        assert sorted(label for batch in epoch for label in batch) == total


def test_a_batch_of_one_utterance_is_avoided():
    """BatchNorm cannot train on one row; a corpus must not be able to end a run with a traceback."""
    assert len(run(on=corpus((1, 1, 1, 1))).curve) == 2
    assert len(run(on=corpus((1, 1, 1)), batch=1).curve) == 2


def test_more_speakers_and_classes_than_iemocap():
    labels = ("a", "b", "c")
    source = corpus(classes=3, labels=labels, speakers=("M", "F", "X"))
    source = changed(source, "train", lambda d: {"speakers": np.arange(len(d)) % 3})
    result = run(on=source)
    assert result.log_prob["test", "A"].shape == (7, 3)
    assert result.weights["gcn.conv1.weight"].shape[0] == 18


def test_a_corpus_without_the_stream_is_refused():
    speech_only = [replace(d, features={"audio": d.features["audio"]}) for d in corpus().dialogues]
    with pytest.raises(MissingStream, match="'visual'"):
        run(AV, corpus(dialogues=tuple(speech_only)))


def test_an_arm_may_project_any_audio_to_its_width():
    small = replace(A, project=True, hidden=6)
    result = run(small)
    assert result.model.projected == result.model.width and result.model.encoder_width == 6
    weight = result.weights["projection.weight"]
    assert weight.shape[0] == 6 and not torch.equal(weight, run(small, seed=25).weights["projection.weight"])
    assert "projection.weight" not in run(replace(A, hidden=6)).weights
