"""Subtitles of one recording: WebVTT, which names speakers in its own way, and SRT, which has no way to.

pysubs2 checks both in the tests. It does not write them: it has no speakers in WebVTT, and takes ``{...}`` and ``\\N``
in a name for commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from export.audio.timeline import Segment, Timeline, clock_of
from replicate.escape import line

# What players take for markup in SRT, which has no escapes, and letters that look like it.
_LIKE = str.maketrans({"<": "\u2039", ">": "\u203a", "{": "(", "}": ")", "\\": "\u29f5"})
# A time within a name would be one of a cue for some players.
_TIME = re.compile(r"(?<=\d):(?=\d)")


def to_vtt(timeline: Timeline) -> str:
    """Write one dialogue as WebVTT: a cue for each utterance, sorted by start."""
    cues = [
        f"{clock_of(start)} --> {clock_of(end)}\n<v {_plain(segment.speaker)}>{_plain(timeline.summary(segment))}"
        for segment, start, end in _cues(timeline)
    ]
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def to_srt(timeline: Timeline) -> str:
    """Write one dialogue as SRT: a cue for each utterance, sorted by start, whose text begins with the speaker."""
    cues = []
    for number, (segment, start, end) in enumerate(_cues(timeline), 1):
        times = f"{clock_of(start)} --> {clock_of(end)}".replace(".", ",")
        text = f"{line(segment.speaker).strip()}: {line(timeline.summary(segment))}".translate(_LIKE)
        cues.append(f"{number}\n{times}\n{_TIME.sub(chr(0x2236), text)}\n")
    return "\n".join(cues)


def _cues(timeline: Timeline) -> Iterator[tuple[Segment, int, int]]:
    for segment in sorted(timeline.segments, key=lambda segment: segment.start):
        yield (segment, *segment.milliseconds)


def _plain(text: str) -> str:
    """Escape WebVTT's markup and replace line breaks and other control characters."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
