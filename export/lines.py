"""Read the utterances to predict: a CSV file, or lines of CSV or JSON as they arrive.

``predict.py`` of every bundle contains this module.
"""

import csv
import io
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from export.bundle_files import BadInput

# Characters of a line of input. Without a limit, an input without line ends would be read into memory at once.
LONGEST_LINE = 4_000_000
# What Python's reader calls the faults that users can mend, and what they are.
_FAULTS = {
    "unexpected end of data": "a double quote that opens a field is never closed: close it, or remove it",
    "field larger than": "a field is longer than 131,072 characters: look for a double quote that is never closed",
    "expected after": "text follows the double quote that closes a field: write a quote within a field twice",
}
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class DialogueFeatures:
    """The input for one dialogue: speech features and speakers of its utterances, in order of time.

    Shapes:
        features: (utterances, width), as the extractor returns them (not standardised).

    Attributes:
        voices: who speaks, where ``speakers`` gives several people the name of one speaker that the model knows.
    """

    id: str
    speakers: Sequence[str]
    features: NDArray[np.float32]
    voices: Sequence[str] = ()


@dataclass(frozen=True)
class Line:
    """One utterance of an input file; ``where`` is its file and line, for messages."""

    where: str
    dialogue: str
    speaker: str
    features: NDArray[np.float32]


def read_csv(path: Path) -> list[DialogueFeatures]:
    """Read dialogues from a CSV file: a header, then a row per utterance with dialogue, speaker and features.

    Raises:
        BadInput: the file cannot be read, or a line is wrong; names it.
    """
    speakers: dict[str, list[str]] = {}
    rows: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in csv_lines(bounded(file, str(path)), str(path)):
                speakers.setdefault(line.dialogue, []).append(line.speaker)
                rows.setdefault(line.dialogue, []).append(line.features)
    except OSError as error:
        raise BadInput(f"cannot read {path} ({error.strerror}): check path and permissions") from error
    if not rows:
        raise BadInput(f"{path} has no utterance below its header")
    return [DialogueFeatures(dialogue, speakers[dialogue], np.stack(rows[dialogue])) for dialogue in rows]


def bounded(file: TextIO, name: str) -> Iterator[str]:
    """Yield the lines of a file, as they arrive. Raises: BadInput: one is too long or holds a zero character."""
    number = 1
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise BadInput(f"{name} has a line of more than {LONGEST_LINE:,} characters: it is not CSV or JSON lines")
        if "\0" in line:
            raise BadInput(f"{name} holds a zero character in line {number}: it is damaged, or not in UTF-8")
        yield line
        number += 1


def nfc(name: str) -> str:
    """Return a name in the one of Unicode's forms that names are compared in; macOS writes another one."""
    return unicodedata.normalize("NFC", name)


def csv_lines(file: Iterable[str], name: str) -> Iterator[Line]:
    """Read CSV below a header. Args: see ``predict_lines``. Raises: BadInput: names the line and what is wrong."""
    lines = csv.reader(file, strict=True)
    try:
        yield from _csv_lines(lines, name)
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not text in UTF-8 ({error.reason}): save it as that") from error
    except csv.Error as error:
        fault = next((what for words, what in _FAULTS.items() if words in str(error)), f"{error}: write it as CSV")
        raise BadInput(f"{name}, in the row that ends in line {lines.line_num}: {fault}") from error


def _csv_lines(lines: Any, name: str) -> Iterator[Line]:
    rows = (cells for cells in lines if len(cells) > 1 or any(cell.strip() for cell in cells))
    header = [cell.strip() for cell in next(rows, [])]
    where = f"{name}, line {max(lines.line_num, 1)}"
    if [cell.lower() for cell in header[:2]] != ["dialogue", "speaker"] or len(header) < 3:
        other = next((mark for mark in (";", "\t") if mark in "".join(header)), "")
        separated = " (its columns are separated by semicolons or tabs: save it again with commas)" if other else ""
        if not header:
            raise BadInput(f"{name} is empty: it must have a header, and a line for each utterance")
        raise BadInput(
            f"{where}: the header must be dialogue, speaker, then a name for each feature, "
            f"and not {','.join(header)[:40]!r}{separated}"
        )
    twice = sorted(cell for cell, count in Counter(cell.casefold() for cell in header).items() if count > 1 and cell)
    if twice:
        raise BadInput(f"{where}: column {twice[0][:40]!r} appears twice")
    for cells in rows:
        where = f"{name}, line {lines.line_num}"
        if len(cells) != len(header):
            raise BadInput(f"{where}: {len(cells)} cells, but the header has {len(header)}")
        yield Line(where, nfc(cells[0].strip()), nfc(cells[1].strip()), _numbers(cells[2:], where))


def json_lines(file: Iterable[str], name: str) -> Iterator[Line]:
    """Read JSON objects, one a line. Args: see ``predict_lines``. Raises: BadInput, UnicodeDecodeError."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            if line.lstrip().startswith("["):
                raise TypeError("it is an array: write its objects one a line, as jq -c '.[]' does")
            content = json.loads(line, object_pairs_hook=_without_repeats)
            dialogue, speaker, features = (content[key] for key in ("dialogue", "speaker", "features"))
            if not (isinstance(dialogue, str) and isinstance(speaker, str) and isinstance(features, list)):
                raise TypeError("dialogue and speaker must be strings, features a list")
            if not all(type(value) in (int, float) for value in features):
                raise TypeError("a feature is not a number")
            with np.errstate(over="ignore"):
                numbers = np.array(features, np.float32)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            shape = '{"dialogue": "...", "speaker": "...", "features": [...]}'
            raise BadInput(f"{where} is not of the form {shape} ({error})") from error
        yield Line(where, nfc(dialogue), nfc(speaker), numbers)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"key {twice[0][:40]!r} appears twice")
    return dict(pairs)


def _numbers(cells: list[str], where: str) -> NDArray[np.float32]:
    try:
        # Python parses 1_0 as 10, and digits of other scripts.
        if any("_" in cell or not cell.isascii() for cell in cells):
            raise ValueError
        with np.errstate(over="ignore"):  # a value too large for float32 becomes infinite and is refused later
            return np.array([float(cell) for cell in cells], np.float32)
    except ValueError as error:
        odd = next((cell for cell in cells if not cell.isascii() or not _NUMBER.fullmatch(cell.strip())), "")
        raise BadInput(f"{where}: {odd[:40]!r} is not a number") from error


def first_line(lines: Iterator[str]) -> tuple[list[str], str]:
    """Return the lines up to the first that is not blank, and this one; it is empty if there is none."""
    taken = []
    for line in lines:
        taken.append(line)
        if line.strip():
            return taken, line
    return taken, ""


def stdin_lines() -> Iterable[str]:
    """Return the lines of stdin as they arrive, decoded as UTF-8 on every system.

    Raises:
        BadInput: stdin is closed.
    """
    if sys.stdin is None:
        raise BadInput("stdin is closed: redirect it from a file, or write the lines into a pipe")
    return bounded(io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", newline=""), "stdin")
