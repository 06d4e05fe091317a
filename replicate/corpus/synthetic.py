"""The built-in corpora: generated features in the shape of IEMOCAP-4, as controls of the software. Not in the paper.

They imitate the class shares, lengths and sessions of IEMOCAP with USC's labels, emotions that persist in a speaker and
respond to the other speaker's, and test speakers that are not in training.

The *positive control* has effects that must be found. Audio and visual features are of the same hidden state, facial
expressions are specific to a speaker, and in dev and test the pitch is missing (zero) in some utterances and the face
in others; in training this only happens through masking. Its constants were chosen, in several rounds, so that a model
trained on both streams fails on audio alone (claim 3), and masking prevents that and helps when features are missing
(claims 4, 5 and, without the GNN, 9). Which of these claims are found on it tests the software; it is no evidence for
them. The other claims are not built in: whatever comes out for them follows from nothing that was intended.

The *negative control* has an effect that must not be found: a gain by privileged streams. It has the same lengths,
speakers, labels, splits and audio, but the visual stream is noise. So given the audio, and also without it, visual
features are independent of the labels. The noise has mean zero, because a masked stream is zero, and in every column
the deviation of the positive control's. No pitch and no face is missing. This definition sets all its constants: it was
not adjusted to any result.

Names of random streams (``_draws(name, "...")``) are part of the seed: changing one changes every number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from replicate.corpus.types import Control, Corpus, Dialogue, Split
from replicate.errors import UnknownCorpus

LABELS = ("happy", "sad", "neutral", "angry")
# Printed below every table.
NOTES: dict[Control, str] = {
    "positive": "positive control, a self-test of the software on generated features: the effects that claims 3, 4, 5 "
    "and 9 describe are built in, and its scores say nothing about the paper",
    "negative": "negative control, a self-test of the software on generated features: the visual stream is noise and "
    "no feature is missing in test, so that no method can gain by it, and its scores say nothing about the paper",
}

# Probabilities that a speaker keeps their last emotion, or responds to the other's; otherwise a new one is drawn.
PERSIST, ANSWER = 0.7, 0.2
# Response to happy, sad, neutral, angry: dependence between speakers that a model of the dialogue can learn.
REPLY = (3, 0, 1, 2)


@dataclass(frozen=True)
class Preset:
    """Size of a synthetic corpus.

    Attributes:
        sessions: dialogues per session; the last session is the test set.
        class_counts: utterances per class, in the order of ``LABELS``.
        longest: utterances of the longest dialogue.
        widths: columns per stream.
        dev: share of the dialogues before the last session that are dev; they are the first ones.
        more_test: dialogues that the last session has in addition, with class counts in the same proportion. They are
            drawn after everything else and change nothing of it.
    """

    sessions: tuple[int, ...]
    class_counts: tuple[int, int, int, int]
    longest: int
    widths: dict[str, int]
    dev: float = 0.1
    more_test: int = 0


PRESETS: dict[str, Preset] = {
    # Dialogues and class counts of IEMOCAP with USC's labels; COGMEN's features have 53 more happy utterances.
    "synthetic": Preset(
        (30, 30, 30, 30, 31), (595, 1084, 1708, 1103), 76, {"audio": 100, "visual": 512, "hubert": 1024}
    ),
    # 10 % would be 6 dialogues here, too few for choosing an epoch. The test set is larger than IEMOCAP's, as it costs
    # little time: with the 14 dialogues of the session alone, claim 9 could not be decided (about 77 are needed).
    "synthetic-small": Preset(
        (14, 14, 14, 14, 14), (212, 386, 609, 393), 50, {"audio": 30, "visual": 100, "hubert": 256}, 0.2, more_test=106
    ),
    "synthetic-tiny": Preset((6, 6, 6, 6, 6), (24, 43, 69, 44), 12, {"audio": 12, "visual": 16, "hubert": 24}),
}

# The negative control with the sizes, labels and audio of each positive one.
NEGATIVE = {name.replace("synthetic", "synthetic-null"): name for name in PRESETS}

# Strength of the class signal (distance of class means in units of the noise) and of each speaker's offset.
FACTORS = 6
SIGNAL = {"shared": 1.2, "audio": 0.95, "visual": 0.1}
SPEAKER_SHIFT = 0.2
# How far a speaker's own expression of an emotion is from the common one, for each kind of factors.
PERSONAL = {"shared": 0.0, "audio": 0.0, "visual": 1.1}
NOISE = {"audio": 0.5, "visual": 1.0, "hubert": 1.0}
# Visual features of networks are activations: never negative, and stronger the more a face moves. So a missing video
# (zeros) is an input that does not occur in training, and is closest to a face at rest.
ACTIVATION = 2.0
EXPRESSION = np.array([0.47, 0.23, 0.0, 0.56])
MOTION_NOISE = 0.2
# The last columns of audio are the pitch: positive, higher in aroused voices, zero if none is found.
PITCHES = 4
PITCH = 3.0 + np.array([0.47, -0.25, 0.0, 0.56])
PITCH_NOISE, TRACK_NOISE = 0.3, 0.2
# Shares of the utterances of dev and test without a pitch, or without a face. In dev, too: otherwise the choice of the
# epoch would ignore such utterances.
LOST = {"pitch": 0.55, "face": 0.2}


def generate(name: str) -> Corpus:
    """Generate a synthetic corpus: the same for the same name on every machine.

    Raises:
        UnknownCorpus: there is no preset of that name.
    """
    if name not in PRESETS and name not in NEGATIVE:
        raise UnknownCorpus(f"no synthetic corpus {name!r}: choose one of {', '.join([*PRESETS, *NEGATIVE])}")
    base = NEGATIVE.get(name, name)
    control: Control = "negative" if name in NEGATIVE else "positive"
    preset = PRESETS[base]
    session, speakers, labels = _conversations(base, preset)
    lengths = [len(each) for each in labels]
    splits = _splits(session, preset.dev)
    streams = _streams(base, preset, session, speakers, labels)
    if control == "positive":
        _lose(base, streams, np.repeat([split != "train" for split in splits], lengths))
    else:
        visual = streams["visual"]
        deviation = visual[: sum(preset.class_counts)].std(0)
        streams["visual"] = _draws(base, "null visual").standard_normal(visual.shape) * deviation
    bounds = np.cumsum([0, *lengths])
    dialogues = tuple(
        Dialogue(
            f"Syn{session[i] + 1:02d}_{i + 1:03d}",
            speakers[i],
            labels[i],
            {stream: _rounded(array[bounds[i] : bounds[i + 1]]) for stream, array in streams.items()},
            split,
        )
        for i, split in enumerate(splits)
    )
    return Corpus(name, LABELS, dialogues, standardise=False, control=control, notes=(NOTES[control],))


def _conversations(
    name: str, preset: Preset
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Draw all dialogues without their features: session of each, speakers and labels of their utterances."""
    lengths = _lengths(preset, _draws(name, "lengths"))
    speakers = [_speakers(n, _draws(name, f"speakers {i}")) for i, n in enumerate(lengths)]
    labels = _labels(speakers, preset, _draws(name, "labels"))
    session = np.repeat(np.arange(len(preset.sessions)), preset.sessions)
    if not preset.more_test:
        return session, speakers, labels
    scale = preset.more_test / len(session)
    happy, sad, neutral, angry = (round(count * scale) for count in preset.class_counts)
    more = replace(preset, sessions=(preset.more_test,), class_counts=(happy, sad, neutral, angry), more_test=0)
    _, more_speakers, more_labels = _conversations(f"{name}/more test", more)
    last = np.full(preset.more_test, session.max())
    return np.concatenate([session, last]), speakers + more_speakers, labels + more_labels


