"""The page on recordings of one's own runs as it is written, on speech made on the spot."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recordings import save_hubert, write_call, write_conversations

from .conftest import QUICKLY, blocks


@pytest.mark.slow
def test_with_your_own_recordings(perform, tmp_path):
    write_conversations(tmp_path / "recordings", dialogues=10, utterances=4)
    write_call(tmp_path / "CALL.wav")
    save_hubert(tmp_path / "hubert", "layer")
    (listed,) = blocks("recordings.md", "csv")
    assert (tmp_path / "recordings" / "table.csv").read_text().splitlines()[0] == listed.splitlines()[0]
    printed = perform("recordings.md", HUBERT="hubert", PROFILE=QUICKLY)
    suffixes = {path.suffix for path in (tmp_path / "timeline").iterdir()}
    assert suffixes == {".csv", ".json", ".vtt", ".png", ".svg", ".TextGrid", ".eaf"}
    assert len(Path("timeline.csv").read_text().splitlines()) == 1 + 40
    assert Path("call.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> ")
    tables = next(text for command, text in printed.items() if command.startswith("run table4"))
    for name in ("table4", "hubert"):
        assert f"{name} on recordings: " in tables
    assert f"Stream hubert-second-to-last: HuBERT {tmp_path / 'hubert'}, layer second-to-last." in tables
    assert "Stream audio: openSMILE eGeMAPSv02 (88 columns)." in tables
    (code,) = blocks("recordings.md", "python")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 8 and done.stdout.startswith("0.0 s: SPEAKER_00 ")


def test_recordings_hold_speech_where_espeak_is_installed(tmp_path, monkeypatch):
    speech = write_call(tmp_path / "speech.wav", segments=1)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    synthesised = write_call(tmp_path / "tone.wav", segments=1)
    for path in (speech, synthesised):
        assert path.stat().st_size > 10_000 and len(path.with_suffix(".rttm").read_text().splitlines()) == 1
