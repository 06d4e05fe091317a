from __future__ import annotations

from pathlib import Path

import pytest

from replicate.errors import BadSource
from replicate.features import tables

NFD, NFC = "Zoe\u0308", "Zo\u00eb"


def read(tmp_path: Path, content: str | bytes, text: str | None = None) -> tables.Table:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return tables.read(path, ("name",), ("label",), text)


@pytest.mark.parametrize(
    "content",
    [
        "name,label\nx,y\n",
        "\ufeffname,label\r\nx,y\r\n",
        " Name , LABEL \n x , y \n",
        'name,label\n"x","y"',
        "label,name\ny,x",
    ]
    + ["\n \nname,label\n\nx,y\n , \n\n", "name,label,\nx,y,\n", "name,label\rx,y"],
)
def test_what_editors_and_spreadsheets_write_is_read(content: str, tmp_path: Path) -> None:
    found = read(tmp_path, content)
    assert [row.fields for row in found.rows] == [{"name": "x", "label": "y"}]
    assert found.warnings == ()


def test_names_are_compared_in_one_form(tmp_path: Path) -> None:
    assert read(tmp_path, f"name\n{NFD}\n").rows[0].fields["name"] == NFC


BAD = {
    "name,label\nx,y\nSmith, J,y\n": 'line 3: 3 fields where .* 2: .* in double quotes, such as "Smith, J"',
    "name,label\nx\n": "line 2: 1 fields where the first line names 2: write a comma",
    "name,label,label\nx,y,z\n": "line 1: column 'label' appears twice, as 2 and 3",
    "name,label,Label\nx,y,z\n": "line 1: column 'Label' appears twice",
    "name,label,\nx,y,z\n": "line 2: field 3 has no name in the first line",
    "name;label\nx;y\n": "no column name .separated by semicolons|its columns are separated by semicolons",
    "name\tlabel\nx\ty\n": "its columns are separated by tabs",
    "sep=;\nname;label\n": "its columns are separated by semicolons",
    "file,label\nx,y\n": r"no column name: its first line must name name, separated by commas",
    "": "has no column name",
    'name\n"x\n': "cannot be read as CSV",
    'name\n"x\n\ny"\n': r"line 2: 'x\\n\\ny' contains line ends",
    "name,label\n,y\n": "line 2: name is empty",
}


@pytest.mark.parametrize("content", BAD)
def test_what_would_shift_or_hide_fields_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=BAD[content]):
        read(tmp_path, content)


def test_a_column_with_the_name_of_other_data_sets_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("file,emotion,rating\nx,y,3\n")
    with pytest.raises(BadSource, match=r"no column utterance \(rename 'file'\?\)"):
        tables.read(path, ("utterance",))
    path.write_text("utterance,Emotion,rating\nx,y,3\n")
    assert tables.read(path, ("utterance",), ("label",), also=("rating",)).warnings == (
        f"{path} has columns that are not used: 'Emotion'; rename 'Emotion' if it is the label",
    )


def test_text_may_have_lines_and_be_empty(tmp_path: Path) -> None:
    found = read(tmp_path, 'name,Words\nx,"a\n b"\ny,\n', "words")
    assert [row.fields["words"] for row in found.rows] == ["a b", ""]
    assert [row.where for row in found.rows] == [f"{tmp_path / 't.csv'}, line {n}" for n in (2, 4)]


@pytest.mark.parametrize("content", [b"name\n\xff\xfe\n", "name\nx\n".encode("utf-16"), b"name\n" + b"x" * 140_000])
def test_files_that_are_not_utf_8_text_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=r"t\.csv cannot be read as CSV \(.*save it as UTF-8 text with commas"):
        read(tmp_path, content)
    with pytest.raises(BadSource, match="No such file"):
        tables.read(tmp_path / "absent.csv", ("a",))


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="a line is longer than"):
        read(tmp_path, "name\n" + "x," * 3_000_000)
