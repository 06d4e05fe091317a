"""CSV files with a header that users write: utterances, segments, transcripts."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from replicate.corpus.csv_rows import NotCsv, lines
from replicate.errors import BadSource

# Names that other data sets give to these columns.
_SIMILAR = {
    "label": ("emotion", "class", "category", "sentiment", "target", "labels"),
    "split": ("set", "subset", "partition", "fold"),
    "utterance": ("file", "filename", "file_name", "name", "id", "path", "clip", "wav", "audio"),
    "dialogue": ("dialog", "conversation", "call", "session", "dialogue_id"),
    "speaker": ("person", "who", "speaker_id", "speakers"),
    "start": ("begin", "onset", "start_time"),
    "end": ("stop", "offset", "end_time"),
    "text": ("transcript", "transcription", "words"),
}


# Characters of a name, as in ``Corpus``: the error comes before hours of extraction, not after them.
LONGEST_NAME = 100


class Row(NamedTuple):
    """Fields by column; ``where`` is file and line, for messages."""

    where: str
    fields: dict[str, str]


class Table(NamedTuple):
    """The rows of a CSV, and a warning about its columns that nothing reads."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]


def nfc(text: str) -> str:
    """Return a name in the one of Unicode's forms that all names are compared in; macOS writes another one."""
    return unicodedata.normalize("NFC", text)


def read(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), text: str | None = None, also: Sequence[str] = ()
) -> Table:
    """Return the rows of a CSV with a header; names of columns may have capitals, and blank rows are skipped.

    Args:
        text: a column of running text that must exist, whose fields may be empty or have several lines.
        also: columns that need no warning, because other commands read them.

    Raises:
        BadSource: the file cannot be read, a column is missing or repeated, a row is longer or shorter than the header,
            or lacks a required field.
    """
    try:
        return _read(path, (*required, *([text] if text else [])), optional, text, also)
    except OSError as error:
        raise BadSource(f"{path} cannot be read ({error.strerror}): check path and permissions") from error
    except NotCsv as error:
        raise BadSource(f"{path} {error}") from error


def _read(path: Path, needed: Sequence[str], optional: Sequence[str], text: str | None, also: Sequence[str]) -> Table:
    given = lines(path)
    header = [nfc(name).strip() for name in next(given, (1, []))[1]]
    if not header:
        raise BadSource(f"{path} is empty: its first line must name {', '.join(needed)}, separated by commas")
    long = next((name for name in header if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise BadSource(f"{path}, line 1: {long[:40]!r}... is no name of a column: is the first line the header?")
    columns = _columns(path, header, needed)
    found = []
    for number, cells in given:
        where = f"{path}, line {number}"
        if len(cells) != len(header):
            raise BadSource(f"{where}: {_length(cells, header)}")
        if any(cell.strip() for cell in cells):  # spreadsheets write rows of commas
            found.append(Row(where, _fields(where, cells, columns, needed, optional, text)))
        unnamed = next((i for i, name in enumerate(header) if not name and cells[i].strip()), None)
        if unnamed is not None:
            raise BadSource(f"{where}: field {unnamed + 1} has no name in the first line: add one, or remove the field")
    if not found:
        raise BadSource(f"{path} has no line below its first, which names the columns: add lines, or fetch it again")
    known = {name.casefold() for name in (*needed, *optional, *also)}
    return Table(tuple(found), tuple(_unused(path, header, known)))


def _columns(path: Path, header: Sequence[str], needed: Sequence[str]) -> dict[str, int]:
    """Return the place of each column."""
    places: dict[str, int] = {}
    for i, name in enumerate(name.casefold() for name in header):
        if name in places and name:
            raise BadSource(
                f"{path}, line 1: column {header[i]!r} appears twice, as {places[name] + 1} and {i + 1}: rename or "
                "remove one"
            )
        places[name] = i
    missing = [name for name in needed if name.casefold() not in places]
    if missing:
        raise BadSource(
            f"{path} has no column {', '.join(missing)}{_instead(header, missing)}: its first line must name "
            f"{', '.join(needed)}, separated by commas"
        )
    return places


def _instead(header: Sequence[str], missing: Sequence[str]) -> str:
    """Return what may have been meant by a header without the missing columns, in brackets."""
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        if delimiter in "".join(header):
            return f" (its columns are separated by {name}: save it again with commas)"
    similar = [(name, _similar(name, missing)) for name in header]
    return "".join(f" (rename {name!r}?)" for name, meant in similar if meant in missing)


def _similar(name: str, absent: Sequence[str]) -> str | None:
    """Return the column that another data set calls by a name, or that is spelt almost like it."""
    known = next((column for column, others in _SIMILAR.items() if name.casefold() in others), None)
    return known or next(iter(difflib.get_close_matches(name.casefold(), absent, 1, 0.75)), None)


def _length(cells: Sequence[str], header: Sequence[str]) -> str:
    """Describe a row of another length than the header, naming the field that seems to be in two."""
    what = f"{len(cells)} fields where the first line names {len(header)}"
    if len(cells) < len(header):
        return f"{what}: write a comma for each field that is empty"
    spaced = [i for i, cell in enumerate(cells) if i and cell.startswith(" ") and cells[i - 1].strip()]
    example = f', such as "{cells[spaced[0] - 1].strip()[:20]}, {cells[spaced[0]].strip()[:20]}"' if spaced else ""
    return f"{what}: write a field that contains a comma in double quotes{example}"


def _fields(
    where: str,
    cells: Sequence[str],
    columns: dict[str, int],
    needed: Sequence[str],
    optional: Sequence[str],
    text: str | None,
) -> dict[str, str]:
    found = {}
    for name in (*needed, *optional):
        place = columns.get(name.casefold())
        value = "" if place is None else nfc(cells[place].strip())
        if name == text:
            found[name] = " ".join(value.split())
            continue
        if name in needed and not value:
            empty = [one for one in needed if one != text and not cells[columns[one.casefold()]].strip()]
            raise BadSource(f"{where}: {', '.join(empty)} is empty: fill it in")
        if not value.isprintable():
            raise BadSource(f"{where}: {value[:40]!r} contains line ends or unprintable characters: rename it")
        if len(value) > LONGEST_NAME:
            raise BadSource(f"{where}: {name} has {len(value):,} characters, more than {LONGEST_NAME}: shorten it")
        found[name] = value
    return found


def _unused(path: Path, header: Sequence[str], known: set[str]) -> Iterator[str]:
    names = [name for name in header if name and name.casefold() not in known]
    if names:
        present = {name.casefold() for name in header}
        absent = sorted(known - present)
        meant = [(name, column) for name in names if (column := _similar(name, absent)) in absent]
        hints = "".join(f"; rename {name!r} if it is the {column}" for name, column in meant)
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        yield f"{path} has columns that are not used: {', '.join(map(repr, names[:8]))}{more}{hints}"
