"""Calls as they are, through the command: several, in stereo, without lists, in formats of telephones."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.recordings import tone, write_wav

pytest.importorskip("silero_vad", reason="needs the extra [audio]")
SHARED = Path(os.environ.get("REPLICATE_SHARED") or Path(__file__).parents[4] / "shared")
CONVERSATIONS = SHARED / "data" / "conversations"
WHO = ("--speaker", "SPEAKER_00=agent", "--speaker", "SPEAKER_01=customer")
needs_conversations = pytest.mark.skipif(not CONVERSATIONS.is_dir(), reason=f"{CONVERSATIONS} is missing")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def times(text: str) -> list[tuple[str, str, str]]:
    return [(row["dialogue"], row["speaker"], row["start"]) for row in rows(text)]


@pytest.fixture
def stereo(recordings, tmp_path) -> Path:
    """The call with a speaker on each channel, and its list with other names and no channels."""
    samples, rate = soundfile.read(recordings.root / "CALL.wav", dtype="float32")
    channels = np.zeros((len(samples), 2), np.float32)
    for line in (recordings.root / "CALL.rttm").read_text().splitlines():
        _, _, _, start, seconds, _, _, speaker, *_ = line.split()
        piece = slice(round(float(start) * rate), round((float(start) + float(seconds)) * rate))
        channels[piece, int(speaker[-1])] = samples[piece]
    return write_wav(tmp_path / "CALL.wav", channels, rate)


def test_stereo_calls_are_read_from_the_channels_of_the_speakers(recordings, stereo, replicate):
    bundle = recordings.root / "COGMEN-A"
    _, mono, _ = replicate("predict", bundle, *recordings.call, *WHO, "--csv")
    given = ("predict", bundle, "--audio", stereo, "--csv", "--segments", recordings.root / "CALL.rttm", *WHO)
    status, found, _ = replicate(*given, "--channels", "SPEAKER_00,SPEAKER_01")
    assert status == 0 and times(found) == times(mono)
    calm, alone = ([float(row["calm"]) for row in rows(text)] for text in (mono, found))
    assert alone == pytest.approx(calm, abs=1e-3)
    # Mixing halves the amplitude, and with it the loudness.
    mixed = [float(row["calm"]) for row in rows(replicate(*given).stdout)]
    assert max(abs(one - other) for one, other in zip(mixed, calm, strict=True)) > 1e-3


def test_channels_that_a_recording_does_not_have(recordings, stereo, replicate):
    bundle = recordings.root / "COGMEN-A"
    status, _, stderr = replicate("predict", bundle, *recordings.call, "--channels", "agent,customer")
    assert status == 1 and "CALL.wav has one channel, and --channels names 2" in stderr
    status, _, stderr = replicate("predict", bundle, "--audio", stereo, "--channels", "a,b,c")
    assert status == 1 and "has 2 channels, and --channels names 3" in stderr
    folder = recordings.root / "recordings"
    status, _, stderr = replicate("predict", bundle, "--audio", folder, "--channels", "a,b")
    assert status == 2 and "--channels is for recordings of conversations" in stderr
    status, _, stderr = replicate("predict", bundle, "--audio", stereo, "--audio", stereo, "--table", "x.csv")
    assert status == 2 and "--table is for one folder" in stderr


@needs_conversations
def test_conversations_run_without_further_options(recordings, replicate):
    status, stdout, stderr = replicate("predict", recordings.root / "COGMEN-A", "--audio", CONVERSATIONS, "--csv")
    assert status == 0
    found = rows(stdout)
    assert {row["dialogue"] for row in found} == {"dev00", "dev01", "sample"} and len(found) == 27
    assert sum(float(row["overlap"]) > 0 for row in found) == 23
    assert "dev00: MEE009=agent, MEE012=customer" in stderr and "sample: speaker90=agent, speaker91=customer" in stderr
    one = replicate("predict", recordings.root / "COGMEN-A", "--audio", CONVERSATIONS / "dev01.wav", "--csv").stdout
    assert times(one) == times(stdout)[9:17]
    table = replicate("predict", recordings.root / "COGMEN-A", "--audio", CONVERSATIONS / "dev00.wav").stdout
    assert "overlap" in table and "0.16 s" in table


@needs_conversations
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_calls_of_telephones_give_nearly_the_same_segments(recordings, replicate, tmp_path):
    for name in ("a.m4a", "b.mp3"):
        command = ["ffmpeg", "-loglevel", "error", "-i", str(CONVERSATIONS / "sample.wav"), str(tmp_path / name)]
        subprocess.run(command, check=True)
    soundfile.write(tmp_path / "c.wav", soundfile.read(CONVERSATIONS / "sample.wav")[0][::2], 8_000, subtype="ULAW")
    status, stdout, stderr = replicate("predict", recordings.root / "COGMEN-A", "--audio", tmp_path / "*.*", "--csv")
    assert status == 0 and "does not tell speakers apart" in stderr and "below 16 kHz" in stderr
    found = rows(stdout)
    starts = [[float(row["start"]) for row in found if row["dialogue"] == name] for name in "abc"]
    assert starts[0] and all(own[0] == pytest.approx(starts[0][0], abs=0.2) for own in starts)


def test_what_is_wrong_with_one_recording_keeps_the_others(recordings, replicate, tmp_path):
    shutil.copy(recordings.root / "CALL.wav", tmp_path)
    shutil.copy(recordings.root / "CALL.rttm", tmp_path)
    write_wav(tmp_path / "silent.wav", 0 * tone(1))
    (tmp_path / "broken.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    command = ("predict", recordings.root / "COGMEN-A", "--audio", tmp_path, *WHO, "--csv")
    status, _, stderr = replicate(*command)
    assert status == 1 and "broken.wav is a WAV file that ends before" in stderr and "and 1 more problems" in stderr
    status, stdout, stderr = replicate(*command, "--drop")
    assert status == 0 and {row["dialogue"] for row in rows(stdout)} == {"CALL"}
    assert "left out: " in stderr and "no speech found in" in stderr


def test_a_shell_pattern_without_quotes_is_taken_for_recordings(recordings, replicate, tmp_path):
    paths = [shutil.copy(recordings.root / "CALL.wav", tmp_path / f"{name}.wav") for name in "ab"]
    segments = ("--segments", recordings.root / "CALL.rttm")
    status, _, stderr = replicate("predict", recordings.root / "COGMEN-A", "--audio", *paths, *segments)
    assert status == 1 and "lists segments of CALL, none of a" in stderr
