"""Rows of segments that do not overlap, for figures and for formats whose tiers must not overlap."""

from __future__ import annotations

from collections.abc import Sequence

from export.audio.timeline import Segment

# A speaker, and segments of this speaker that do not overlap.
Lane = tuple[str, list[Segment]]


def lanes(segments: Sequence[Segment], start: float, strip: float) -> list[Lane]:
    """Arrange the segments of a strip in rows, by speaker; overlapping segments of one speaker are in separate rows.

    Speakers are in the order of their first segments in the whole dialogue.
    """
    found: list[Lane] = []
    for speaker in dict.fromkeys(segment.speaker for segment in segments):
        own: list[list[Segment]] = [[]]
        for segment in sorted(
            (segment for segment in segments if segment.speaker == speaker), key=lambda segment: segment.start
        ):
            if segment.start >= start + strip or segment.end <= start:
                continue
            free = next((lane for lane in own if not lane or lane[-1].end <= segment.start + 1e-6), None)
            if free is None:
                own.append([segment])
            else:
                free.append(segment)
        found += [(speaker, lane) for lane in own]
    return found
