"""What the formats of Praat, ELAN and diarisation share: names that fit them, and tiers that do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from export.audio.lanes import lanes
from export.audio.timeline import Segment, Timeline
from replicate.escape import line


class Tier(NamedTuple):
    """Segments of one speaker that do not overlap, in order of time, with start and end in milliseconds.

    Attributes:
        name: of the tier, unlike that of any other; the speaker's, with a number if it is not the speaker's first.
    """

    name: str
    speaker: str
    spans: list[tuple[int, int, Segment]]


def tiers(timeline: Timeline) -> list[Tier]:
    """Arrange the segments of one dialogue in tiers, by speaker; overlapping ones of a speaker are in several."""
    speakers = distinct((one.speaker for one in timeline.segments), single_line)
    rounded = []
    for one in timeline.segments:
        start, end = one.milliseconds
        rounded.append(replace(one, start=start / 1000, end=end / 1000))
    found: list[Tier] = []
    taken = set(speakers.values())
    seen: set[str] = set()
    for speaker, own in lanes(rounded, 0.0, float("inf")):
        name = speakers[speaker]
        if speaker in seen:
            name = _unlike(name, taken)
            taken.add(name)
        seen.add(speaker)
        found.append(Tier(name, speakers[speaker], [(*one.milliseconds, one) for one in own]))
    return found


def distinct(names: Iterable[str], fit: Callable[[str], str]) -> dict[str, str]:
    """Return names as a format can hold them, by the names themselves; those that become equal get numbers."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        fitted = fit(name)
        found[name] = _unlike(fitted, set(found.values())) if fitted in found.values() else fitted
    return found


def single_line(name: str) -> str:
    """Return a name on one line, without blanks around it, which all of these formats can hold."""
    return line(name).strip() or "_"


def _unlike(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
