"""All readers of CSV refuse the same, also the one that is copied into bundles and imports nothing of this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from export import lines
from export.predictor import BadInput, read_csv
from replicate.corpus import csv_rows
from replicate.errors import BadSource
from replicate.features import folder, recording, transcripts
from tests.corpus.conftest import corpus, dialogue

# A valid header and row of each reader.
READERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "utterances": (folder.listed, "dialogue,utterance,speaker,label", "d,u,M,calm"),
    "segments": (lambda path: recording.read(Path("a.wav"), path), "start,end,speaker", "0,1,M"),
    "text": (lambda path: folder.listed(path, "text"), "dialogue,utterance,speaker,text", "d,u,M,Good morning"),
    "text like": (
        lambda path: transcripts.read(path, like=corpus(dialogue("d", utterances=("u", "v")))),
        "utterance,text",
        "u,Good morning",
    ),
    "features": (read_csv, "dialogue,speaker,f0", "d,M,0.5"),
}
BAD: dict[str, Callable[[str, str], bytes]] = {
    "row longer than the header": lambda header, row: f"{header}\n{row},more\n".encode(),
    "comma without quotes": lambda header, row: (
        f"{header}\n{row.replace('M', 'Smith, J').replace('Good', 'a, b')}\n".encode()
    ),
    "row shorter than the header": lambda header, row: f"{header}\n{row.rpartition(',')[0]}\n".encode(),
    "column twice": lambda header, row: f"{header},{header.rpartition(',')[2]}\n{row},x\n".encode(),
    "column twice in capitals": lambda header, row: f"{header},{header.rpartition(',')[2].upper()}\n{row},x\n".encode(),
    "semicolons": lambda header, row: f"{header}\n{row}\n".replace(",", ";").encode(),
    "no header": lambda header, row: f"{row}\n{row}\n".encode(),
    "quote that does not end": lambda header, row: f'{header}\n"{row}\n'.encode(),
    "UTF-16": lambda header, row: f"{header}\n{row}\n".encode("utf-16"),
    "another encoding": lambda header, row: f"{header}\n{row}".encode().replace(b"M", b"\xe9").replace(b"G", b"\xe9"),
    "nothing": lambda header, row: b"",
    "a zero character": lambda header, row: f"{header}\n{row}\0\n".encode(),
    "zeros": lambda header, row: bytes(1_000),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("reader", READERS)
def test_what_shifts_or_hides_fields_is_refused(reader: str, case: str, tmp_path: Path) -> None:
    read, header, row = READERS[reader]
    path = tmp_path / "a.csv"
    path.write_bytes(BAD[case](header, row))
    with pytest.raises((BadSource, BadInput), match=r"a\.csv") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["{}\n{}\n", "\ufeff{}\n{}\n", "\n{}\r\n\r\n{}\r\n \n", "{}\r{}"])
@pytest.mark.parametrize("reader", READERS)
def test_what_editors_write_is_read_alike(reader: str, form: str, tmp_path: Path) -> None:
    read, header, row = READERS[reader]
    plain, other = tmp_path / "a.csv", tmp_path / "other" / "a.csv"
    other.parent.mkdir()
    plain.write_text(f"{header}\n{row}\n")
    other.write_bytes(form.format(header.upper(), row).encode())
    assert str(read(other)).replace("other/", "").replace("line 4", "line 2") == str(read(plain))


def test_faults_are_named_in_the_same_words() -> None:
    assert lines._FAULTS == csv_rows._FAULTS
