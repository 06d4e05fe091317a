"""Typed JSON records: a file's content becomes a dataclass, or one error that names the key."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from replicate.errors import InvalidDefinition, NewerFormat, OldFormat

T = TypeVar("T")


def convert(content: object, cls: type[T]) -> T:
    """Return a dataclass made from the content of a JSON file. Keys that the dataclass lacks are ignored.

    Raises:
        ValueError: a key is missing or a value has the wrong type; the message names the key.
    """
    try:
        return msgspec.convert(content, cls)
    except (msgspec.ValidationError, InvalidDefinition, RecursionError) as error:
        raise ValueError(str(error)) from error


def format_number(content: object) -> int:
    """Return the format of a record, 0 for one without a number.

    Raises:
        ValueError: the content is not a JSON object, or its format is not a whole number.
    """
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, got {type(content).__name__}")
    found = content.get("format", 0)
    if type(found) is not int:
        raise ValueError(f"expected a whole number, got {found!r} - at `$.format`")
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
            f"{where} was written by a newer version: format {found}, this version reads {this}; update, or use "
            "another folder"
        )
    if found < this:
        raise OldFormat(
            f"{where} was written by an older version: {f'format {found}' if found else 'no format number'}, this "
            f"version reads {this}; train again, in the same folder if you like"
        )