def _draws(name: str, purpose: str) -> Generator:
    return np.random.default_rng(list(f"{name}/{purpose}".encode()))


def _splits(session: NDArray[np.int64], share: float) -> list[Split]:
    """Assign splits: the last session is test; the first dialogues of the others are dev, 10 % in the release."""
    training = int((session < session.max()).sum())
    dev = max(1, int(training * share))
    return ["dev" if i < dev else "train" if i < training else "test" for i in range(len(session))]


def _lengths(preset: Preset, draws: Generator) -> list[int]:
    """Draw lengths of dialogues: right-skewed, one as long as ``longest``, with the class counts as their sum."""
    total, count = sum(preset.class_counts), sum(preset.sessions)
    lengths = draws.lognormal(0.0, 0.42, count)
    lengths = np.clip(np.round(lengths * total / lengths.sum()), 2, preset.longest).astype(int)
    lengths[lengths.argmax()] = preset.longest
    while lengths.sum() != total:
        i = draws.integers(count)
        step = int(np.sign(total - lengths.sum()))
        if 2 <= lengths[i] + step < preset.longest and lengths[i] != preset.longest:
            lengths[i] += step
    return lengths.tolist()


def _speakers(n: int, draws: Generator) -> NDArray[np.int64]:
    """Draw speakers in order of time: the next utterance is the other speaker's with probability 0.7."""
    return ((draws.random(n) < 0.7).cumsum() % 2).astype(np.int64)


