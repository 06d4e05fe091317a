"""Which files of a results folder were changed since a command wrote them, by the folder's ``SHA256SUMS``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from replicate.errors import NotThisFormat
from replicate.expected.findings import Finding
from replicate.files import sha256, visible
from replicate.limits import shown
from replicate.report import checksums
from replicate.report.checksums import NAME

# Of the files and folders that no command wrote.
_MOST_NAMED = 10


def changes(folder: Path, tables: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for every listed file, and for every file of a command that is not listed.

    Args:
        tables: names of those in the manifest.
    """
    try:
        known = checksums.read(folder)
    except NotThisFormat as error:
        yield Finding("files", NAME, "FAIL", "agreement", "a hash and a file in every line", str(error))
        return
    if known is None:
        return
    failed = False
    for name, wanted in known.items():
        found = _digest(folder / name)
        if found is None:
            yield Finding("files", name, "missing", "agreement", f"a file ({NAME})", "no such file")
        elif found != wanted:
            failed = True
            yield Finding("files", name, "FAIL", "agreement", f"{wanted[:12]} ({NAME})", f"SHA-256 {found[:12]}")
    for name in checksums.files(folder, tables):
        if name not in known:
            failed = True
            yield Finding("files", name, "FAIL", "agreement", f"{NAME}, which does not list it", "a file")
    if not failed:
        yield Finding("files", NAME, "OK", "agreement")


def first_change(folder: Path) -> str | None:
    """Return the first change of a folder in words, whether the folder can be judged or not; None without a change."""
    return next((each.words for each in changes(folder, ()) if each.status == "FAIL"), None)


def not_compared(folder: Path, tables: Sequence[str]) -> list[str]:
    """Return what is compared with nothing, in words: other files and folders, or all that only ``SHA256SUMS`` has."""
    commands = {*checksums.files(folder, tables), NAME, checksums.FIGURES}
    others = [path.name + "/" * path.is_dir() for path in visible(folder, "*") if path.name not in commands]
    found = [shown(name, 100) for name in others[:_MOST_NAMED]]
    found += [f"{len(others) - _MOST_NAMED} other files"] if len(others) > _MOST_NAMED else []
    if (folder / NAME).exists():
        return found
    figures = len(visible(folder / checksums.FIGURES, "*"))
    alone = "figures, captions, times, keys of runs, settings of the manifest and what else a single file holds"
    count = f" ({figures} file{'s' * (figures > 1)})" if figures else ""
    return [f"{alone}{count}: there is no {NAME}, which `replicate report --ro-crate` adds", *found]


def _digest(path: Path) -> str | None:
    """Return the hash of a file, an empty text where it cannot be read, None without a file."""
    try:
        return sha256(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return ""
