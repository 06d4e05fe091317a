from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from replicate.errors import BadSource, TooLarge
from replicate.features.segments import base, whisperx
from tests.features.segments.documents import WHISPERX


def write(folder: Path, content: Any) -> Path:
    path = folder / "talk.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("bare", [False, True])
def test_segments_and_their_speakers(bare: bool, tmp_path: Path) -> None:
    path = write(tmp_path, json.loads(WHISPERX)["segments"] if bare else f"\ufeff{WHISPERX}")
    found = whisperx.read(path)
    assert tuple(one[:4] for one in found.segments) == (
        (1.5, 2, 'Zoë "Z" Q', f"{path}, segment 1"),
        (0, 1.75, "B", f"{path}, segment 2"),
    )
    assert found.notes == ()


def test_without_speakers_there_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, [{"start": 0, "end": 1}, {"start": 1, "end": 2.5, "words": None}])
    found = whisperx.read(path)
    assert [one[:3] for one in found.segments] == [(0, 1, "SPEAKER_00"), (1, 2.5, "SPEAKER_00")]
    assert found.notes == (f"{path} names no speakers: all segments are taken for one speaker, SPEAKER_00",)


def test_words_may_name_the_speaker_of_a_segment(tmp_path: Path) -> None:
    words = [{"word": "a", "speaker": "A"}, {"word": "b", "speaker": "B"}, {"speaker": "B"}, {"word": "c"}]
    path = write(tmp_path, [{"start": 0, "end": 1, "words": words}, {"start": 1, "end": 2, "speaker": 7}])
    assert [one.speaker for one in whisperx.read(path).segments] == ["B", "7"]


def test_segments_without_speaker_or_times_are_left_out_with_a_note(tmp_path: Path) -> None:
    given = [{"start": 0, "end": 1, "speaker": "A"}, {"start": 1, "end": 2}, {"start": None, "end": 2, "speaker": "A"}]
    found = whisperx.read(write(tmp_path, given))
    assert [one.start for one in found.segments] == [0]
    assert [note.partition(": ")[2] for note in found.notes] == [
        "1 segments without times are left out",
        "1 segments without a speaker are left out",
    ]


BAD = {
    "": "is empty",
    "{}": "Object missing required field `segments`",
    '{"segments": []}': "has an empty list of segments",
    "[1]": r"\$\[0\]|\$\[\.\.\.\]",
    '{"segments": [{"start": "0", "end": 1}]}': r"Expected `float \| null`, got `str` - at `\$.segments\[0\].start`",
    '[{"start": 0}]': "missing required field `end`",
    '[{"start": NaN, "end": 1}]': "malformed",
    '[{"start": 1e999, "end": 1}]': "out of range",
    '[{"start": 0, "end": null}]': "has no segment with times",
    '[{"start": 0, "end": 1, "speaker": "\\u001b[2J"}]': "segment 1: the speaker .* unprintable",
    '[{"start": 0, "end": 1, "speaker": ["A"]}]': "got `array`",
    '[{"start": 0, "end": 1, "words": [1]}]': "Expected `object`, got `int`",
    '{"segments": ' + "[" * 100_000: "segments, each with start",
    '{"x": ' + "[" * 100_000: "segments, each with start",
    '[{"start": 0, "end": 1, "speaker": "\\ud800"}]': "segments, each with start",
    "<html>": "is a web page",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_file_is_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadSource) as error:
        whisperx.read(write(tmp_path, text))
    assert re.search(BAD[text], str(error.value)), str(error.value)
    assert str(error.value).isprintable()


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST", 1)
    with pytest.raises(TooLarge, match="more than 1 segments"):
        whisperx.read(write(tmp_path, WHISPERX))
