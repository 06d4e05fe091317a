import numpy as np
import pytest

from replicate.corpus.synthetic import LOST, PITCHES, PRESETS, REPLY, generate
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
    assert not corpus.published and "synthetic" in corpus.notes[0]


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_name_is_the_same_corpus(name):
    assert generate(name).hash == generate(name).hash


def test_test_speakers_are_of_a_session_of_their_own():
    corpus = generate("synthetic-small")
    sessions = {split: {d.id.split("_")[0] for d in corpus.split(split)} for split in ("train", "dev", "test")}
    assert not sessions["test"] & (sessions["train"] | sessions["dev"])


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


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownCorpus, match="synthetic-small"):
        generate("synthetic-huge")
