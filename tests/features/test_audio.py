from __future__ import annotations

import contextlib
import re
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from replicate.errors import BadAudio, TooLittleMemory
from replicate.features import audio, mixing
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
    assert audio.header(path) == (16_000, 0.2, None, "", 2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_other_rates_are_resampled_to_16_khz_across_blocks(
    rate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing, "_BLOCK_SECONDS", 1)
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
    (tmp_path / "link.wav").symlink_to(tmp_path / "away.wav")
    with pytest.raises(BadAudio, match=r"link\.wav is a link to .*away\.wav, which is missing"):
        audio.header(tmp_path / "link.wav")
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
        for read in (audio.header, audio.load):
            with pytest.raises(BadAudio, match=f"has {rate} samples per second by its header"):
                read(write_wav(tmp_path / "a.wav", tone(0.1), rate))


def test_a_truncated_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(2), 16_000)
    path.write_bytes(path.read_bytes()[:20_000])
    found = audio.header(path)
    assert found.seconds == 2  # by the header, which is intact
    assert str(found.cut) == f"{path} is cut short: it declares 2.0 s, and their end is missing: fetch it again"
    with pytest.raises(BadAudio, match=r"a\.flac"):
        audio.load(path)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au", "a.caf", "a.w64", "a.nist"])
def test_a_file_that_is_smaller_than_it_declares_is_cut(name: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / name, tone(1))
    assert audio.header(path)[1:4] == (1, None, "")
    path.write_bytes(path.read_bytes()[:16_500])
    try:
        found = audio.header(path)
    except BadAudio as error:  # libsndfile refuses such a CAF file
        found = audio.Header(16_000, 0.51, error)
    assert re.search(r"is cut short: it declares 32,0\d\d bytes of sound, and it holds 1[256],", str(found.cut))
    assert found.seconds == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFFFDB])
def test_a_wav_from_a_pipe_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    samples = tone(1)
    path = write_wav(tmp_path / "a.wav", samples)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"data") + 4, size)
    struct.pack_into("<I", content, 4, min(size + 36, 0xFFFFFFFF) if size else 0)
    path.write_bytes(content)
    found = audio.header(path)
    assert (found.seconds, found.cut) == (1, None) and found.warning.startswith("declares no length")
    np.testing.assert_allclose(audio.load(path), samples, rtol=0, atol=2**-15)
    np.testing.assert_allclose(audio.load(path, 0.25, 0.5), samples[4_000:8_000], rtol=0, atol=2**-15)


def declaring(path: Path, samples: int) -> Path:
    """Change the number of samples that a FLAC file declares, 36 bits at offset 21.5."""
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | samples >> 32
    struct.pack_into(">I", content, 22, samples & 0xFFFFFFFF)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("seconds", [1, 1.2345, 70])
def test_a_flac_of_unknown_length_is_read_to_its_end(seconds: float, tmp_path: Path) -> None:
    samples = tone(seconds)
    path = declaring(write_wav(tmp_path / "a.flac", samples), 0)
    found = audio.header(path)
    assert (round(found.seconds * 16_000), found.cut) == (len(samples), None)
    assert found.warning.startswith("declares no length")
    np.testing.assert_allclose(audio.load(path), samples, rtol=0, atol=2**-15)
    np.testing.assert_allclose(audio.load(path, 0.25, 0.5), samples[4_000:8_000], rtol=0, atol=2**-15)


@pytest.mark.parametrize("declared", [2**36 - 1, 2**32, 2**26])
def test_a_flac_that_declares_too_much_takes_no_memory(declared: int, tmp_path: Path) -> None:
    path = declaring(write_wav(tmp_path / "a.flac", tone(1)), declared)
    tracemalloc.start()
    for read in (audio.header, audio.load):
        with contextlib.suppress(BadAudio):
            found = read(path)
            assert isinstance(found, audio.Header) and found.cut is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


@pytest.mark.parametrize(
    ("place", "form", "value", "words"),
    [(2, "<H", 0, "Channel count is zero"), (2, "<H", 65_535, "Too many channels")]
    + [(4, "<I", rate, "declares an impossible number of samples per second") for rate in (0, 2**31, 2**32 - 1)],
)
def test_a_header_that_lies_is_named(place: int, form: str, value: int, words: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1))
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(b"fmt ") + 8 + place, value)
    path.write_bytes(content)
    for read in (audio.header, audio.load):
        with pytest.raises(BadAudio, match=words):
            read(path)


