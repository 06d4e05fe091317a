"""RTTM, the format of speaker diarisation: fields separated by blanks, so that none may contain one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from replicate.errors import BadSource
from replicate.features.segments.base import content, require_room
from replicate.features.source import seconds
from replicate.features.tables import LONGEST_NAME, nfc

# NIST, The 2009 Rich Transcription Evaluation Plan, appendix A. Older tools leave the last field or two out.
# Fields: type, file, channel, start, duration, orthography, subtype, speaker, confidence, lookahead.
LEAST, MOST = 8, 10
# Types of lines without segments of speakers.
_OTHER = {
    *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "IP", "SU", "CB"),
    *("A/P", "SPKR-INFO"),
}
_BLANKS = re.compile(r"[ \t\r\f\v]+")  # str.split() would also split at the no-break spaces in a name
_NONE = "<NA>"
# What tools write that were given samples and no file.
_UNNAMED = (_NONE, "waveform", "-")


class Line(NamedTuple):
    """A SPEAKER line: the recording's name, start and duration in seconds, the speaker, file and line, and channel."""

    file: str
    start: float
    duration: float
    speaker: str
    where: str
    channel: str = "1"


class Chosen(NamedTuple):
    """The lines of one recording, and warnings about its name."""

    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()


def read(path: Path) -> tuple[Line, ...]:
    """Return the SPEAKER lines of a file.

    Raises:
        TooLarge: it has more bytes or lines than a list of segments may have.
        BadSource: it cannot be read; a line has not 8 to 10 fields, or fields that show that a name contains a blank.
    """
    try:
        text = content(path, "RTTM").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSource(f"{path} cannot be read as RTTM: save it as UTF-8 text") from error
    found = tuple(_lines(path, text))
    require_room(len(found), path)
    _require_no_numbered_speakers(path, found)
    return tuple(line for line, _ in found)


def names(lines: Sequence[Line]) -> tuple[str, ...]:
    """Return the names of recordings in order of first appearance."""
    return tuple(dict.fromkeys(line.file for line in lines))


def is_named(recording: str, names: Collection[str]) -> bool:
    """Return whether a recording is among names of an RTTM, in which ``_`` stands for blanks."""
    return recording in names or "_".join(recording.split()) in names


def of_recording(path: Path, lines: Sequence[Line], stem: str, name: str, several: bool = False) -> Chosen:
    """Return the lines of a recording, by its name without or with suffix.

    If all lines have one other name, they are taken, with a warning, where the list is called like the recording,
    or the name is none, or the beginning of the recording's or the other way round, such as call and call-16k.

    Args:
        several: whether there are other recordings, so that lines must have exactly this name.

    Raises:
        BadSource: the lines are of other recordings.
    """
    found = names(lines)
    for own in (stem, name):
        own_names = {own, "_".join(own.split())}
        if own_names & set(found):
            return Chosen(tuple(line for line in lines if line.file in own_names))
    if not found:
        return Chosen(())
    likely = len(found) == 1 and (found[0] in _UNNAMED or _continues(found[0], stem) or nfc(path.stem) == stem)
    if likely and not several:
        warning = f"{path} is for a recording called {found[0]}, not {stem}: check that it is the right one"
        return Chosen(tuple(lines), (warning,) if found[0] not in _UNNAMED else ())
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    raise BadSource(
        f"{path} lists segments of {', '.join(found[:3])}{more}, none of {stem}: give the list of this recording; if "
        f"it is this one, write {'_'.join(stem.split())} as the second field of its lines"
    )


def _continues(one: str, other: str) -> bool:
    """Return whether one of the names begins with the other, and goes on after a mark, such as call and call-16k."""
    short, long = sorted((one.casefold(), other.casefold()), key=len)
    return short == long or (long.startswith(short) and not long[len(short)].isalnum())


def _lines(path: Path, text: str) -> Iterator[tuple[Line, str]]:
    """Yield every SPEAKER line with its confidence."""
    for number, line in enumerate(text.split("\n"), 1):  # str.splitlines() would also split within names
        fields = [nfc(field) for field in _BLANKS.split(line.strip(" \t\r\f\v")) if field]
        if not fields or fields[0].startswith(";;") or fields[0] in _OTHER:
            continue
        where = f"{path}, line {number}"
        if fields[0] != "SPEAKER":
            raise BadSource(f"{where}: {fields[0][:20]!r} is no type of line in RTTM, such as SPEAKER: check the file")
        _check(fields, where)
        start, duration = seconds(fields[3]), seconds(fields[4])
        if start is None or duration is None:
            raise BadSource(
                f"{where}: {fields[3][:20]!r} and {fields[4][:20]!r} are not both times: give seconds, such as 12.5"
            )
        yield Line(fields[1], start, duration, fields[7], where, fields[2]), fields[8] if len(fields) > LEAST else _NONE


def _check(fields: list[str], where: str) -> None:
    """Refuse a line whose number of fields, or the kind of one, shows that fields are shifted.

    Raises:
        BadSource: names the blank that shifts them, if it is found.
    """
    if len(fields) < LEAST:
        raise BadSource(f"{where}: fewer than the {LEAST} fields up to the speaker's name: write the RTTM again")
    times = [seconds(field) is not None for field in fields]
    many = f"{len(fields)} fields instead of {LEAST} to {MOST}: " if len(fields) > MOST else ""
    # A blank in the file's name moves start and duration to the right, where all tools write <NA> or a word.
    if any(times[5:7]) or (many and not all(times[3:5])):
        pairs = [i for i in range(3, len(fields) - 2) if all(times[i : i + 2]) and not times[i + 2]]
        raise _blank(where, "file", fields[1 : min(pairs, default=4) - 1], many)
    if many:
        raise _blank(where, "speaker", fields[7 : len(fields) - 2], many)
    # Confidences are from 0 to 1; a word or a larger number belongs to the speaker's name.
    confidence = fields[LEAST] if len(fields) > LEAST else _NONE
    value = seconds(confidence)
    if confidence != _NONE and (value is None or not 0 <= value <= 1):
        raise _blank(where, "speaker", fields[7:9])
    if max(len(fields[1]), len(fields[7])) > LONGEST_NAME:
        raise BadSource(f"{where}: a name has more than {LONGEST_NAME} characters: shorten it")
    if not fields[7].isprintable():
        raise BadSource(f"{where}: the speaker {fields[7][:40]!r} contains unprintable characters: rename it")


def _blank(where: str, what: str, fields: list[str], why: str = "") -> BadSource:
    name = " ".join(fields)[:40]
    return BadSource(
        f"{where}: {why}the {what} {name!r} contains a blank, which shifts the fields after it: write "
        f"{'_'.join(fields)[:40]!r}, or give a CSV with start, end and speaker"
    )


def _require_no_numbered_speakers(path: Path, found: tuple[tuple[Line, str], ...]) -> None:
    """Refuse ``Speaker 0`` and ``Speaker 1``, whose numbers look like confidences.

    Raises:
        BadSource: one name with the confidences 0 and 1, written as whole numbers.
    """
    numbers = {confidence for _, confidence in found}
    if len({line.speaker for line, _ in found}) == 1 and numbers == {"0", "1"}:
        raise _blank(found[0][0].where, "speaker", [found[0][0].speaker, found[0][1]])
