from dataclasses import replace

import numpy as np
import pytest

from replicate.corpus.synthetic import LOST, NEGATIVE, PITCHES, PRESETS, REPLY, generate
from replicate.errors import UnknownCorpus


def test_the_full_size_has_the_shape_of_iemocap4():
    corpus = generate("synthetic")
    lengths = [len(dialogue) for dialogue in corpus.dialogues]
    labels = np.concatenate([dialogue.labels for dialogue in corpus.dialogues])
    assert (len(lengths), sum(lengths), max(lengths)) == (151, 4490, 76)
    assert 26 <= np.median(lengths) <= 31
    assert np.bincount(labels).tolist() == [595, 1084, 1708, 1103]
    assert [len(corpus.split(name)) for name in ("train", "dev", "test")] == [108, 12, 31]
    assert corpus.widths == {"audio": 100, "visual": 512, "hubert": 1024}
    assert not corpus.published and corpus.control == "positive" and "positive control" in corpus.notes[0]


@pytest.mark.parametrize("name", [*PRESETS, *NEGATIVE])
def test_the_same_name_is_the_same_corpus(name):
    assert generate(name).hash == generate(name).hash


def test_test_speakers_are_of_a_session_of_their_own():
    corpus = generate("synthetic-small")
    sessions = {split: {d.id.split("_")[0] for d in corpus.split(split)} for split in ("train", "dev", "test")}
    assert not sessions["test"] & (sessions["train"] | sessions["dev"])


@pytest.mark.parametrize("name", ["synthetic-small", "synthetic-null-small"])
def test_more_test_dialogues_change_no_other(name, monkeypatch):
    preset = PRESETS["synthetic-small"]
    corpus = generate(name)
    monkeypatch.setitem(PRESETS, "synthetic-small", replace(preset, more_test=0))
    without = generate(name)
    assert preset.more_test == len(corpus.dialogues) - len(without.dialogues) > 0
    for one, other in zip(corpus.dialogues, without.dialogues, strict=False):
        assert (one.id, one.split) == (other.id, other.split) and np.array_equal(one.labels, other.labels)
        assert all(np.array_equal(one.features[stream], other.features[stream]) for stream in one.features)
    assert {d.split for d in corpus.dialogues[len(without.dialogues) :]} == {"test"}


def test_emotions_persist_in_a_speaker_and_respond_to_the_other():
    corpus = generate("synthetic")
    same_speaker, answers = [], []
    shares = np.bincount(np.concatenate([d.labels for d in corpus.dialogues])) / 4490
    for dialogue in corpus.dialogues:
        for speaker in (0, 1):
            own = dialogue.labels[dialogue.speakers == speaker]
            same_speaker += (own[1:] == own[:-1]).tolist()
        other = dialogue.speakers[1:] != dialogue.speakers[:-1]
        answers += (dialogue.labels[1:] == np.array(REPLY)[dialogue.labels[:-1]])[other].tolist()
    chance = float((shares**2).sum())
    assert np.mean(same_speaker) > 0.6 > np.mean(answers) > chance + 0.05


def _columns(corpus, stream, splits):
    return np.concatenate([d.features[stream] for split in splits for d in corpus.split(split)])


def test_in_training_video_is_never_negative_and_never_missing():
    visual = _columns(generate("synthetic-small"), "visual", ("train",))
    assert visual.min() == 0
    assert (visual > 0).mean(1).min() > 0.3


def test_features_fail_in_dev_and_test_alone():
    corpus = generate("synthetic")
    assert _columns(corpus, "audio", ("train",))[:, -PITCHES:].min() > 0.5
    for split in ("dev", "test"):
        pitch, face = _columns(corpus, "audio", (split,))[:, -PITCHES:], _columns(corpus, "visual", (split,))
        for what, columns in (("pitch", pitch), ("face", face)):
            lost = (columns == 0).all(1)
            assert abs(lost.mean() - LOST[what]) < 0.04
            assert (columns[~lost] != 0).any(1).all()
    rest = _columns(corpus, "audio", ("dev", "test"))[:, :-PITCHES]
    assert (rest != 0).any(1).all(), "what fails is the pitch, not the voice"


def test_pitch_rises_with_arousal():
    corpus = generate("synthetic")
    pitch = _columns(corpus, "audio", ("train",))[:, -PITCHES:].mean(1)
    label = np.concatenate([d.labels for d in corpus.split("train")])
    happy, sad, neutral, angry = (pitch[label == k].mean() for k in range(4))
    assert sad < neutral < min(happy, angry)


@pytest.mark.parametrize("name", NEGATIVE)
def test_the_negative_control_has_labels_and_audio_of_the_positive_one(name):
    null, positive = generate(name), generate(NEGATIVE[name])
    assert (null.control, null.name, null.widths) == ("negative", name, positive.widths)
    for one, other in zip(null.dialogues, positive.dialogues, strict=True):
        assert (one.id, one.split) == (other.id, other.split)
        assert np.array_equal(one.labels, other.labels) and np.array_equal(one.speakers, other.speakers)
        assert np.array_equal(one.features["hubert"], other.features["hubert"])
        voiced = (other.features["audio"][:, -PITCHES:] != 0).any(1)
        assert voiced.all() or other.split != "train"
        assert np.array_equal(one.features["audio"][voiced], other.features["audio"][voiced])
        assert (one.features["audio"][:, -PITCHES:] > 0).all(), "no pitch is missing"


def test_the_privileged_stream_of_the_negative_control_is_noise_of_the_same_scale():
    null, positive = generate("synthetic-null"), generate("synthetic")
    visual, own = (_columns(corpus, "visual", ("train",)) for corpus in (null, positive))
    assert np.allclose(visual.std(0) / own.std(0), 1, atol=0.06)
    rest = np.concatenate([visual, _columns(null, "visual", ("dev", "test"))])
    labels = np.concatenate([d.labels for split in ("train", "dev", "test") for d in null.split(split)])
    # Standardised means of the classes, 512 columns of 4: as many are beyond 2 as of a normal distribution (4.6 %).
    scores = np.array([rest[labels == k].mean(0) / rest.std(0) * np.sqrt((labels == k).sum()) for k in range(4)])
    assert abs((np.abs(scores) > 2).mean() - 0.0455) < 0.015
    # A ridge regression of the labels on training predicts as little of test as chance.
    target = np.eye(4)[[label for d in null.split("train") for label in d.labels]]
    weights = np.linalg.solve(visual.T @ visual + 300 * np.eye(512), visual.T @ (target - target.mean(0)))
    predicted = (_columns(null, "visual", ("test",)) @ weights + target.mean(0)).argmax(1)
    test = np.concatenate([d.labels for d in null.split("test")])
    assert (predicted == test).mean() < np.bincount(test).max() / len(test) + 0.02


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownCorpus, match="synthetic-small"):
        generate("synthetic-huge")
