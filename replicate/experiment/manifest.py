"""Reading ``manifest.json``: what ``replicate run`` wrote about a folder of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from replicate.errors import NotThisFormat

MANIFEST = "manifest.json"


def read(folder: Path) -> dict[str, Any]:
    """What lies in the folder's manifest; which keys are there is the caller's to check.

    Raises:
        NotThisFormat: there is none, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(folder, error) from error
    if not isinstance(found, dict):
        raise unreadable(folder, TypeError("it holds no table of keys"))
    return found


def peek(folder: Path) -> dict[str, Any]:
    """The same for a folder that need not have one: empty where ``read`` would fail."""
    try:
        return read(folder)
    except NotThisFormat:
        return {}


def unreadable(folder: Path, error: Exception) -> NotThisFormat:
    """What to say of a manifest that lacks what it should have."""
    return NotThisFormat(f"cannot read {folder / MANIFEST} ({error}): run the table again")
