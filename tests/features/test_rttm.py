from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.errors import BadSource
from replicate.features import rttm

TIMES = "1 0.50 1.25"
TAILS = ("", " <NA>", " <NA> <NA>", " 0.9 <NA>", " 1 <NA>")


def read(tmp_path: Path, text: str) -> tuple[rttm.Line, ...]:
    path = tmp_path / "a.rttm"
    path.write_text(text, encoding="utf-8")
    return rttm.read(path)


@pytest.mark.parametrize("tail", TAILS)
def test_lines_of_all_tools_are_read(tail: str, tmp_path: Path) -> None:
    text = (
        f";; made by a tool\r\n\nSPKR-INFO f 1 <NA> <NA> <NA> unknown A <NA>\nSPEAKER\tf {TIMES} <NA>  <NA> A{tail}\n"
    )
    assert read(tmp_path, text) == (("f", 0.5, 1.25, "A", f"{tmp_path / 'a.rttm'}, line 4", "1"),)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("name", ["my call", "call 2 b", "2024 11 26", "a b c d e f g h"])
def test_a_blank_in_the_name_of_the_file_is_named(name: str, tail: str, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=rf"line 1: .*the file '{name}' contains a blank, .*'{name.replace(' ', '_')}'"):
        read(tmp_path, f"SPEAKER {name} {TIMES} <NA> <NA> A{tail}\n")


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("name", ["Smith, J", "Speaker 2", "the man on the left"])
def test_a_blank_in_the_name_of_the_speaker_is_named(name: str, tail: str, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=rf"line 1: .*the speaker '{name.split()[0]}.* contains a blank"):
        read(tmp_path, f"SPEAKER f {TIMES} <NA> <NA> {name}{tail}\n")


def test_numbers_of_speakers_are_no_confidences(tmp_path: Path) -> None:
    lines = [f"SPEAKER f {TIMES} <NA> <NA> Speaker {i}\n" for i in (0, 1)]
    with pytest.raises(BadSource, match="the speaker 'Speaker 0' contains a blank"):
        read(tmp_path, "".join(lines))


def test_only_blanks_and_line_ends_separate(tmp_path: Path) -> None:
    (found,) = read(tmp_path, f"SPEAKER my\u00a0call {TIMES} <NA> <NA> Zoe\u0308\n")
    assert (found.file, found.speaker) == ("my\u00a0call", "Zo\u00eb")


BAD = {
    "SPEAKER f 1 0 1\n": "line 1: fewer than the 8 fields",
    "SPEAKER f 1 x 1 <NA> <NA> A\n": "line 1: 'x' and '1' are not both times",
    "SPEAKER f 1 0 1_0 <NA> <NA> A\n": "line 1: '0' and '1_0' are not both times",
    "start,end,speaker\n0,1,A\n": "line 1: 'start,end,speaker' is no type of line",
    "SPEAKER f 1 0 1 <NA> <NA> \x1b[2J\n": "contains unprintable characters",
}


@pytest.mark.parametrize("text", BAD)
def test_an_invalid_line_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=BAD[text]):
        read(tmp_path, text)


word = st.text("abcXYZ_-.<NA>0123456789", min_size=1, max_size=8).filter(lambda text: not text[0].isdigit())


@given(st.lists(word, min_size=1, max_size=3), st.lists(word, min_size=1, max_size=3), st.sampled_from(TAILS[2:4]))
def test_names_come_back_as_they_are_or_are_refused(file: list[str], speaker: list[str], tail: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        text = f"SPEAKER {' '.join(file)} {TIMES} <NA> <NA> {' '.join(speaker)}{tail}\n"
        if len(file) == len(speaker) == 1:
            (found,) = read(Path(folder), text)
            assert (found.file, found.start, found.duration, found.speaker) == (file[0], 0.5, 1.25, speaker[0])
        else:
            with pytest.raises(BadSource):
                read(Path(folder), text)
