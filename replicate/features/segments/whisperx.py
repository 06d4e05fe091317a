"""The JSON of WhisperX, of Whisper, and of this package: segments with start, end and speaker.

msgspec reads the fields that are needed and skips all others without building them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from replicate.errors import BadSource
from replicate.features.segments.base import Listed, Segment, content, require_room, speaker
from replicate.limits import shortened

# The name that WhisperX gives to the first speaker.
ONE_SPEAKER = "SPEAKER_00"
# Bytes of the words of one segment; of longer ones, which no tool writes, the speakers are not counted.
_LONGEST_WORDS = 2**20


class _Word(msgspec.Struct):
    speaker: str | int | None = None


class _Segment(msgspec.Struct):
    """A segment; of its words nothing is built unless it has no speaker itself."""

    start: float | None
    end: float | None
    speaker: str | int | None = None
    dialogue: str | None = None
    words: msgspec.Raw = msgspec.Raw(b"")

    def name(self) -> str:
        """Return its speaker, or the one of most of its words; empty if neither is given."""
        if self.speaker is None and 0 < len(bytes(self.words)) <= _LONGEST_WORDS:
            words = msgspec.json.decode(self.words, type=list[_Word] | None) or []
            given = Counter(str(word.speaker) for word in words if word.speaker is not None)
            return next((name for name, _ in given.most_common(1)), "")
        return "" if self.speaker is None else str(self.speaker)


class _Result(msgspec.Struct):
    segments: list[_Segment]


def read(path: Path) -> Listed:
    """Return the segments of ``{"segments": [...]}``, or of a list of them.

    Where no segment has a speaker, all are of one, with a note. Where only some have none, those are left out with a
    note, and so are segments without times.

    Raises:
        BadSource: it is not such JSON, or has no segment. TooLarge: see ``content`` and ``require_room``.
    """
    found = content(path, "a JSON file of segments").removeprefix(b"\xef\xbb\xbf")
    try:
        given = msgspec.json.decode(found, type=_Result | list[_Segment])
        listed = given.segments if isinstance(given, _Result) else given
        require_room(len(listed), path)
        names = [one.name() for one in listed]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadSource(
            f"{path} is not JSON with a list of segments, each with start, end and speaker: "
            f"{shortened(str(error), 200)}"
        ) from error
    if not listed:
        raise BadSource(f"{path} has an empty list of segments: check that it is the right file")
    notes = []
    if not any(names):
        names = [ONE_SPEAKER] * len(listed)
        notes.append(f"{path} names no speakers: all segments are taken for one speaker, {ONE_SPEAKER}")
    kept, nameless, untimed = [], 0, 0
    for number, (one, name) in enumerate(zip(listed, names, strict=True), 1):
        where = f"{path}, segment {number}"
        if one.start is None or one.end is None:
            untimed += 1
        elif not name:
            nameless += 1
        else:
            named = speaker(one.dialogue, where, "the dialogue") if one.dialogue else ""
            kept.append(Segment(one.start, one.end, speaker(name, where, "the speaker"), where, dialogue=named))
    notes += [f"{path}: {untimed} segments without times are left out"] * bool(untimed)
    notes += [f"{path}: {nameless} segments without a speaker are left out"] * bool(nameless)
    if not kept:
        raise BadSource(f"{path} has no segment with times and a speaker: check that it is the right file")
    return Listed(tuple(kept), tuple(notes))
