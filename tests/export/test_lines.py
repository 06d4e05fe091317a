"""The lines that a predictor takes: CSV and JSON."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from export import lines as inputs
from export.predictor import BadInput, Predictor, read_csv
from export.program import predict_lines
from tests.export import tiny_bundle
from tests.export.dialogues import random_dialogue, write_csv

HEADER = tiny_bundle.HEADER
OBJECT = '{"dialogue": "a", "speaker": "M", "features": [0, 1]}\n'


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(tiny_bundle.write(tmp_path_factory.mktemp("tiny") / "bundle"))


def lines(tiny: Predictor, text: str, as_json: bool = True) -> list[str]:
    return list(predict_lines(tiny, io.StringIO(text), as_json))


@pytest.mark.parametrize("text", [OBJECT, "\n" + OBJECT, " \n\t\r\n" + OBJECT + "\n" + OBJECT, HEADER + "a,M,0,1\n"])
def test_blank_lines_are_skipped(text: str, tiny: Predictor) -> None:
    found = lines(tiny, text)
    assert len(found) == max(1, text.count("{")) and found[0].startswith('{"dialogue": "a", "utterance": 1')
    assert lines(tiny, "\n \n" + HEADER + "\n  \na,M,0,1\n\n") == lines(tiny, OBJECT)
    assert lines(tiny, "\n \n") == lines(tiny, "") == []


ARRAY = "[" + OBJECT.strip() + "," + OBJECT.strip() + "]\n"
BAD = {
    ARRAY: r"line 1 is not of the form .* \(it is an array: write its objects one a line, as jq",
    "\n\n" + ARRAY: "line 3 is not of the form .*it is an array",
    "[\n" + OBJECT + "]\n": "line 1 .*it is an array",
    OBJECT + "[]\n": "line 2 .*it is an array",
    '{"dialogue": "a", "speaker": "M", "speaker": "Zo\u00eb", "features": [0, 1]}\n': "key 'speaker' appears twice",
    '{\n"dialogue": "a"}\n': "line 1 is not of the form",
    '{"dialogue": "a", "speaker": "M", "features": [NaN, 1]}\n': "feature 1 is not a finite number",
    HEADER.replace(",", ";"): "line 1: .*separated by semicolons or tabs",
    HEADER.replace(",", "\t"): "line 1: .*separated by semicolons or tabs",
    "dialogue,speaker,f0,F0\n": "line 1: column 'f0' appears twice",
    "dialogue,speaker,speaker,f0\n": "line 1: column 'speaker' appears twice",
    HEADER + "a,Smith, J,0,1\n": "line 2: 5 cells, but the header has 4",
    HEADER + "a,M,0\n": "line 2: 3 cells, but the header has 4",
    HEADER + "a,M,0,\u0661\n": "line 2: .* is not a number",
    HEADER + 'a,"M,0,1\n': "in the row that ends in line 2: a double quote that opens a field is never closed",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_with_a_line_is_named(text: str, tiny: Predictor) -> None:
    with pytest.raises(BadInput, match=BAD[text]):
        lines(tiny, text)


def test_speakers_are_compared_in_one_form_of_unicode(tiny: Predictor) -> None:
    assert lines(tiny, HEADER + "a,Zoe\u0308,0,1\n") == lines(tiny, HEADER + "a,Zo\u00eb,0,1\n")


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LONGEST_LINE", 50)
    (tmp_path / "a.csv").write_text(HEADER + "a,M," + "0" * 60)
    with pytest.raises(BadInput, match=r"a\.csv has a line of more than 50 characters"):
        read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty: it must have a header"),
        ("<html>\n", "line 1: the header must be .*, and not .<html>"),
        ("speaker,dialogue,f1\n", "line 1: the header"),
        ("dialogue,speaker,f1\n", "no utterance"),
        ("dialogue,speaker,f1\na,M\n", "line 2: 2 cells, but the header has 3"),
        ("dialogue,speaker,f1\na,M,1\n\na,F,x\n", "line 4: .*'x'"),
        ("dialogue,speaker,f1\na,M,\xff", "is not text in UTF-8"),
    ],
)
def test_an_invalid_csv_is_named(tmp_path, text, message):
    (tmp_path / "x.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=message):
        read_csv(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("old", "new", "words"), [("f1,", "f0,", "twice"), ("\nd,M,", "\nd,M,1_", "1_")], ids=["a column twice", "1_0"]
)
def test_a_repeated_column_and_1_0_are_refused(tmp_path, old, new, words):
    write_csv(tmp_path / "x.csv", [replace(random_dialogue(3), speakers=["M"] * 3)])
    text = (tmp_path / "x.csv").read_text().replace("\nd,M,-", "\nd,M,")
    (tmp_path / "x.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput, match=words):
        read_csv(tmp_path / "x.csv")
