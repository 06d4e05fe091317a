from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid as praatio

from replicate.errors import BadSource, TooLarge
from replicate.features import recording
from replicate.features.segments import base, textgrid
from tests.features.segments.documents import LONG, SHORT

BOTH = [(1.5, 2.0, 'Zoë "Z" Q'), (0.0, 1.75, "B")]


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "talk.TextGrid"
    path.write_bytes(text.encode(encoding))
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(BadSource) as error:
        textgrid.read(write(folder, text))
    return str(error.value).replace(str(folder / "talk.TextGrid"), "FILE")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize(
    "text", [LONG, SHORT, LONG.replace("\n", "\r\n"), SHORT.replace("ooTextFile", "ooTextFile short")]
)
def test_both_forms_in_the_encodings_of_praat(text: str, encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"\ufeff{text}" if encoding == "utf-16-be" else text, encoding)
    found = textgrid.read(path)
    assert [one[:3] for one in found.segments] == BOTH
    assert found.notes == (f"{path}: point tiers are left out, they have no segments: 'clicks'",)


def test_places_are_lines_and_intervals(tmp_path: Path) -> None:
    (first, second) = textgrid.read(write(tmp_path, LONG)).segments
    lines = [LONG[: LONG.index(time)].count("\n") + 1 for time in ("xmax = 2\n", "xmax = 1.75\n")]
    assert first.where == f"{tmp_path / 'talk.TextGrid'}, line {lines[0]}, interval 2 of tier 1"
    assert second.where == f"{tmp_path / 'talk.TextGrid'}, line {lines[1]}, interval 1 of tier 3"


def test_latin_1_is_taken_with_a_note(tmp_path: Path) -> None:
    found = textgrid.read(write(tmp_path, LONG, "latin-1"))
    assert [one[:3] for one in found.segments] == BOTH
    assert "taken for Latin-1" in found.notes[0]


def test_pauses_of_praats_commands_are_no_speech(tmp_path: Path) -> None:
    found = textgrid.read(write(tmp_path, SHORT.replace('"yes"', '"silent"')))
    assert [one[:3] for one in found.segments] == BOTH[:1]
    assert found.notes[1].endswith("1 intervals with the text 'silent' are pauses")


def test_tiers_that_overlap_become_overlapping_segments(tmp_path: Path) -> None:
    found = recording.read(tmp_path / "talk.wav", write(tmp_path, LONG))
    assert [(one.start, one.stop, one.speaker) for one in found.utterances] == sorted(BOTH)


BAD = {
    "": "FILE is empty",
    "start,end,speaker\n": "FILE, line 2: the file is cut short: the file type is missing",
    '"ooTextFile" "Sound" 0': "FILE is not a TextGrid: open it in Praat",
    "ooBinaryFile\x08TextGrid": "FILE is a binary file of Praat",
    SHORT[: SHORT.index('"clicks"')]: "FILE, line 24: the file is cut short: the name of tier 2 is missing",
    SHORT.replace(
        "1.5\n2\n", "1.5\n"
    ): "line 17: xmax of interval 2 of tier 1 should be a number, not 'item \\[2\\]: she replied",
    SHORT.replace('"yes"', '"yes'): "line 37: a double quote that opens a text is never closed",
    SHORT.replace("5.25\n3\n0\n", "5.25\n2\n0\n"): "the class of tier 2 should be a text in double quotes, not 2.0",
    SHORT.replace("5.25\n3\n0\n", "5.25\n2.5\n0\n"): "the size of tier 1 is 2.5",
    SHORT.replace("5.25\n3\n0\n", "5.25\n-1\n0\n"): "the size of tier 1 is -1",
    SHORT.replace("5.25\n3\n0\n", "5.25\n1e300\n0\n"): "the size of tier 1 is 1e\\+300",
    SHORT + "1\n": "numbers or texts follow the last tier",
    SHORT.replace('"IntervalTier"', '"Sound"'): "tier 1 is of class 'Sound'",
    SHORT.replace('"B"', '" "'): "line 36, interval 1 of tier 3: the name of tier 3 is empty",
    SHORT.replace('"B"', '"\x1b[2J"'): "contains line ends or unprintable",
    SHORT.replace('"B"', f'"{"b" * 101}"'): "has more than 100 characters",
    SHORT.replace("<exists>", "<absent>")[: SHORT.index("3\n")]: "has no interval with a text",
    '"ooTextFile"\n"TextGrid"\n0\n5\n<exists>\n0\n': "has no interval with a text, so that nobody speaks",
    '"ooTextFile" "TextGrid" 0 1 <exists> 1 "TextTier" "p" 0 1 0': (
        "so that nobody speaks; point tiers are left out, they have no segments: 'p'"
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_file_is_one_line_with_its_place(text: str, tmp_path: Path) -> None:
    message = refused(tmp_path, text)
    assert re.search(BAD[text], message), message
    assert "\n" not in message and message.isprintable()


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST", 1)
    with pytest.raises(TooLarge, match="more than 1 segments"):
        textgrid.read(write(tmp_path, LONG))
    monkeypatch.setattr(base, "LARGEST", 100)
    with pytest.raises(TooLarge, match="the most of a TextGrid"):
        textgrid.read(write(tmp_path, LONG))


text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
times = st.lists(st.integers(0, 10**6), min_size=2, max_size=8, unique=True).map(sorted)


@given(
    st.lists(st.tuples(text, times, text), min_size=1, max_size=3), st.sampled_from(["long_textgrid", "short_textgrid"])
)
def test_praatio_writes_what_is_read(tiers: list[tuple[str, list[int], str]], form: str) -> None:
    grid = praatio.Textgrid(0, 1000)
    expected, readable = [], True
    for number, (name, at, label) in enumerate(tiers):
        name = f"{name} {number}"
        readable = readable and name.strip().isprintable()
        spoken = [(first / 1000, last / 1000, f"x{label}") for first, last in zip(at[::2], at[1::2], strict=False)]
        grid.addTier(praatio.IntervalTier(name, spoken, 0, 1000))
        expected += [(first, last, base.nfc(name.strip())) for first, last, _ in spoken]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.TextGrid"
        grid.save(str(path), form, includeBlankSpaces=True)  # type: ignore[arg-type]
        if readable:
            assert [one[:3] for one in textgrid.read(path).segments] == expected
        else:
            with pytest.raises(BadSource, match="unprintable"):
                textgrid.read(path)
