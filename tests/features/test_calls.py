from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from replicate.errors import BadAudio, BadSource
from replicate.features import calls, vad
from replicate.features.segments.base import Segment
from tests.recordings import tone, write_wav


def line(file: str, start: float, speaker: str = "A") -> str:
    return f"SPEAKER {file} 1 {start} 0.5 <NA> <NA> {speaker} <NA> <NA>\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings, the first two with lists, and a detector that finds speech everywhere but in silence."""
    for name in ("a", "b", "c"):
        write_wav(tmp_path / f"{name}.wav", tone(1))
    write_wav(tmp_path / "silent.flac", 0 * tone(1))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.rttm").write_text(line("a", 0.1))
    (tmp_path / "lists" / "b.csv").write_text("start,end,speaker\n0.2,0.6,B\n")
    (tmp_path / "lists" / "all.rttm").write_text(line("a", 0.1) + line("b", 0.2, "B") + line("b", 0.3))

    def detect(path: Path, names: object, advance: object) -> list[Segment]:
        if path.stem == "silent":
            raise BadAudio(f"no speech found in {path}")
        return [Segment(0, 1, vad.ONE, str(path))]

    monkeypatch.setattr(vad, "detect", detect)
    return tmp_path


def found(source: object) -> list[tuple[str, str, float]]:
    return [(one.dialogue, one.speaker, one.start) for one in source.utterances]  # type: ignore[attr-defined]


def test_each_recording_has_its_list(folder: Path) -> None:
    paths = [folder / "b.wav", folder / "a.wav", folder / "c.wav"]
    source = calls.read(paths, [folder / "lists" / "b.csv", folder / "lists" / "a.rttm", "vad"])
    assert found(source) == [("b", "B", 0.2), ("a", "A", 0.1), ("c", "speech", 0)]
    assert source.name == "3 recordings" and source.problems == ()
    with pytest.raises(BadSource, match="2 lists of segments for 3 recordings: give one for each in the same order"):
        calls.read(paths, ["vad", "vad"])


def test_one_rttm_names_all_recordings(folder: Path) -> None:
    shared = folder / "lists" / "all.rttm"
    paths = [folder / "a.wav", folder / "b.wav", folder / "c.wav"]
    source = calls.read(paths, [shared])
    assert found(source) == [("a", "A", 0.1), ("b", "B", 0.2), ("b", "A", 0.3)]
    assert [str(problem) for problem in source.problems] == [
        f"{shared} lists segments of a, b, none of c: give the list of this recording; if it is this one, write c as "
        "the second field of its lines"
    ]


def test_a_list_next_to_a_recording_is_used_and_named(folder: Path) -> None:
    (folder / "lists" / "all.rttm").rename(folder / "all.rttm")
    source = calls.read([folder / "b.wav", folder / "c.wav"])
    assert found(source) == [("b", "B", 0.2), ("b", "A", 0.3), ("c", "speech", 0)]
    notes = "\n".join(source.warnings)
    assert f"b.wav from {folder / 'all.rttm'}; to detect speech instead, give --segments vad" in notes
    assert "no list of segments for" in notes and "c.wav: voice activity detection found 1 utterance" in notes
    assert "does not tell speakers apart" in notes
    detected = calls.read([folder / "b.wav"], ["vad"])
    assert found(detected) == [("b", "speech", 0)] and len(detected.warnings) == 1


def test_a_folder_means_its_recordings_and_one_that_fails_keeps_the_others(folder: Path) -> None:
    source = calls.read([folder])
    assert [one.dialogue for one in source.utterances] == ["a", "b", "c"]
    assert "a.wav and 2 more recordings: voice activity detection found 3 utterances" in source.warnings[0]
    assert [str(problem) for problem in source.problems] == [f"no speech found in {folder / 'silent.flac'}"]
    with pytest.raises(BadAudio, match="no speech found"):
        calls.read([folder / "silent.flac"])
    with pytest.raises(BadSource, match=r"b\.csv is a list, not a recording: .* --segments .*b\.csv$"):
        calls.read([folder / "lists" / "b.csv"])
    with pytest.raises(BadSource, match="lists contains no recordings"):
        calls.read([folder / "lists"])


def test_patterns_are_for_recordings(folder: Path) -> None:
    assert calls.matching([folder / "[ab].*"]) == [folder / "a.wav", folder / "b.wav"]
    (folder / "x[1].wav").touch()
    assert calls.matching([folder / "x[1].wav"]) == [folder / "x[1].wav"]
    with pytest.raises(BadSource, match="no recording matches"):
        calls.matching([folder / "*.mp3"])


def test_recordings_of_one_name_are_told_apart(folder: Path) -> None:
    paths = [folder / "a.wav", write_wav(folder / "a.flac", tone(1)), write_wav(folder / "other" / "a.wav", tone(1))]
    names = [one.dialogue for one in calls.read(paths, ["vad"]).utterances]
    assert names == [f"{folder.name}/a.wav", "a.flac", "other/a.wav"]
    with pytest.raises(BadSource, match=r"a\.wav is given twice"):
        calls.read([folder / "a.wav", folder / "other" / ".." / "a.wav"])


def test_channels_are_checked_before_speech_is_detected(folder: Path) -> None:
    with pytest.raises(BadSource, match="has one channel, and --channels names 2"):
        calls.read([folder / "a.wav"], ["vad"], ["agent", "customer"])
    stereo = write_wav(folder / "s.wav", np.stack([tone(1), tone(1)], 1))
    assert calls.read([stereo], ["vad"], ["agent", "customer"]).warnings == ()
    (folder / "s.rttm").write_text(line("s", 0.1))
    assert [one.start for one in calls.read([stereo], [], ["agent", "customer"]).utterances] == [0]


def test_a_broken_recording_is_refused_before_its_list_is_read(folder: Path) -> None:
    (folder / "broken.wav").write_bytes((folder / "a.wav").read_bytes()[:30])
    with pytest.raises(BadAudio, match=r"broken\.wav is a WAV file that ends before its sound begins"):
        calls.read([folder / "broken.wav"], [folder / "none.rttm"])
