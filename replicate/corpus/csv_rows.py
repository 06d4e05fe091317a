"""Rows of published CSV files, with their places for messages."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from replicate.errors import NotThisFormat, UnknownCorpus
from replicate.files import from_os_error


def rows(path: Path, corpus: str, delimiter: str = ",") -> Iterator[tuple[str, list[str]]]:
    """Yield (``file:row``, fields) of every line that is not empty; rows are counted from 1.

    Args:
        corpus: name of the corpus, to fetch a file that is missing.

    Raises:
        UnknownCorpus: the file is missing. NotThisFormat: it is not CSV text. CannotWrite: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file, delimiter=delimiter), 1):
                if row:
                    yield f"{path}:{number}", row
    except FileNotFoundError as error:
        raise UnknownCorpus(f"{path} is missing: get it with `replicate data fetch {corpus}`") from error
    except OSError as error:
        raise from_os_error(error, path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotThisFormat(f"{path} is not CSV text ({error}): fetch it again") from error


def number(text: str, where: str) -> float:
    """Return the number in a field, which may be NaN or infinite.

    Raises:
        NotThisFormat: it is not a number.
    """
    try:
        return float(text)
    except ValueError:
        raise NotThisFormat(f"{where}: {text[:20]!r} is not a number: fetch the file again") from None
