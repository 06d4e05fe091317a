"""Results folders, without the definitions of what was trained: the newest, its corpus, and the runs that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replicate.errors import NothingToExport, NotThisFormat
from replicate.files import visible
from replicate.limits import shown
from replicate.records import read_json

MANIFEST = "manifest.json"
# What a copy of a results folder in docs/results/ has in its place: it names no folder of a machine.
ORIGIN = "origin.json"


def corpus_hash(folder: Path) -> str | None:
    """Return the hash of the corpus that a folder's tables were measured on, from a manifest of any format, or None."""
    try:
        return str(_content(folder / MANIFEST)["corpus"]["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def newest_results(folder: Path) -> Path:
    """Return the folder of the newest manifest at or below ``folder``.

    Raises:
        NothingToExport: there is none.
    """
    found = sorted(visible(folder, f"**/{MANIFEST}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NothingToExport(f"no tables in {folder}: run `replicate run table2` first, or give another folder")
    return found[-1].parent


def named_runs(results: Path) -> set[str] | None:
    """Return keys of the runs that tables and sweeps at or below a results folder use; None if there are none.

    Runs of tables that a command with other seeds removed from a folder count as used.

    Raises:
        NotThisFormat: one of their files cannot be read, so that its runs would wrongly count as unused.
    """
    files = [path for name in (MANIFEST, "sweep-*.json") for path in visible(results, f"**/{name}")]
    found: set[str] = set()
    for path in files:
        try:
            content = _content(path)
            for runs in (content["runs"], content.get("earlier_runs", [])):
                if not isinstance(runs, list) or not all(isinstance(run, str) for run in runs):
                    raise TypeError("runs are no list of keys")
                found.update(runs)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotThisFormat(
                f"cannot read {path} ({error}), so its runs would count as unused: repair or delete it"
            ) from error
    return found if files else None


def _content(path: Path) -> Mapping[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, got {shown(found)}")
    return found
