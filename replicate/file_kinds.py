"""What a file is whose content is not what its name says: a pointer, a web page, an archive, a spreadsheet."""

from __future__ import annotations

from pathlib import Path

# Bytes from the beginning of a file that tell.
HEAD = 4096
_WORKBOOK = "is a spreadsheet, not text: save it as CSV in UTF-8"
_ARCHIVE = "is an archive: unpack it"
# First bytes, and what they mean.
_HEADS = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself: fetch it with git lfs pull"),
    (b"/annex/objects/", "is a pointer of git-annex, not the file itself: fetch it with git annex get"),
    (b"../.git/annex/objects/", "is a pointer of git-annex, not the file itself: fetch it with git annex get"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _WORKBOOK),
    (b"\x1f\x8b", _ARCHIVE),
    (b"7z\xbc\xaf", _ARCHIVE),
    (b"Rar!", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ", _ARCHIVE),
    (b"(\xb5/\xfd", _ARCHIVE),
    (b"%PDF", "is a PDF: correct the path"),
    (b"\x89HDF\r\n", "is an HDF5 file, which is not read here: convert it"),
    (b"PAR1", "is a Parquet file, which is not read here: convert it"),
    (b"SQLite format 3", "is a database, which is not read here: convert it"),
)
_ZIP = b"PK\x03\x04"
# Names that the first file of a workbook has, and its kind in those of LibreOffice.
_IN_WORKBOOKS = (b"[Content_Types].xml", b"_rels/", b"xl/", b"opendocument.spreadsheet")
# Byte order marks; the longer ones first.
_ENCODINGS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_PAGES = ("<!doctype", "<html", "<?xml", "<head", "<body", "<error", "<!--")


def explain(head: bytes, zip_expected: bool = False, empty_expected: bool = False) -> str | None:
    """Return what a file is and what to do, to follow its path in a message; None if nothing is wrong with it.

    Args:
        head: the first ``HEAD`` bytes, or all of a shorter file.
        zip_expected: whether the file should be a zip file, as ``.npz`` is.
        empty_expected: whether an empty file is nothing unusual.
    """
    if not head and not empty_expected:
        return "is empty: fetch or write it again"
    encoding = next((name for mark, name in _ENCODINGS if head.startswith(mark)), None)
    if encoding is not None:
        return f"is text in {encoding}: save it in UTF-8"
    known = next((what for magic, what in _HEADS if head.startswith(magic)), None)
    if known is None and head.startswith(_ZIP) and not zip_expected:
        known = _WORKBOOK if any(name in head[:120] for name in _IN_WORKBOOKS) else _ARCHIVE
    if known is not None:
        return known
    if len(head) > 16 and not head.strip(b"\0"):
        return "begins with zeros alone, as a copy that failed: copy it again"
    text = head[:200].removeprefix(b"\xef\xbb\xbf").decode("latin-1").lstrip().casefold()
    if text.startswith(_PAGES):
        return "is a web page, not the file itself: download it again, its address may need a login"
    return None


def explain_file(path: Path, zip_expected: bool = False, empty_expected: bool = False) -> str | None:
    """Return what ``explain`` returns for a file; None if it cannot be opened, which the caller will find, too."""
    try:
        with path.open("rb") as file:
            return explain(file.read(HEAD), zip_expected, empty_expected)
    except OSError:
        return None
