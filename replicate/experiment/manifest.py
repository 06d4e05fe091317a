"""Reading ``manifest.json``: what ``replicate run`` wrote about a folder of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from replicate.errors import NothingToExport, NotThisFormat

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


def newest_results(folder: Path) -> Path:
    """The folder of the newest manifest at or below ``folder``.

    Raises:
        NothingToExport: there is none.
    """
    found = sorted(folder.rglob(MANIFEST), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NothingToExport(f"no finished table in {folder}: run `replicate run table2` first, or give --results")
    return found[-1].parent


def named_runs(results: Path) -> set[str] | None:
    """Runs that the tables and sweeps at or below a results folder rest on; None where there is neither.

    Raises:
        NotThisFormat: one of their files cannot be read, so that its runs would wrongly count as unused.
    """
    files = [*results.rglob(MANIFEST), *results.rglob("sweep-*.json")]
    found: set[str] = set()
    for path in files:
        try:
            found |= set(json.loads(path.read_text(encoding="utf-8"))["runs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotThisFormat(
                f"cannot read {path} ({error}), so its runs would count as unused: repair or delete it"
            ) from error
    return found if files else None
