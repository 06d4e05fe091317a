"""One long recording of a conversation, with a list of segments and speakers: CSV or RTTM (speaker diarisation)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from replicate.errors import BadSource, ReplicateError
from replicate.features.folder import NO_LABELS, NO_SPLIT
from replicate.features.source import UNLABELLED, Source, Utterance, rows


class _Segment(NamedTuple):
    """A speaker's segment from ``start`` to ``stop`` seconds; ``where`` is its line in the list."""

    start: float
    stop: float
    speaker: str
    where: str


def read(path: Path, segments: Path, allow_overlap: bool = False) -> Source:
    """Return the segments of a recording as one dialogue without labels, in order of time.

    A segment that does not end after its start becomes a problem. So does one that overlaps with an earlier one, unless
    ``allow_overlap`` is set; both then contain both voices.

    Raises:
        BadSource: the list cannot be read, or is empty.
    """
    warnings: tuple[str, ...] = ()
    if segments.suffix.lower() == ".rttm":
        found, name = _rttm(segments, path.stem)
        if name != path.stem:
            warnings = (
                f"{segments} is for a recording called {name}, not {path.stem}: check that it is the right one",
            )
    else:
        found = list(_csv(segments))
    listed = sorted(found)
    if not listed:
        raise BadSource(f"{segments} lists no segment of {path}: check that it is the right list")
    problems: list[ReplicateError] = []
    kept: list[_Segment] = []
    last: _Segment | None = None
    for segment in listed:
        if not 0 <= segment.start < segment.stop < math.inf:
            problems.append(
                BadSource(
                    f"{segment.where}: from {segment.start:g} s to {segment.stop:g} s is not a segment: it must "
                    "start at 0 or later, and end after its start"
                )
            )
        elif last and segment.start < last.stop and not allow_overlap:
            problems.append(
                BadSource(
                    f"{segment.where}: {segment.speaker} from {segment.start:g} s while {last.speaker} speaks until "
                    f"{last.stop:g} s ({last.where}): cut one of them, or keep both with --allow-overlap"
                )
            )
        else:
            kept.append(segment)
            last = segment if last is None or segment.stop > last.stop else last
    digits = len(str(len(listed)))
    utterances = tuple(
        Utterance(
            path.stem, f"{path.stem}_{i:0{digits}d}", one.speaker, path, start=one.start, stop=one.stop, at=one.start
        )
        for i, one in enumerate(kept, 1)
    )
    return Source(path.stem, utterances, (UNLABELLED,), (NO_LABELS, NO_SPLIT), tuple(problems), warnings)


def _csv(path: Path) -> Iterator[_Segment]:
    for where, row in rows(path, ("start", "end", "speaker")):
        yield _segment(row["start"], row["end"], row["speaker"], where)


def _rttm(path: Path, recording: str) -> tuple[list[_Segment], str]:
    """Return the segments of a recording, and its name in the list.

    Fields of SPEAKER lines: type, file, channel, start, duration, two unused fields, speaker, and further unused ones.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "save it as UTF-8 text"
        raise BadSource(f"{path} cannot be read as RTTM: {reason}") from error
    fields = [(f"{path}, line {i}", line.split()) for i, line in enumerate(lines, 1) if line.startswith("SPEAKER")]
    short = next((where for where, values in fields if len(values) < 8), None)
    if short:
        raise BadSource(f"{short}: fewer than the 8 fields up to the speaker's name: write the RTTM again")
    files = {values[1] for _, values in fields}
    # In a list of several recordings, the file's name selects the lines; in a list of one, it does not matter.
    name = files.pop() if len(files) == 1 else recording
    own = [_segment(values[3], values[4], values[7], where) for where, values in fields if values[1] == name]
    return [one._replace(stop=one.start + one.stop) for one in own], name


def _segment(start: str, stop: str, speaker: str, where: str) -> _Segment:
    try:
        return _Segment(float(start), float(stop), speaker, where)
    except ValueError as error:
        raise BadSource(f"{where}: {start!r} and {stop!r} are not both times: give seconds, such as 12.5") from error
