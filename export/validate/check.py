"""The result of a check, and what is done with it. This module imports nothing that is slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from replicate.errors import CorruptRun, ExportFailed, ReplicateError
from replicate.store.record import without_remedy


@dataclass(frozen=True)
class Check:
    """The result of a check.

    Attributes:
        passed: None if it could not be run, for example without the corpus.
        found: what was measured, or what is wrong.
    """

    name: str
    passed: bool | None
    found: str


class Wrong(Exception):
    """Raised by a check that fails; the text says what is wrong."""


def attempt(name: str, check: Callable[[], str]) -> Check:
    """Run a check that returns what it found or raises; any error is a failed check, so that the others still run.

    Raises:
        OSError: the disk failed, not the file.
    """
    try:
        return Check(name, True, check())
    except OSError:
        raise
    except Exception as error:  # onnx, onnxruntime and torch raise errors of many classes for an invalid file
        return Check(name, False, reason(error))


def reason(error: Exception) -> str:
    """Return an error's text in one line, with its class unless it is ``Wrong`` or of this package."""
    if isinstance(error, CorruptRun):
        return without_remedy(error)
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, Wrong | ReplicateError) else f"{type(error).__name__}: {text}"


def require_passed(checks: Sequence[Check], path: Path) -> None:
    """Raise an error if a check failed.

    Raises:
        ExportFailed: names every check that failed.
    """
    failed = [f"{check.name} ({check.found})" for check in checks if check.passed is False]
    if failed:
        raise ExportFailed(
            f"do not use {path}, it fails {len(failed)} of {len(checks)} checks: {'; '.join(failed)}; compare your "
            "torch, onnx and onnxruntime with constraints.txt and export again"
        )
