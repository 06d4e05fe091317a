"""Find the utterances of a path: a folder with a CSV, one long recording, or the IEMOCAP release."""

from __future__ import annotations

from pathlib import Path

from replicate.corpus.types import Corpus
from replicate.errors import BadSource
from replicate.features import folder, iemocap, recording
from replicate.features.files import tables_in
from replicate.features.source import Source


def is_corpus(path: Path) -> bool:
    """Return whether a path is a folder with a file for each utterance: with a CSV of them, or of the IEMOCAP release.

    Raises:
        BadSource: it is a part of the IEMOCAP release, or cannot be read.
    """
    if not path.is_dir():
        return False
    has_table = bool(tables_in(path))
    if not has_table:
        iemocap.refuse_part(path)
    return has_table or iemocap.is_release(path)


def read(
    path: Path,
    table: Path | None = None,
    segments: Path | None = None,
    classes: int = 4,
    allow_other_counts: bool = False,
    like: Corpus | None = None,
) -> Source:
    """Return the utterances of ``path``.

    Args:
        table: see ``folder.read``.
        segments: see ``recording.read``.
        classes, allow_other_counts, like: see ``iemocap.read``.

    Raises:
        BadSource: the path is none of the three, or a list is wrong. UnexpectedCounts: the IEMOCAP release is
            incomplete.
    """
    if path.is_dir() and table is None:
        iemocap.refuse_part(path)
    if like is not None and not (path.is_dir() and iemocap.is_release(path)):
        raise BadSource(
            f"{path} is not the IEMOCAP release, which --like is for: give a CSV of the utterances you want"
        )
    if path.is_dir():
        if segments is not None:
            raise BadSource(f"--segments is for one recording, but {path} is a folder: give the path of the recording")
        if iemocap.is_release(path):
            return iemocap.read(path, classes, allow_other_counts, like)
        return folder.read(path, table)
    if not path.exists():
        raise BadSource(f"no folder and no recording {path}: check the path")
    if segments is None:
        recording.refuse_list(path)
        raise BadSource(f"{path} is one recording: give a list of its segments with --segments, such as CSV or RTTM")
    return recording.with_overlap_noted(recording.read(path, segments))