def _labels(speakers: list[NDArray[np.int64]], preset: Preset, draws: Generator) -> list[NDArray[np.int64]]:
    """Draw emotions without replacement from the class counts, dialogue by dialogue in random order."""
    left = np.array(preset.class_counts)
    labels: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(speakers)
    for i in draws.permutation(len(speakers)):
        last: dict[int, int] = {}
        drawn = []
        for speaker in speakers[i].tolist():
            chance = draws.random()
            wish = last.get(speaker) if chance < PERSIST else None
            if PERSIST <= chance < PERSIST + ANSWER and 1 - speaker in last:
                wish = REPLY[last[1 - speaker]]
            if wish is None or left[wish] == 0:
                wish = int(draws.choice(len(left), p=left / left.sum()))
            left[wish] -= 1
            last[speaker] = wish
            drawn.append(wish)
        labels[i] = np.array(drawn, np.int64)
    return labels


def _streams(
    name: str,
    preset: Preset,
    session: NDArray[np.int64],
    speakers: list[NDArray[np.int64]],
    labels: list[NDArray[np.int64]],
) -> dict[str, NDArray[np.float64]]:
    """Compute features from hidden factors: shared ones, and those of audio and visual; hubert has those of audio."""
    label = np.concatenate(labels)
    person = np.concatenate([2 * session[i] + speaker for i, speaker in enumerate(speakers)])
    factors = {}
    for kind, signal in SIGNAL.items():
        draws = _draws(name, f"factors {kind}")
        means = np.linalg.qr(draws.standard_normal((FACTORS, len(LABELS))))[0].T * signal * np.sqrt(2)
        shift = draws.standard_normal((person.max() + 1, FACTORS)) * SPEAKER_SHIFT
        own = (
            _draws(name, f"personal {kind}").standard_normal((person.max() + 1, len(LABELS), FACTORS)) * PERSONAL[kind]
        )
        factors[kind] = means[label] + own[person, label] + shift[person] + draws.standard_normal((len(label), FACTORS))
    of_audio = np.concatenate([factors["shared"], factors["audio"]], axis=1)
    of_visual = np.concatenate([factors["shared"], factors["visual"]], axis=1)
    activation = _observe(name, "visual", of_visual, preset)
    motion = EXPRESSION[label] + _draws(name, "motion").standard_normal(len(label)) * MOTION_NOISE
    activation = np.maximum(activation + (ACTIVATION + motion)[:, None], 0)
    audio = _observe(name, "audio", of_audio, preset)
    first = sum(preset.class_counts)
    audio[:first, -PITCHES:] = _pitch(label[:first], _draws(name, "pitch"))
    audio[first:, -PITCHES:] = _pitch(label[first:], _draws(name, "more pitch"))
    return {"audio": audio, "visual": activation, "hubert": _observe(name, "hubert", of_audio, preset)}


def _lose(name: str, streams: dict[str, NDArray[np.float64]], unseen: NDArray[np.bool_]) -> None:
    """Set the pitch of some of the utterances in dev and test to zero, and the face of others."""
    lost = {what: unseen & (_draws(name, f"lost {what}").random(len(unseen)) < share) for what, share in LOST.items()}
    streams["audio"][lost["pitch"], -PITCHES:] = 0
    streams["visual"][lost["face"]] = 0


def _pitch(label: NDArray[np.int64], draws: Generator) -> NDArray[np.float64]:
    """Return the pitch of each utterance as measured by several trackers: (N, PITCHES)."""
    voice = PITCH[label] + draws.standard_normal(len(label)) * PITCH_NOISE
    return voice[:, None] + draws.standard_normal((len(label), PITCHES)) * TRACK_NOISE


def _observe(name: str, stream: str, factors: NDArray[np.float64], preset: Preset) -> NDArray[np.float64]:
    """Return columns that are noisy random mixtures of all factors: (N, width)."""
    draws, width = _draws(name, stream), preset.widths[stream]
    mix = draws.standard_normal((factors.shape[1], width)) / np.sqrt(factors.shape[1])
    return np.tanh(factors @ mix) + draws.standard_normal((len(factors), width)) * NOISE[stream]


def _rounded(columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round to 4 decimals, so that differences in arithmetic between machines disappear."""
    return np.round(columns, 4).astype(np.float32)
