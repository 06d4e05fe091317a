from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch

from replicate.corpus.types import Corpus, Dialogue
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.rng import seeded
from replicate.training import trainer
from replicate.training.config import Hubert, Protocol
from replicate.training.inference import embed
from replicate.training.masking.scenarios import Masking
from replicate.training.released_order import apply_feature_order

from .conftest import AV, MASK, PAPER, STUDENT, TEACHER, A, changed, corpus, run, spec_of, trained, with_hubert

RELEASE = Protocol("release order", hubert=Hubert(order="release"))
SPEECH = replace(A, name="hubert speech", audio="hubert", context_layers=1, gnn_heads=2)
BOTH = replace(SPEECH, name="hubert both", train="AV", contexts=("A", "V", "AV"), select="AV")


def with_projection(projection):
    return Protocol(projection, hubert=Hubert(projection=projection))


def literal(speakers=("M", "F")):
    """One dialogue M F F M F, every utterance with numbers of its own."""
    features = {
        "audio": np.arange(5, dtype=np.float32)[:, None],
        "visual": np.arange(5, dtype=np.float32)[:, None] + 10,
        "hubert": np.arange(5, dtype=np.float32)[:, None] + 20,
    }
    dialogue = Dialogue("d", np.array([0, 1, 1, 0, 1]), np.array([0, 1, 2, 3, 1]), features, "train")
    return Corpus("one", ("a", "b", "c", "d"), (dialogue,), speakers)


def test_the_release_lists_all_of_f_then_all_of_m():
    (dialogue,) = apply_feature_order(literal(), SPEECH, RELEASE).dialogues
    assert dialogue.features["hubert"][:, 0].tolist() == [21, 22, 24, 20, 23]
    assert dialogue.labels.tolist() == [1, 2, 1, 0, 3]
    # These keep the order of time, so they no longer match the utterances of the others.
    assert dialogue.speakers.tolist() == [0, 1, 1, 0, 1]
    assert dialogue.features["visual"][:, 0].tolist() == [10, 11, 12, 13, 14]
    assert dialogue.features["audio"][:, 0].tolist() == [0, 1, 2, 3, 4]
    assert (dialogue.id, dialogue.split) == ("d", "train")


def test_any_layer_is_put_in_the_order_of_the_release():
    other = "hubert-second-to-last"
    source = changed(literal(), "train", lambda d: {"features": d.features | {other: d.features["hubert"] + 10}})
    (dialogue,) = apply_feature_order(source, replace(SPEECH, audio=other), RELEASE).dialogues
    assert dialogue.features[other][:, 0].tolist() == [31, 32, 34, 30, 33]
    # Streams that the arm does not use stay.
    assert dialogue.features["hubert"][:, 0].tolist() == [20, 21, 22, 23, 24]


@pytest.mark.parametrize("projection", ["learned", "random", "random-per-run", "none", "pca"])
def test_both_layers_are_treated_alike(projection):
    """The same numbers under either name give the same."""
    protocol = Protocol(projection, hubert=Hubert(projection, "release"))
    for arm in (SPEECH, BOTH, replace(MASK, audio="hubert", gnn_heads=2, context_layers=1)):
        last = run(arm, with_hubert(corpus()), protocol=protocol)
        stream = "hubert-second-to-last"
        other = run(replace(arm, audio=stream), with_hubert(corpus(), stream=stream), protocol=protocol)
        assert last.model == other.model
        for key, log_prob in last.log_prob.items():
            assert np.array_equal(log_prob, other.log_prob[key])


def test_with_three_speakers_the_last_comes_first():
    source = changed(literal(("M", "F", "X")), "train", lambda d: {"speakers": np.array([2, 0, 1, 2, 0])})
    (dialogue,) = apply_feature_order(source, SPEECH, RELEASE).dialogues
    assert dialogue.features["hubert"][:, 0].tolist() == [20, 23, 22, 21, 24]