def test_a_flac_of_other_channels_than_declared_is_not_called_cut(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.flac", tone(1))
    content = bytearray(path.read_bytes())
    content[20] |= 2  # of 3 bits, channels less one
    path.write_bytes(content)
    with pytest.raises(BadAudio, match="channel changed"):
        audio.header(path)


def test_a_format_that_does_not_show_whether_its_end_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"a\.voc is VOC, of which nothing shows whether its end is missing: convert it"):
        audio.header(write_wav(tmp_path / "a.voc", tone(1)))


def test_samples_that_do_not_fit_are_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise MemoryError

    path = write_wav(tmp_path / "a.wav", tone(0.1))
    monkeypatch.setattr(audio, "_filled", full)
    with pytest.raises(TooLittleMemory, match=r"a\.wav does not fit into memory"):
        audio.load(path)


def test_the_array_grows_where_a_file_holds_more_than_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_EXPANSION", 0)
    monkeypatch.setattr(mixing, "_BLOCK_SECONDS", 1)
    samples = tone(5)
    np.testing.assert_array_equal(audio.load(write_wav(tmp_path / "a.wav", samples, subtype="FLOAT")), samples)


@pytest.mark.parametrize(
    "subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ULAW", "ALAW", "PCM_U8", "G721_32", "NMS_ADPCM_32"]
)
def test_every_kind_of_wav_is_read_from_its_middle_too(subtype: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1, 8_000), 8_000, subtype)
    assert audio.header(path).cut is None
    whole = audio.load(path)
    assert np.corrcoef(whole[: len(audio.load(path, 0, 0.5))], audio.load(path, 0, 0.5))[0, 1] > 0.999
    part = audio.load(path, 0.25, 0.75)
    assert len(part) == 8_000
    assert np.corrcoef(part[200:-200], whole[4_200:11_800])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("channels", "cancelled"),
    [((1, 1), False), ((1, 0), False), ((1, -1.0001), True), ((1, -0.5), True), ((1, 0.5, -1), True), ((1,), False)]
    + [((1, 1, -1), True), ((1, 1, 1, -1), False)],
)
def test_channels_that_cancel_each_other_are_noted(
    channels: tuple[float, ...], cancelled: bool, tmp_path: Path
) -> None:
    voice, noise = tone(0.5), np.random.default_rng(0).standard_normal((8_000, len(channels))) * 1e-3 + 0.01
    path = write_wav(tmp_path / "a.wav", voice[:, None] * np.array(channels) * 0.8 + noise, subtype="FLOAT")
    assert audio.decode(path).cancelled is cancelled


def test_two_speakers_on_two_channels_do_not_cancel(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.stack([tone(0.5), tone(0.5, hertz=333, seed=1)], 1))
    assert not audio.decode(path).cancelled


def test_a_mix_of_nothing_names_the_channels(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.stack([tone(0.5), -tone(0.5)], 1), subtype="FLOAT")
    with pytest.raises(BadAudio, match=r"the channels of .*a\.wav cancel each other: one of them is inverted"):
        audio.load(path)


def test_bytes_behind_the_sound_that_belong_to_nothing_are_noted(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1))
    content = bytearray(path.read_bytes())
    path.write_bytes(content + b"LIST\4\0\0\0INFO")
    assert audio.header(path)[:4] == (16_000, 1, None, "")
    struct.pack_into("<I", content, content.index(b"data") + 4, 1_600)
    path.write_bytes(content)
    assert (
        audio.header(path).warning == "declares 0.05 s, and 30,400 bytes follow that belong to nothing: is it longer?"
    )


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac"])
def test_compressed_sound_is_decoded_from_within(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_wav(tmp_path / f"a.{suffix}", tone(5))
    whole = audio.load(path)
    for start in range(3, 60):  # libmpg123 complains at some of the places
        found = audio.load(path, start * 0.07, start * 0.07 + 0.2)
        np.testing.assert_allclose(found, whole[round(1_120 * start) :][: len(found)], atol=1e-6)
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
