"""Files in place of others are named by their first bytes, and files as they should be are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from replicate.corpus import archive, unpickle
from replicate.errors import NotThisFormat
from replicate.file_kinds import HEAD, explain

KINDS = {
    "pointer of Git LFS, .* git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n",
    "pointer of git-annex, .* git annex get": b"../.git/annex/objects/MD5E-s7--ab\n",
    "is a web page": b"\xef\xbb\xbf\n<!DOCTYPE html><title>Log in</title>",
    "is an archive: unpack it": b"\x1f\x8b\x08\0",
    "is a spreadsheet, not text": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "is text in UTF-16": "x".encode("utf-16"),
    "begins with zeros alone": bytes(HEAD),
    "is empty": b"",
}


@pytest.mark.parametrize("words", KINDS)
def test_what_lies_in_place_of_a_corpus_is_named(words: str, tmp_path: Path) -> None:
    for name, read in (("c.npz", archive.read), ("c.pkl", unpickle.load)):
        path = tmp_path / name
        path.write_bytes(KINDS[words])
        with pytest.raises(NotThisFormat, match=rf"{name} .*{words}"):
            read(path)


def test_a_zip_file_is_a_workbook_an_archive_or_expected() -> None:
    assert "spreadsheet" in (explain(b"PK\3\4\x14\0[Content_Types].xml") or "")
    assert "archive" in (explain(b"PK\3\4\x14\0") or "")
    assert explain(b"PK\3\4\x14\0", zip_expected=True) is None


@pytest.mark.parametrize("head", [b"dialogue,utterance\n", b"\x80\x04K\x01.", b"a", b"\0", b"\xef\xbb\xbfa,b", b"<5"])
def test_other_files_are_left_to_their_readers(head: bytes) -> None:
    assert explain(head) is None
