"""Measurements that never repeat, such as times, kept as a JSON file of a results folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from replicate.errors import NotThisFormat
from replicate.files import write_text
from replicate.records import check_format, convert, read_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def find(path: Path, cls: type[T], version: int) -> T | None:
    """Return the content of a file of measurements, or None if nobody has measured them.

    Raises:
        NotThisFormat: the file is damaged. OldFormat, NewerFormat: another version wrote it.
    """
    if not path.is_file():
        return None
    try:
        content = read_json(path)
        check_format(content, version, path)
        return convert(content, cls)
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"{path} is damaged ({error}): remove it, and measure again") from error


def save(path: Path, measured: DataclassInstance) -> None:
    """Write measurements into a results folder."""
    write_text(path, json.dumps(asdict(measured), indent=1) + "\n")
