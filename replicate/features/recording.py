"""One long recording of a conversation, with a list of who speaks when: CSV, or RTTM as diarisation tools write it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from replicate.errors import BadSource, ReplicateError
from replicate.features.folder import NO_LABELS, NO_SPLIT
from replicate.features.source import UNLABELLED, Source, Utterance, rows


class _Segment(NamedTuple):
    """Who speaks from ``start`` to ``stop`` seconds, and which line says so."""

    start: float
    stop: float
    speaker: str
    where: str


def read(path: Path, segments: Path, allow_overlap: bool = False) -> Source:
    """The segments of a recording as one dialogue, in order of time; without labels.

    A segment that ends before it starts becomes a problem; so does one that begins before another has ended, unless
    ``allow_overlap``: then both hold the voices of both.

    Raises:
        BadSource: the list cannot be read, or holds nothing.
    """
    warnings: tuple[str, ...] = ()
    if segments.suffix.lower() == ".rttm":
        found, of = _rttm(segments, path.stem)
        if of != path.stem:
            warnings = (f"{segments} is of a recording called {of}, not {path.stem}: check that it is the right one",)
    else:
        found = list(_csv(segments))
    listed = sorted(found)
    if not listed:
        raise BadSource(f"{segments} lists no segment of {path}: check that the two belong together")
    problems: list[ReplicateError] = []
    kept: list[_Segment] = []
    last: _Segment | None = None
    for segment in listed:
        if not 0 <= segment.start < segment.stop < math.inf:
            problems.append(
                BadSource(
                    f"{segment.where}: from {segment.start:g} s to {segment.stop:g} s is no piece of a recording: it "
                    "must start at 0 or later, and end after that"
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
    """The segments of a recording, and the name that the list has for it.

    SPEAKER lines: type, file, channel, start, duration, two fields of no use here, speaker, and more of no use.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "save it as UTF-8 text"
        raise BadSource(f"{path} cannot be read as RTTM: {reason}") from error
    fields = [(f"{path}, line {i}", line.split()) for i, line in enumerate(lines, 1) if line.startswith("SPEAKER")]
    short = next((where for where, parts in fields if len(parts) < 8), None)
    if short:
        raise BadSource(f"{short}: fewer than the eight fields up to the speaker's name: write the RTTM again")
    files = {parts[1] for _, parts in fields}
    # A list of several recordings is told by their names; one of a single recording needs no name.
    name = files.pop() if len(files) == 1 else recording
    own = [_segment(parts[3], parts[4], parts[7], where) for where, parts in fields if parts[1] == name]
    return [one._replace(stop=one.start + one.stop) for one in own], name


def _segment(start: str, stop: str, speaker: str, where: str) -> _Segment:
    try:
        return _Segment(float(start), float(stop), speaker, where)
    except ValueError as error:
        raise BadSource(f"{where}: {start!r} and {stop!r} are no times: give seconds, such as 12.5") from error
