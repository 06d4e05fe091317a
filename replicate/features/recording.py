"""One long recording of a conversation, with a list of segments and speakers, in one of the formats in ``FORMATS``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from replicate.errors import BadSource, ReplicateError
from replicate.features import channels, rttm, tables
from replicate.features.folder import NO_LABELS, NO_SPLIT
from replicate.features.overlap import overlaps
from replicate.features.segments import eaf, textgrid, whisperx
from replicate.features.segments.base import Listed, Segment
from replicate.features.source import UNLABELLED, Source, Utterance, seconds
from replicate.features.tables import nfc
from replicate.limits import shown

# Readers of lists by suffix; RTTM and CSV are read here, a CSV under any other name.
FORMATS: dict[str, Callable[[Path], Listed]] = {
    ".textgrid": textgrid.read,
    ".eaf": eaf.read,
    ".json": whisperx.read,
}
# Shorter overlaps are rounding: diarisation tools round to hundredths of a second.
_OVERLAP = 0.02


def read(path: Path, segments: Path, names: Sequence[str] = (), several: bool = False) -> Source:
    """Return the segments of a recording as one dialogue without labels, in order of time.

    A segment that does not end after its start becomes a problem. Segments may overlap; how long they do with those of
    other speakers in the same channel is their ``overlap``.

    Args:
        names: the speaker of each channel of the recording; each segment is then read from its speaker's channel.
            Without them, an RTTM that uses several channels decides, and otherwise all channels are mixed.
        several: whether the list is for several recordings, so that it must name each.

    Raises:
        BadSource: the list cannot be read, is empty, or is of another recording; the recording has other channels than
            ``names``. BadAudio: the channels are needed, and the recording cannot be read.
    """
    suffix = segments.suffix.lower()
    found: Sequence[Segment]
    if suffix == ".rttm":
        found, warnings = _rttm(path, segments, several)
    else:
        found, warnings = FORMATS[suffix](segments) if suffix in FORMATS else _csv(segments)
        found = _of_recording(path, segments, found, several)
    if not found:
        raise BadSource(f"{segments} lists no segment of {path}: check that it is the right list")
    if names:
        found = channels.assigned(path, found, names)
    return to_source(path, found, warnings)


def refuse_list(path: Path) -> None:
    """Refuse a list that is given in place of a recording.

    Raises:
        BadSource: the path is that of a list.
    """
    if path.suffix.lower() in (".csv", ".rttm", ".txt", *FORMATS):
        raise BadSource(
            f"{path} is a list, not a recording: give a folder of recordings and --table {path}, or one recording and "
            f"--segments {path}"
        )


def to_source(path: Path, segments: Iterable[Segment], warnings: Sequence[str] = ()) -> Source:
    """Return the segments of a recording as a source; those without a duration become problems."""
    listed = sorted(segments, key=lambda one: (one.start, one.stop, one.speaker))
    name = nfc(path.stem)
    kept = [one for one in listed if 0 <= one.start < one.stop < math.inf]
    problems: list[ReplicateError] = [
        BadSource(
            f"{one.where}: from {one.start:g} s to {one.stop:g} s is not a segment: it must start at 0 or later, and "
            "end after its start"
        )
        for one in listed
        if not 0 <= one.start < one.stop < math.inf
    ]
    digits = len(str(len(listed)))
    utterances = tuple(
        Utterance(
            name,
            f"{name}_{i:0{digits}d}",
            one.speaker,
            path,
            start=one.start,
            stop=one.stop,
            at=one.start,
            channel=one.channel,
            overlap=overlap if overlap > _OVERLAP else 0.0,
        )
        for i, (one, overlap) in enumerate(zip(kept, overlaps(kept), strict=True), 1)
    )
    return Source(name, utterances, (UNLABELLED,), (NO_LABELS, NO_SPLIT), tuple(problems), tuple(warnings))


def renamed(source: Source, name: str) -> Source:
    """Return the source of one recording under another name, where several recordings have the same one."""
    utterances = tuple(replace(one, dialogue=name) for one in source.utterances)
    return replace(source, name=name, utterances=utterances)


def with_overlap_noted(source: Source) -> Source:
    """Return the source with a warning that counts the utterances in which another speaker speaks, if there are any."""
    own = [one.overlap for one in source.utterances if one.overlap]
    if not own:
        return source
    note = (
        f"{source.name}: in {len(own)} of {len(source.utterances)} utterances another speaker speaks, too, for "
        f"{sum(own):.1f} s in all: they are kept and marked, and their features are of both voices"
    )
    return replace(source, warnings=(*source.warnings, note))


def _of_recording(path: Path, segments: Path, listed: Sequence[Segment], several: bool) -> list[Segment]:
    """Return the segments of a recording from a list that may name recordings, as a timeline of several does.

    Names of one recording alone are not compared: a list may be called otherwise than its recording.
    """
    names = {one.dialogue for one in listed}
    if several and "" in names:
        raise BadSource(f"{segments} does not name recordings, so it is for one: give a list for each, in their order")
    if len(names) == 1 and not several:
        return list(listed)
    found = [one for one in listed if one.dialogue in (nfc(path.stem), nfc(path.name))]
    if not found:
        others = ", ".join(shown(name) for name in sorted(names)[:3])
        raise BadSource(f"{segments} lists segments of {others}, none of {path.stem}: give the list of this recording")
    return found


def _csv(path: Path) -> tuple[list[Segment], tuple[str, ...]]:
    """Return the segments of a CSV, and warnings about its columns."""
    found = []
    table = tables.read(path, ("start", "end", "speaker"), ("dialogue",), also=("text",))
    for where, row in table.rows:
        start, stop = seconds(row["start"]), seconds(row["end"])
        if start is None or stop is None:
            raise BadSource(
                f"{where}: {row['start'][:20]!r} and {row['end'][:20]!r} are not both times: give seconds, such as 12.5"
            )
        found.append(Segment(start, stop, row["speaker"], where, dialogue=row["dialogue"]))
    return found, table.warnings


def _rttm(path: Path, segments: Path, several: bool) -> tuple[list[Segment], tuple[str, ...]]:
    """Return the segments of a recording, with their channels, and warnings about its name and its channels."""
    chosen = rttm.of_recording(segments, rttm.read(segments), nfc(path.stem), nfc(path.name), several)
    numbers, unused = channels.numbered(path, segments, [line.channel for line in chosen.lines])
    own = [
        Segment(line.start, line.start + line.duration, line.speaker, line.where, number)
        for line, number in zip(chosen.lines, numbers, strict=True)
    ]
    return own, (*chosen.warnings, *unused)
