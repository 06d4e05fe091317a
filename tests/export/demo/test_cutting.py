"""Clips cut to utterances: what remains of them, and the repetitions for training."""

from __future__ import annotations

import numpy as np
import pytest

from export.demo.cutting import cut, longest
from replicate.features import audio
from replicate.features.source import Source, Utterance
from tests.recordings import write_wav

from .signals import bursts


def test_the_longest_utterance_remains_and_noise_stays_whole():
    signal = bursts((1, 1.5), (2.5, 4), total=5)
    found = longest(signal)
    assert len(found) / 16_000 == pytest.approx(1.7, abs=0.1)
    np.testing.assert_array_equal(found, signal[round(2.4 * 16_000) :][: len(found)])
    np.testing.assert_array_equal(longest(np.zeros(800, np.float32)), np.zeros(800))


def test_clips_for_training_are_repeated_louder_and_softer(tmp_path):
    signal = bursts((1, 2), total=3)
    path = write_wav(tmp_path / "a.wav", signal, subtype="FLOAT")
    clips = [Utterance("d", f"u{i}", "F", path, "sad", split) for i, split in enumerate(("train", "dev"))]
    found = cut(Source("clips", tuple(clips), ("sad",)), tmp_path / "cut", (1, 4))
    assert [(one.dialogue, one.name, one.split) for one in found.utterances] == [
        ("d", "u0", "train"),
        ("d", "u1", "dev"),
        ("d x4", "u0 x4", "train"),
        ("d whole", "u0 whole", "train"),
    ]
    one, dev, loud, whole = (audio.load(each.path) for each in found.utterances)
    np.testing.assert_array_equal(one, dev)
    np.testing.assert_allclose(one, longest(signal))
    np.testing.assert_allclose(loud, 4 * one)
    np.testing.assert_array_equal(whole, signal)
    assert path.is_file()
