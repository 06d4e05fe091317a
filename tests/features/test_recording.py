from __future__ import annotations

from pathlib import Path

import pytest

from replicate.errors import BadSource
from replicate.features import recording

RTTM = """SPKR-INFO talk 1 <NA> <NA> <NA> unknown A <NA> <NA>
SPEAKER talk 1 1.50 0.50 <NA> <NA> B <NA> <NA>
SPEAKER talk 1 0.00 1.25 <NA> <NA> A <NA> <NA>
"""


def segments(tmp_path: Path, text: str, suffix: str = "csv") -> Path:
    path = tmp_path / f"segments.{suffix}"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("suffix", "text"), [("csv", "speaker,start,end\nB,1.5,2\nA,0,1.25\n"), ("rttm", RTTM), ("RTTM", RTTM)]
)
def test_segments_become_one_dialogue_in_order_of_time(suffix: str, text: str, tmp_path: Path) -> None:
    found = recording.read(tmp_path / "talk.wav", segments(tmp_path, text, suffix))
    assert [(one.name, one.speaker, one.start, one.stop) for one in found.utterances] == [
        ("talk_1", "A", 0, 1.25),
        ("talk_2", "B", 1.5, 2),
    ]
    assert {(one.dialogue, one.split, one.label) for one in found.utterances} == {("talk", "test", "")}
    assert found.problems == ()


def test_rttm_of_several_recordings_is_selected_by_name(tmp_path: Path) -> None:
    other = "SPEAKER lecture 1 5 1 <NA> <NA> C <NA> <NA>\n"
    path = segments(tmp_path, RTTM + other, "rttm")
    assert recording.read(tmp_path / "talk.wav", path).speakers == ("A", "B")
    assert recording.read(tmp_path / "lecture.flac", path).speakers == ("C",)
    with pytest.raises(BadSource, match="lists segments of talk, lecture, none of x: give the list of this recording"):
        recording.read(tmp_path / "x.wav", path)
    blank = segments(tmp_path, RTTM + other.replace("lecture", "my_lecture"), "rttm")
    assert recording.read(tmp_path / "my lecture.wav", blank).speakers == ("C",)
    # The diarisation tool had a copy of the file under a longer name, or samples without a name.
    longer = segments(tmp_path, other.replace("lecture", "lecture-16k"), "rttm")
    found = recording.read(tmp_path / "lecture.wav", longer)
    assert found.speakers == ("C",) and "for a recording called lecture-16k, not lecture" in found.warnings[0]
    unnamed = segments(tmp_path, other.replace("lecture", "<NA>"), "rttm")
    assert recording.read(tmp_path / "x.wav", unnamed).warnings == ()
    own = segments(tmp_path, other, "rttm").rename(tmp_path / "x.rttm")
    assert "called lecture, not x: check" in recording.read(tmp_path / "x.wav", own).warnings[0]
    path = segments(tmp_path, other, "rttm")
    with pytest.raises(BadSource, match=r"of lecture, none of lecture2: .*, write lecture2 as the second field"):
        recording.read(tmp_path / "lecture2.wav", path)
    with pytest.raises(BadSource, match="lists segments of lecture, none of lecture-16k"):
        recording.read(tmp_path / "lecture-16k.wav", path, several=True)
    with pytest.raises(BadSource, match="does not name recordings, so it is for one"):
        recording.read(tmp_path / "x.wav", segments(tmp_path, "start,end,speaker\n0,1,A\n"), several=True)


def test_overlapping_segments_are_marked_and_reversed_ones_are_problems(tmp_path: Path) -> None:
    text = "start,end,speaker\n0,3,A\n1,2,B\n2.5,4,B\n6,5,A\n-1,0.5,A\n7,7,A\n7,1e999,A\n3.99,5,A\n"
    path = segments(tmp_path, text)
    found = recording.read(tmp_path / "talk.wav", path)
    assert [(one.start, one.stop, one.overlap) for one in found.utterances] == [
        (0, 3, 1.5),
        (1, 2, 1),
        (2.5, 4, pytest.approx(0.51)),
        (3.99, 5, 0),
    ]
    noted = recording.with_overlap_noted(found).warnings
    assert found.warnings == () and len(noted) == 1
    assert "talk: in 3 of 4 utterances another speaker speaks, too, for 3.0 s in all" in noted[0]
    words = "\n".join(map(str, found.problems))
    assert len(found.problems) == 4
    for line, times in ((5, "from 6 s to 5 s"), (6, "from -1 s to 0.5 s"), (7, "from 7 s to 7 s"), (8, "to inf s")):
        assert f"line {line}: " in words and times in words


BAD = [
    ("csv", "start,end,speaker\n", "has no line below its first"),
    ("csv", "start,end,speaker\n1,two,A\n", "line 2: '1' and 'two' are not both times"),
    ("csv", "start,end\n1,2\n", "has no column speaker"),
    ("csv", "start,end,speaker\n0,1_5,A\n", "line 2: '0' and '1_5' are not both times"),
    ("csv", "start,end,speaker\n0,1.9,Smith, J\n", "line 2: 4 fields where the first line names 3"),
    ("rttm", "SPEAKER my talk 1 0 1 <NA> <NA> A\n", "line 1: the file 'my talk' contains a blank"),
]


@pytest.mark.parametrize(("suffix", "text", "words"), BAD)
def test_an_invalid_list_is_refused(suffix: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=words):
        recording.read(tmp_path / "talk.wav", segments(tmp_path, text, suffix))


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("csv", "dialogue,start,end,speaker\none,0,1,A\ntwo,0,2,B\none,2,3,C\n"),
        (
            "json",
            '[{"dialogue": "one", "start": 0, "end": 1, "speaker": "A"}, {"dialogue": "two", "start": 0, "end": 2, '
            '"speaker": "B"}, {"dialogue": "one", "start": 2, "end": 3, "speaker": "C"}]',
        ),
    ],
)
def test_a_timeline_of_several_recordings_is_selected_by_name(suffix: str, text: str, tmp_path: Path) -> None:
    path = segments(tmp_path, text, suffix)
    for several in (False, True):
        found = recording.read(tmp_path / "one.wav", path, several=several)
        assert [one.speaker for one in found.utterances] == ["A", "C"]
    with pytest.raises(BadSource, match=r"lists segments of .?one.?, .?two.?, none of three"):
        recording.read(tmp_path / "three.wav", path)


def test_a_timeline_of_one_recording_may_be_called_otherwise(tmp_path: Path) -> None:
    path = segments(tmp_path, "dialogue,start,end,speaker\none,0,1,A\n")
    assert len(recording.read(tmp_path / "other.wav", path).utterances) == 1
    with pytest.raises(BadSource, match="none of other"):
        recording.read(tmp_path / "other.wav", path, several=True)
