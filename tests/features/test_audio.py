from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from replicate.errors import BadAudio
from replicate.features import audio
from tests.recordings import tone, write_wav


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-23), ("FLOAT", 0), ("DOUBLE", 0)]
)
def test_every_kind_of_sample_is_read(subtype: str, step: float, tmp_path: Path) -> None:
    wanted = tone(0.2)
    found = audio.load(write_wav(tmp_path / "a.wav", wanted, subtype=subtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=step)


def test_flac_is_read_and_stereo_becomes_the_mean(tmp_path: Path) -> None:
    left, right = tone(0.2), tone(0.2, hertz=300)
    path = write_wav(tmp_path / "a.flac", np.stack([left, right], 1))
    np.testing.assert_allclose(audio.load(path), (left + right) / 2, rtol=0, atol=2**-15)
    assert audio.header(path) == (16_000, 0.2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_other_rates_are_resampled_to_16_khz_across_blocks(
    rate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "_BLOCK_SECONDS", 1)
    samples = tone(2.3, rate)
    found = audio.load(write_wav(tmp_path / "a.wav", samples, rate, "FLOAT"))
    whole = soxr.resample(samples, rate, 16_000)
    assert abs(len(found) - 2.3 * 16_000) <= 1
    np.testing.assert_allclose(found[: len(whole)], whole[: len(found)], rtol=0, atol=1e-5)


def test_a_segment_is_loaded_exactly(tmp_path: Path) -> None:
    samples = tone(1)
    path = write_wav(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(audio.load(path, 0.25, 0.75), samples[4_000:12_000])
    np.testing.assert_array_equal(audio.load(path, 0.25), samples[4_000:])
    with pytest.raises(BadAudio, match=r"from 0\.5 s to 2 s ends after 0\.500 s"):
        audio.load(path, 0.5, 2)


def test_silent_and_invalid_samples_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2, 1_600)
    broken = tone(0.2)
    broken[7] = np.nan
    for name, samples, subtype, words in (
        ("zeros", np.zeros(1_600, np.float32), "PCM_16", "is silent"),
        ("offset", np.full(1_600, 0.25, np.float32), "PCM_16", "is silent"),
        ("last bit", noise.astype(np.int16), "PCM_16", "is silent"),
        ("nan", broken, "FLOAT", "contains NaN"),
    ):
        path = write_wav(tmp_path / f"{name}.wav", samples, subtype=subtype)
        with pytest.raises(BadAudio, match=words) as caught:
            audio.load(path)
        assert str(path) in str(caught.value)


def test_files_that_are_not_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"no recording .*absent\.wav"):
        audio.header(tmp_path / "absent.wav")
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "nothing.wav").touch()
    with pytest.raises(BadAudio, match=r"nothing\.wav is empty"):
        audio.header(tmp_path / "nothing.wav")
    for read in (audio.header, audio.load):
        with pytest.raises(BadAudio, match=r"text\.wav cannot be read as audio"):
            read(tmp_path / "text.wav")
    with pytest.raises(BadAudio, match="holds no samples"):
        audio.header(write_wav(tmp_path / "empty.wav", np.empty(0, np.float32)))


def test_impossible_rates_are_refused(tmp_path: Path) -> None:
    for rate in (1, 3_999, 800_000):
        with pytest.raises(BadAudio, match=f"has {rate} samples per second by its header"):
            audio.header(write_wav(tmp_path / "a.wav", tone(0.1), rate))


def test_a_truncated_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(2), 16_000)
    path.write_bytes(path.read_bytes()[:20_000])
    assert audio.header(path).seconds == 2  # by the header, which is intact
    with pytest.raises(BadAudio, match=r"a\.flac"):
        audio.load(path)
