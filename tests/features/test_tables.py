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
    "": "is empty: its first line must name name, separated by commas",
    " \n\n": "is empty",
    "name,label\n\n": "has no line below its first",
    'name\nx\n"x\n': "row that begins in line 3, a double quote that opens a field is never closed",
    'name\n"x" y\n': "row that begins in line 2, text follows the double quote that closes a field",
    f"name\n{'x' * 200_000}\n": "row that begins in line 2, a field is longer than 131,072 characters",
    "name\nx\nx\0y\n": "holds a zero character in line 3",
    "<!DOCTYPE html>\n<p>Log in": "is a web page, not the file itself: download it again",
    "version https://git-lfs.github.com/spec/v1\nsize 7\n": "is a pointer of Git LFS, .* git lfs pull",
    "PK\3\4 xl/workbook.xml": "is a spreadsheet, not text: save it as CSV",
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


def test_a_column_that_is_misspelt_is_recognised(tmp_path: Path) -> None:
    (line,) = read(tmp_path, "name,lable\nx,y\n").warnings
    assert line.endswith("not used: 'lable'; rename 'lable' if it is the label")
    (line,) = read(tmp_path, "name,label,labels\nx,y,z\n").warnings
    assert line.endswith("not used: 'labels'")


def test_text_may_have_lines_and_be_empty(tmp_path: Path) -> None:
    found = read(tmp_path, 'name,Words\nx,"a\n b"\ny,\n', "words")
    assert [row.fields["words"] for row in found.rows] == ["a b", ""]
    assert [row.where for row in found.rows] == [f"{tmp_path / 't.csv'}, line {n}" for n in (2, 4)]


def test_files_that_are_not_utf_8_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=r"t\.csv is not text in UTF-8 \(invalid start byte\): save it as that"):
        read(tmp_path, b"name\n\xff\xfe\n")
    for encoding in ("UTF-16", "UTF-32"):
        with pytest.raises(BadSource, match=rf"t\.csv is text in {encoding}: save it in UTF-8"):
            read(tmp_path, "name\nx\n".encode(encoding))
    with pytest.raises(BadSource, match="No such file"):
        tables.read(tmp_path / "absent.csv", ("a",))


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="has a line of more than"):
        read(tmp_path, "name\n" + "x," * 3_000_000)
