"""Sound as it arrives: recordings in pieces, one and two speakers, whatever their format."""

from __future__ import annotations

import sys
import time
import types

import numpy as np
import pytest
import soundfile

from export.demo import sources
from export.demo.live import follow
from export.demo.wave_stream import WaveModel
from replicate.errors import BadAudio, MissingDevice, MissingExtra
from replicate.features import audio
from tests.recordings import write_wav

from . import wave_bundle
from .signals import bursts


@pytest.fixture
def model(tmp_path):
    return WaveModel(wave_bundle.write(tmp_path / "bundle"))


def test_utterances_are_answered_in_the_order_of_their_start(model, tmp_path):
    agent, customer = bursts((1, 2), (5, 6), total=7), bursts((3, 4), total=7, seed=1)
    path = write_wav(tmp_path / "call.wav", np.column_stack([agent, customer]))
    shown = []
    found = list(follow(model, sources.recording(path, fast=True), ["M", "Zoë"], shown.append))
    assert [(one.number, one.speaker) for one in found] == [(1, "M"), (2, "Zoë"), (3, "M")]
    assert [round(one.start) for one in found] == [1, 3, 5] and [round(one.end) for one in found] == [2, 4, 6]
    assert shown[-1].seconds == 7 and any(status.speaking for status in shown) and not shown[-1].speaking
    for one, signal, state in zip(found, (agent, customer, agent), (0, 0.5, 1), strict=True):
        piece = signal[round(one.start * 16_000) : round(one.end * 16_000)]
        expected = wave_bundle.expected(piece, np.array([state, 0, 0, 0]))
        np.testing.assert_allclose(one.probabilities, expected, atol=1e-3)  # 16 bits in the file


def test_two_channels_of_the_same_voice_are_one_speaker(model, tmp_path):
    signal = bursts((1, 2), total=3)
    path = write_wav(tmp_path / "stereo.wav", np.column_stack([signal, 0.8 * signal]))
    assert [one.speaker for one in follow(model, sources.recording(path, fast=True), ["M", "Zoë"])] == ["M"]
    (piece,) = {piece.shape[1] for piece in sources.recording(path, fast=True)}
    assert piece == 1
    path = write_wav(tmp_path / "six.wav", np.column_stack([signal] * 6))
    assert len(list(follow(model, sources.recording(path, fast=True), ["M", "Zoë"]))) == 1


@pytest.mark.parametrize(("rate", "subtype"), [(8_000, "PCM_16"), (192_000, "PCM_24"), (44_100, "FLOAT")])
def test_any_rate_is_resampled_as_for_whole_recordings(tmp_path, rate, subtype):
    path = tmp_path / "a.wav"
    t = np.arange(2 * rate) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 300 * t), rate, subtype=subtype)
    pieces = np.concatenate(list(sources.recording(path, fast=True)))
    np.testing.assert_allclose(pieces[:, 0], audio.load(path), atol=1e-6)


def test_a_recording_is_played_in_real_time(tmp_path):
    path = write_wav(tmp_path / "a.wav", bursts(total=0.5))
    begin = time.monotonic()
    assert sum(map(len, sources.recording(path))) == 8_000
    assert time.monotonic() - begin >= 0.5


def test_recordings_that_cannot_be_used(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    soundfile.write(tmp_path / "nan.wav", np.full(9_000, np.nan), 16_000, subtype="FLOAT")
    for name, message in (("none", "no recording"), ("broken", "broken.wav"), ("nan", "contains NaN")):
        with pytest.raises(BadAudio, match=message):
            list(sources.recording(tmp_path / f"{name}.wav", fast=True))
    assert [len(piece) for piece in sources.recording(write_wav(tmp_path / "short.wav", np.zeros(800)), fast=True)] == [
        800
    ]


class _Stream:
    """A microphone of sounddevice that gives three pieces, and then stops."""

    active = False

    def __init__(self, rate, size, channels, dtype, callback):
        assert (rate, channels, dtype) == (16_000, 1, "float32")
        self.give = lambda: [callback(np.full((size, 1), 0.1 * i, np.float32), size, None, None) for i in range(3)]

    def start(self):
        self.give()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_microphone_and_one_that_is_disconnected(monkeypatch):
    fake = types.SimpleNamespace(InputStream=_Stream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    pieces = sources.microphone()
    assert [round(float(next(pieces)[0, 0]), 1) for _ in range(3)] == [0.0, 0.1, 0.2]
    with pytest.raises(MissingDevice, match="was disconnected"):
        next(pieces)


def test_a_microphone_that_is_not_there(monkeypatch):
    def absent(*_, **__):
        raise RuntimeError("Error querying\ndevice -1")

    fake = types.SimpleNamespace(InputStream=absent, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(MissingDevice, match=r"no microphone can be opened \(Error querying device -1\): connect one"):
        next(sources.microphone())
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtra, match=r"sounddevice is not installed.*\[microphone\]"):
        next(sources.microphone())
