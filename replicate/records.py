"""Typed JSON records: a file's content becomes a dataclass, or one error that names the key."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from replicate.errors import InvalidDefinition, NewerFormat, OldFormat
from replicate.limits import MIB, in_mib, shortened, shown, too_little_memory

T = TypeVar("T")
# The largest of these files have a learning curve of 10^5 epochs, the deepest a settings object in an arm's teacher.
MOST_BYTES = 32 * MIB
DEPTH = 24
# Python's objects take up to 30 times the size of a text of empty lists.
MOST_CONTAINERS, MOST_VALUES = 500_000, 2_000_000
# The largest finite number.
FINITE = sys.float_info.max
_LONGEST_NAME = 1000
# As Linux allows.
_LONGEST_PATH = 4096
_LARGEST = 2**64


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of limited size and depth.

    Raises:
        OSError: it cannot be opened. ValueError: as ``parse_json``, or it is too large, or not UTF-8.
        TooLittleMemory: for this machine.
    """
    if not path.is_file():  # /dev/zero never ends, and a pipe is waited for
        path.stat()  # raises OSError where there is nothing
        raise ValueError("it is no ordinary file")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{in_mib(size)}, where no such file has more than {in_mib(MOST_BYTES)}")
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except MemoryError as error:
        raise too_little_memory(path) from error


def parse_json(text: str) -> Any:
    """Return the content of a JSON text whose values can be printed, compared and written again.

    Raises:
        ValueError: it is not JSON, is nested deeper than ``DEPTH``, has more values than any record, or has half of a
        character that JSON writes in two halves.
    """
    if text.count("[") + text.count("{") > MOST_CONTAINERS or text.count(",") > MOST_VALUES:
        raise ValueError(f"more than {MOST_CONTAINERS:,} lists and objects, or {MOST_VALUES:,} values")
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {DEPTH} levels") from error
    check_depth(content)
    if "\\ud" in text or "\\uD" in text:
        json.dumps(content, ensure_ascii=False).encode()  # a UnicodeEncodeError is a ValueError
    return content


def check_depth(content: object) -> None:
    """Refuse lists and dictionaries that are nested deeper than ``DEPTH``. Raises: ValueError."""
    level = [content]
    for _ in range(DEPTH + 1):
        level = [
            value
            for container in level
            if type(container) in (dict, list)
            for value in (container.values() if type(container) is dict else container)  # type: ignore[attr-defined]
            if type(value) in (dict, list)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEPTH} levels")


def check_range(record: object, least: float, most: float, *fields: str) -> None:
    """Check that numbers of a record, or all numbers of its tuples, are from ``least`` to ``most``; None is left out.

    Raises:
        ValueError: naming the field. Also for NaN.
    """
    for field in fields:
        value = getattr(record, field)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not (isinstance(number, (int, float)) and least <= number <= most):
                raise ValueError(f"{field} = {shown(number)} is not from {least:g} to {most:g}")


def check_names(record: object, *fields: str) -> None:
    """Check that texts of a record, or all texts of its tuples and dictionaries, are short and printable.

    Raises:
        ValueError: naming the field.
    """
    for field in fields:
        value = getattr(record, field)
        texts: Iterable[object] = (value,) if isinstance(value, str) else value
        if isinstance(value, dict):
            texts = (*value, *(text for text in value.values() if isinstance(text, str)))
        for text in texts:
            if not isinstance(text, str) or len(text) > _LONGEST_NAME or not text.isprintable():
                raise ValueError(f"{field} has {shown(text)}, which is no short, printable text")


def check_blank(record: object, *fields: str) -> None:
    """Check that texts of a record, or all texts of its tuples and dictionaries, have letters.

    Raises:
        ValueError: naming the field.
    """
    for field in fields:
        value = getattr(record, field)
        texts = (value,) if isinstance(value, str) else (*value, *value.values()) if isinstance(value, dict) else value
        if not all(text.strip() for text in texts):
            raise ValueError(f"{field} has a text without letters")


def check_paths(record: object, *fields: str) -> None:
    """Check that texts of a record, or all texts of its tuples, can be paths or addresses; None is left out.

    Raises:
        ValueError: naming the field.
    """
    for field in fields:
        value = getattr(record, field)
        for text in value if isinstance(value, tuple) else (value,):
            if text is not None and (not 1 <= len(text) <= _LONGEST_PATH or "\0" in text):
                raise ValueError(f"{field} has {shown(text)}, which is no path")


def check_settings(record: object, *fields: str) -> None:
    """Check that settings by name are short texts, finite numbers, and lists and dictionaries of these.

    Raises:
        ValueError: naming the field.
    """

    def is_good(value: object) -> bool:
        if isinstance(value, dict):
            return all(map(is_good, (*value, *value.values())))
        if isinstance(value, list | tuple):
            return all(map(is_good, value))
        if isinstance(value, str):
            return len(value) <= _LONGEST_NAME
        if isinstance(value, float):
            return math.isfinite(value)
        return value is None or (isinstance(value, int) and abs(value) < _LARGEST)

    for field in fields:
        for name, value in (getattr(record, field) or {}).items():
            if not name.isprintable() or not is_good((name, value)):
                raise ValueError(f"{field} has impossible settings under {shown(name)}")


def check_among(record: object, field: str, allowed: Iterable[object]) -> None:
    """Check that a value of a record is one of a few.

    Raises:
        ValueError: naming the field.
    """
    value = getattr(record, field)
    if value not in allowed:
        raise ValueError(f"{field} = {shown(value)} is none of {', '.join(map(repr, allowed))}")


def convert(content: object, cls: type[T]) -> T:
    """Return a dataclass made from the content of a JSON file. Keys that the dataclass lacks are ignored.

    Raises:
        ValueError: a key is missing or a value has the wrong type; the message names the key.
    """
    try:
        return msgspec.convert(content, cls)
    except (msgspec.ValidationError, InvalidDefinition, RecursionError, OverflowError) as error:
        raise ValueError(shortened(str(error))) from error  # msgspec quotes texts in full


def format_number(content: object) -> int:
    """Return the format of a record, 0 for one without a number.

    Raises:
        ValueError: the content is not a JSON object, or its format is not a whole number.
    """
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, got {type(content).__name__}")
    found = content.get("format", 0)
    if type(found) is not int:
        raise ValueError(f"expected a whole number, got {shown(found)} - at `$.format`")
    return found


def check_format(content: object, this: int, where: object) -> None:
    """Refuse a record of another format than ``this``, the one that this version reads and writes.

    Raises:
        OldFormat: an earlier version wrote it, with a smaller number or with none. NewerFormat: a later version did.
        ValueError: the content is not a JSON object, or its format is not a whole number.
    """
    found = format_number(content)
    if found > this:
        raise NewerFormat(
            f"{where} was written by a newer version: format {shown(found)}, this version reads {this}; update, or use "
            "another folder"
        )
    if found < this:
        number = f"format {shown(found)}" if found else "no format number"
        raise OldFormat(
            f"{where} was written by an older version: {number}, this version reads {this}; train "
            "again, in the same folder if you like"
        )
