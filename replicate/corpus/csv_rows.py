"""The one reader of CSV files in this package, with the places of rows for messages."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from replicate import file_kinds
from replicate.errors import NotThisFormat, UnknownCorpus
from replicate.files import from_os_error

# Characters. Without a limit, a file without line ends would be read into memory at once.
LONGEST_LINE = 4_000_000
# float() also takes 1_0 as 10, and digits of other scripts.
_NUMBER = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)


# What Python's reader calls the faults that users can mend, and what they are.
_FAULTS = {
    "unexpected end of data": "a double quote that opens a field is never closed: close it, or remove it",
    "field larger than": "a field is longer than 131,072 characters: look for a double quote that is never closed",
    "expected after": "text follows the double quote that closes a field: write a quote within a field twice",
}


class NotCsv(ValueError):
    """A file is not CSV text in UTF-8; the text says what is wrong, and what to do."""


def lines(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first line, fields) of every row that is not blank; a byte order mark is skipped.

    Raises:
        NotCsv: it is not UTF-8, holds zero characters, a quoted field does not end, or a line or field is too long.
        OSError: as ``open``.
    """
    first = 1
    wrong = file_kinds.explain_file(path, empty_expected=True)
    if wrong is not None:
        raise NotCsv(wrong)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_bounded(file), delimiter=delimiter, strict=True)
            for row in reader:
                if len(row) > 1 or any(field.strip() for field in row):
                    yield first, row
                first = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise NotCsv(f"is not text in UTF-8 ({error.reason}): save it as that, with commas") from error
    except csv.Error as error:
        fault = next((what for words, what in _FAULTS.items() if words in str(error)), f"{error}: write it as CSV")
        raise NotCsv(f"cannot be read as CSV: in the row that begins in line {first}, {fault}") from error


def _bounded(file: TextIO) -> Iterator[str]:
    number = 1
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise NotCsv(f"has a line of more than {LONGEST_LINE:,} characters: it is no CSV, save it as one")
        if "\0" in line:
            raise NotCsv(f"holds a zero character in line {number}: it is damaged, or not in UTF-8; save it as that")
        yield line
        number += 1


def rows(path: Path, corpus: str, delimiter: str = ",") -> Iterator[tuple[str, list[str]]]:
    """Yield (``file:line``, fields) of every line of a published file that is not blank.

    Args:
        corpus: name of the corpus, to fetch a file that is missing.

    Raises:
        UnknownCorpus: the file is missing. NotThisFormat: it is not CSV text. CannotWrite: it cannot be read.
    """
    try:
        for number, row in lines(path, delimiter):
            yield f"{path}:{number}", row
    except FileNotFoundError as error:
        raise UnknownCorpus(f"{path} is missing: get it with `replicate data fetch {corpus}`") from error
    except OSError as error:
        raise from_os_error(error, path) from error
    except NotCsv as error:
        raise NotThisFormat(f"{path} {error}; or fetch it again") from error


def number(text: str, where: str) -> float:
    """Return the number in a field, which may be NaN or infinite.

    Raises:
        NotThisFormat: it is not a number.
    """
    if not _NUMBER.fullmatch(text):
        raise NotThisFormat(f"{where}: {text[:20]!r} is not a number: fetch the file again")
    return float(text)
