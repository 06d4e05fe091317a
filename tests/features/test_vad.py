from __future__ import annotations

import os
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from replicate.errors import BadAudio, MissingExtra
from replicate.features import audio, vad
from replicate.features.segments.base import Segment
from tests.memory import allocated
from tests.recordings import tone, write_wav

pytest.importorskip("silero_vad", reason="needs the extra [audio]")
SHARED = Path(os.environ.get("REPLICATE_SHARED") or Path(__file__).parents[3] / "shared")
SAMPLE = SHARED / "data" / "conversations" / "sample.wav"


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    if not SAMPLE.is_file():
        pytest.skip(f"{SAMPLE} is missing")
    return audio.load(SAMPLE)


def published(probabilities: list[float], samples: int) -> list[tuple[int, int]]:
    """The package's own segmentation with the settings of this one."""
    threads = torch.get_num_threads()
    from silero_vad import get_speech_timestamps_from_probs  # sets the number of threads

    torch.set_num_threads(threads)
    found = get_speech_timestamps_from_probs(
        probabilities,
        threshold=vad.SPEECH,
        neg_threshold=vad.QUIET,
        min_speech_duration_ms=vad.SHORTEST / 16,
        min_silence_duration_ms=vad.PAUSE / 16,
        speech_pad_ms=vad.PAD / 16,
        audio_length_samples=samples,
    )
    return [(one["start"], one["end"]) for one in found]


def test_probabilities_are_those_of_the_package(speech: NDArray[np.float32]) -> None:
    detector, draws = vad.SileroVad(), random.Random(0)
    rest = speech
    while len(rest):
        size = draws.choice([1, 100, 511, 512, 513, 40_000])
        detector.add(rest[:size])
        rest = rest[size:]
    detector.end()
    from silero_vad import load_silero_vad

    model = load_silero_vad(onnx=True)
    frames = np.pad(speech, (0, -len(speech) % vad.FRAME)).reshape(-1, vad.FRAME)
    theirs = [model(torch.from_numpy(frame), audio.RATE).item() for frame in frames]
    assert np.allclose(detector.probabilities, theirs, atol=1e-4) and max(theirs) > 0.9


@given(st.lists(st.sampled_from([0.0, 0.3, 0.4, 0.6, 1.0]), max_size=120), st.integers(0, 511))
def test_utterances_are_those_of_the_package(probabilities: list[float], missing: int) -> None:
    samples = max(0, len(probabilities) * vad.FRAME - missing)
    assert vad.utterances(probabilities, samples) == published(probabilities, samples)


@settings(max_examples=20)
@given(st.integers(313, 2_000), st.randoms(use_true_random=False))
def test_long_utterances_are_cut_where_speech_is_least_probable(frames: int, draws: random.Random) -> None:
    probabilities = [draws.uniform(0.5, 1) for _ in range(frames)]
    found = vad.utterances(probabilities, frames * vad.FRAME)
    assert found[0][0] == 0 and found[-1][1] == frames * vad.FRAME
    assert all(before[1] == after[0] for before, after in pairwise(found))
    lengths = [(stop - start) // vad.FRAME for start, stop in found]
    assert max(lengths) <= vad.LONGEST and min(lengths) >= vad.LONGEST // 4
    first = probabilities[frames // 4 : frames // 4 + frames // 2]
    assert any(start // vad.FRAME == frames // 4 + first.index(min(first)) for start, _ in found)


def test_speech_is_found_in_each_channel(speech: NDArray[np.float32], tmp_path: Path) -> None:
    silent = np.zeros(8_000, np.float32)
    stereo = np.stack([np.concatenate([speech, silent]), np.concatenate([silent, speech])], 1)
    path = write_wav(tmp_path / "call.wav", stereo)
    done: list[float] = []
    found = vad.detect(path, ("agent", "customer"), done.append)
    assert sum(done) == pytest.approx(len(stereo) / audio.RATE)
    agent, customer = ([one for one in found if one.speaker == name] for name in ("agent", "customer"))
    assert {one.channel for one in agent} == {0} and {one.channel for one in customer} == {1}
    assert customer[0].start - agent[0].start == pytest.approx(0.5, abs=0.1)
    mixed = vad.detect(path)
    assert {(one.speaker, one.channel) for one in mixed} == {(vad.ONE, None)}


def test_telephone_speech_is_found(speech: NDArray[np.float32], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", speech[::2], 8_000, subtype="ULAW")
    wide, narrow = vad.detect(SAMPLE), vad.detect(tmp_path / "a.wav")
    assert narrow[0].start == pytest.approx(wide[0].start, abs=0.2)
    assert narrow[-1].stop == pytest.approx(wide[-1].stop, abs=0.2)


@pytest.mark.slow
def test_two_hours_take_the_memory_of_a_minute(speech: NDArray[np.float32], tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8_000, 1, "ULAW") as file:
        for _ in range(240):
            file.write(speech[::2])
    found: list[Segment] = []
    assert allocated(lambda: found.extend(vad.detect(path))) < 48 * 2**20
    assert found[-1].stop > 7_199 and len(found) > 1_000


@pytest.mark.parametrize("samples", [0 * tone(2), tone(0.05), tone(2)])
def test_recordings_without_speech_are_refused(samples: NDArray[np.float32], tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", samples)
    with pytest.raises(BadAudio, match=r"no speech found in .*a\.wav: check the microphone"):
        vad.detect(path)


def test_channels_that_cancel_each_other_are_named(speech: NDArray[np.float32], tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.stack([speech, -speech], 1))
    with pytest.raises(BadAudio, match=r"the channels of .*a\.wav cancel each other: one is inverted"):
        vad.detect(path)
    assert {one.speaker for one in vad.detect(path, ("A", "B"))} == {"A", "B"}


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    samples = tone(1)
    samples[9_000] = np.nan
    path = write_wav(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(BadAudio, match=r"a\.wav contains NaN or infinity"):
        vad.detect(path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vad, "_MODEL", Path("none.onnx"))
    with pytest.raises(MissingExtra, match="silero-vad is too old"):
        vad.require()
    monkeypatch.setattr(vad, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="silero-vad is not installed"):
        vad.require()