def test_a_speaker_alone_keeps_the_order():
    source = changed(literal(), "train", lambda d: {"speakers": np.ones(5, np.int64)})
    assert apply_feature_order(source, SPEECH, RELEASE).hash == source.hash


def test_the_corpus_itself_is_unchanged():
    source = literal()
    before = source.hash
    assert apply_feature_order(source, SPEECH, RELEASE).hash != before
    assert Corpus(source.name, source.labels, source.dialogues).hash == before


@pytest.mark.parametrize(("arm", "protocol"), [(SPEECH, PAPER), (BOTH, PAPER), (A, RELEASE), (AV, RELEASE)])
def test_the_order_of_time_and_arms_without_hubert_are_unchanged(arm, protocol):
    source = literal()
    assert apply_feature_order(source, arm, protocol) is source


def test_the_order_changes_hubert_arms_only():
    source = with_hubert(corpus())
    for arm, same in ((SPEECH, False), (BOTH, False), (replace(A, gnn_heads=2), True)):
        results = [run(arm, source, protocol=protocol).log_prob["test", "A"] for protocol in (PAPER, RELEASE)]
        assert np.array_equal(*results) is same


def test_a_student_is_paired_with_its_teacher_in_the_same_order(monkeypatch):
    """A teacher's outputs for an utterance are computed from that utterance's features, whatever the order."""
    source = with_hubert(corpus())
    teacher = replace(TEACHER, audio="hubert")
    student = replace(STUDENT, audio="hubert", teacher=teacher)
    labels = np.concatenate([d.labels for d in apply_feature_order(source, student, RELEASE).split("train")])
    result = run(teacher, source, protocol=RELEASE)
    asked = []

    class Watched(trainer.Distillation):
        def forward(self, output, labels, rows, batch):
            asked.append((labels, rows))
            return super().forward(output, labels, rows, batch)

    monkeypatch.setattr(trainer, "Distillation", Watched)
    embeddings = embed(trained(result), result.scaling, spec_of(teacher, protocol=RELEASE), source)
    in_time = embed(trained(result), result.scaling, spec_of(teacher), source)
    assert not torch.allclose(embeddings, in_time, atol=1e-3)
    run(student, source, protocol=RELEASE, teacher=embeddings)
    assert asked and all(labels[rows].tolist() == batch.tolist() for batch, rows in asked)


@pytest.mark.parametrize(
    ("projection", "moves"), [("learned", True), ("random", False), ("random-per-run", False), ("pca", False)]
)
@pytest.mark.parametrize("arm", [SPEECH, BOTH])
def test_a_random_projection_and_components_are_never_trained(arm, projection, moves):
    source = with_hubert(corpus())
    budget = {"learning_rate": 1e-2, "weight_decay": 0.1}
    after = run(arm, source, protocol=with_projection(projection), **budget)
    before = run(arm, source, protocol=with_projection(projection), **budget | {"learning_rate": 0.0})
    assert after.weights["projection.weight"].shape == (100, 5)
    assert torch.equal(after.weights["projection.weight"], before.weights["projection.weight"]) is not moves
    assert not torch.equal(after.weights["clf.lin1.weight"], before.weights["clf.lin1.weight"])


def test_without_a_projection_there_is_no_layer():
    result = run(BOTH, with_hubert(corpus()), protocol=with_projection("none"))
    assert not [name for name in result.weights if "projection" in name]
    assert result.model.projected == 0 and result.model.encoder_width == 8
    assert result.weights["rnn.transformer_out.weight"].shape == (100, 8)


@pytest.mark.parametrize("projection", ["learned", "random", "random-per-run", "none", "pca"])
def test_an_arm_without_hubert_has_no_projection(projection):
    result = run(replace(A, gnn_heads=2), with_hubert(corpus()), protocol=with_projection(projection))
    assert not [name for name in result.weights if "projection" in name]


