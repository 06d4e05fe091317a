"""How long segments overlap with those of other speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from replicate.features.segments.base import Segment


def overlaps(segments: Sequence[Segment]) -> list[float]:
    """Return for each segment the seconds in which another speaker has one, too, in the same channel.

    Segments must end after their starts.
    """
    found = [0.0] * len(segments)
    for channel in {segment.channel for segment in segments}:
        own = [i for i, segment in enumerate(segments) if segment.channel == channel]
        shared = _shared([segments[i] for i in own])
        for i in own:
            found[i] = shared[segments[i].stop] - shared[segments[i].start]
    return found


def _shared(segments: Sequence[Segment]) -> dict[float, float]:
    """Return for the start and the end of each segment how long several speakers have spoken at a time before it."""
    begins: dict[float, list[str]] = {}
    ends: dict[float, list[str]] = {}
    for segment in segments:
        begins.setdefault(segment.start, []).append(segment.speaker)
        ends.setdefault(segment.stop, []).append(segment.speaker)
    active: Counter[str] = Counter()
    shared, total, last = {}, 0.0, 0.0
    for time in sorted({*begins, *ends}):
        total += time - last if len(active) > 1 else 0.0
        shared[time], last = total, time
        active.update(begins.get(time, ()))
        for speaker in ends.get(time, ()):
            active[speaker] -= 1
            if not active[speaker]:
                del active[speaker]
    return shared
