from __future__ import annotations

from pathlib import Path

import pytest

from replicate.errors import BadSource
from replicate.features import lists

LINE = "SPEAKER {} 1 0 1 <NA> <NA> A <NA> <NA>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.rttm").write_text(LINE.format("anything"))
    (tmp_path / "all.rttm").write_text(LINE.format("two") + LINE.format("my_call") + LINE.format("five.wav"))
    (tmp_path / "three.TextGrid").touch()
    (tmp_path / "four.csv").touch()
    (tmp_path / "broken.rttm").write_text("no RTTM\n")
    return tmp_path


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("one", "one.rttm"),
        ("two", "all.rttm"),
        ("my call", "all.rttm"),
        ("five", "all.rttm"),
        ("three", "three.TextGrid"),
    ],
)
def test_the_list_of_a_recording_has_its_name_or_names_it(recording: str, expected: str, folder: Path) -> None:
    assert lists.find(folder / f"{recording}.wav") == folder / expected


@pytest.mark.parametrize("recording", ["four", "six", "tw"])
def test_other_lists_are_left_alone(recording: str, folder: Path) -> None:
    assert lists.find(folder / f"{recording}.wav") is None
    assert lists.find(folder / "nowhere" / f"{recording}.wav") is None


def test_several_lists_are_a_choice_of_the_user(folder: Path) -> None:
    (folder / "one.eaf").touch()
    with pytest.raises(BadSource, match=r"has several lists of segments, one\.eaf, one\.rttm: choose one with"):
        lists.find(folder / "one.wav")
