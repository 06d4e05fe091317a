"""One long recording of a conversation, with a list of segments and speakers, in one of the formats in ``FORMATS``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from replicate.errors import BadSource, ReplicateError
from replicate.features import rttm, tables
from replicate.features.folder import NO_LABELS, NO_SPLIT
from replicate.features.segments import eaf, textgrid, whisperx
from replicate.features.segments.base import Listed, Segment
from replicate.features.source import UNLABELLED, Source, Utterance, seconds
from replicate.features.tables import nfc

# Readers of lists by suffix; RTTM and CSV are read here, a CSV under any other name.
FORMATS: dict[str, Callable[[Path], Listed]] = {
    ".textgrid": textgrid.read,
    ".eaf": eaf.read,
    ".json": whisperx.read,
}


def read(path: Path, segments: Path, allow_overlap: bool = False) -> Source:
    """Return the segments of a recording as one dialogue without labels, in order of time.

    A segment that does not end after its start becomes a problem. So does one that overlaps with an earlier one, unless
    ``allow_overlap`` is set; both then contain both voices.

    Raises:
        BadSource: the list cannot be read, or is empty.
    """
    name = nfc(path.stem)
    suffix = segments.suffix.lower()
    found: Sequence[Segment]
    if suffix in FORMATS:
        found, warnings = FORMATS[suffix](segments)
    elif suffix == ".rttm":
        found, warnings = _rttm(segments, name)
    else:
        found, warnings = _csv(segments)
    listed = sorted(found)
    if not listed:
        raise BadSource(f"{segments} lists no segment of {path}: check that it is the right list")
    problems: list[ReplicateError] = []
    kept: list[Segment] = []
    last: Segment | None = None
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
        Utterance(name, f"{name}_{i:0{digits}d}", one.speaker, path, start=one.start, stop=one.stop, at=one.start)
        for i, one in enumerate(kept, 1)
    )
    return Source(name, utterances, (UNLABELLED,), (NO_LABELS, NO_SPLIT), tuple(problems), warnings)


def _csv(path: Path) -> tuple[list[Segment], tuple[str, ...]]:
    """Return the segments of a CSV, and warnings about its columns."""
    found = []
    table = tables.read(path, ("start", "end", "speaker"), also=("text",))
    for where, row in table.rows:
        start, stop = seconds(row["start"]), seconds(row["end"])
        if start is None or stop is None:
            raise BadSource(
                f"{where}: {row['start'][:20]!r} and {row['end'][:20]!r} are not both times: give seconds, such as 12.5"
            )
        found.append(Segment(start, stop, row["speaker"], where))
    return found, table.warnings


def _rttm(path: Path, recording: str) -> tuple[list[Segment], tuple[str, ...]]:
    """Return the segments of a recording, and a warning if its name in the list is another one."""
    lines = rttm.read(path)
    files = {line.file for line in lines}
    if recording not in files:  # a name in RTTM must not contain a blank
        recording = "_".join(recording.split())
    # In a list of several recordings, the file's name selects the lines; in a list of one, it does not matter.
    name = files.pop() if len(files) == 1 else recording
    chosen = [line for line in lines if line.file == name]
    own = [Segment(line.start, line.start + line.duration, line.speaker, line.where) for line in chosen]
    if name == recording:
        return own, ()
    return own, (f"{path} is for a recording called {name}, not {recording}: check that it is the right one",)