@pytest.mark.parametrize(
    ("projection", "columns"), [("learned", 100), ("random", 100), ("random-per-run", 100), ("none", 5), ("pca", 100)]
)
def test_masks_are_drawn_for_the_projected_columns(monkeypatch, projection, columns):
    asked = []
    original = Masking.draw

    def draw(masking, dialogues, utterances, widths, draws):
        asked.append(dict(widths))
        return original(masking, dialogues, utterances, widths, draws)

    monkeypatch.setattr(Masking, "draw", draw)
    masked = replace(MASK, audio="hubert", gnn_heads=2, context_layers=1)
    run(masked, with_hubert(corpus()), protocol=with_projection(projection))
    assert asked[0] == {"hubert": columns, "visual": 3} and list(asked[0]) == ["hubert", "visual"]


def inputs(model, x, keep):
    """What the encoder gets."""
    n = torch.tensor([x.shape[1]] * len(x))
    with torch.no_grad(), mock.patch.object(model.rnn, "packed", wraps=model.rnn.packed) as encoder:
        model.eval()(x, n, torch.zeros(x.shape[:2], dtype=torch.int64), keep=keep)
    return encoder.call_args.args[0].view(*x.shape[:2], -1)


@pytest.mark.parametrize("bias", [False, True])
def test_masked_columns_are_zero_for_the_encoder(bias):
    config = ModelConfig(width=7, hidden=6, gnn_heads=2, feed_forward=8, projected=5, projection_bias=bias)
    with seeded(0, "projected"):
        model = COGMEN(config)
    x = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    projected = model.projection(x[..., :5])
    whole = torch.cat([projected, x[..., 5:]], -1).detach()
    assert torch.allclose(inputs(model, x, None), whole, atol=1e-6)
    without_hubert = torch.tensor([0.0] * 6 + [1, 1])[None, None]
    assert torch.allclose(inputs(model, x, without_hubert), whole * without_hubert, atol=1e-6)
    # A single column after the projection, of a single utterance.
    keep = torch.ones(2, 3, 8)
    keep[1, 2, 4] = 0
    assert torch.allclose(inputs(model, x, keep), whole * keep, atol=1e-6)
    # Padding, which only the padded form has, stays zero.
    with torch.no_grad(), mock.patch.object(model.rnn, "forward", wraps=model.rnn.forward) as encoder:
        model(x * torch.tensor([1, 1, 0])[:, None], torch.tensor([3, 2]), torch.zeros(2, 3).long(), "reference")
    assert (encoder.call_args.args[0][1, 2] == 0).all() and (encoder.call_args.args[0][1, 1] != 0).any()


@pytest.mark.parametrize("projection", ["learned", "random", "random-per-run", "none", "pca"])
def test_an_unseen_stream_does_not_leak_through_the_projection(projection):
    plain = with_hubert(corpus(standardise=False))
    louder = changed(plain, "test", lambda d: {"features": d.features | {"hubert": 3 * d.features["hubert"] + 1}})
    one, other = (run(BOTH, source, protocol=with_projection(projection)) for source in (plain, louder))
    assert np.array_equal(one.log_prob["test", "V"], other.log_prob["test", "V"])
    for context in ("A", "AV"):
        assert not np.allclose(one.log_prob["test", context], other.log_prob["test", context])


def test_masked_hubert_features_have_no_effect_in_training():
    """All audio masked: HuBERT features cannot matter, with a projection and without."""
    masking = Masking(none=1e-10, audio=1.0, privileged=0.0, random=0.0)  # not all 0: a probability that is never drawn
    masked = replace(BOTH, masked=True, select="V", contexts=("V",))
    for projection in ("learned", "none"):
        protocol = replace(with_projection(projection), masking=masking)
        plain = with_hubert(corpus(standardise=False))
        moved = [
            changed(plain, "train", lambda d, k=k: {"features": d.features | {"hubert": d.features["hubert"] + k}})
            for k in (0, 1)
        ]
        one, other = (run(masked, source, protocol=protocol) for source in moved)
        assert np.array_equal(one.log_prob["test", "V"], other.log_prob["test", "V"])
