"""A source of whichever kind a path is: a folder with a CSV, a long recording, the IEMOCAP release."""

from __future__ import annotations

from pathlib import Path

from replicate.errors import BadSource
from replicate.features import folder, iemocap, recording
from replicate.features.source import Source


def read(
    path: Path,
    table: Path | None = None,
    segments: Path | None = None,
    allow_overlap: bool = False,
    classes: int = 4,
    allow_other_counts: bool = False,
) -> Source:
    """The utterances of ``path``; see the readers for the rest of the arguments.

    Raises:
        BadSource: it is none, or a list is broken. OtherCounts: an IEMOCAP release that is not whole.
    """
    if path.is_dir():
        if segments is not None:
            raise BadSource(f"segments are of one recording, but {path} is a folder: give the recording's own path")
        if iemocap.is_release(path):
            return iemocap.read(path, classes, allow_other_counts)
        return folder.read(path, table)
    if not path.exists():
        raise BadSource(f"no folder and no recording {path}: check its place")
    if segments is None:
        raise BadSource(f"{path} is one recording: say with --segments FILE who speaks when, as CSV or RTTM")
    return recording.read(path, segments, allow_overlap)
