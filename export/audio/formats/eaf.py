"""EAF of one recording for ELAN, written by pympi: a tier for each speaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.audio.formats.tiers import tiers
from export.audio.timeline import Timeline
from replicate.escape import line

if TYPE_CHECKING:
    from pympi.Elan import Eaf

# The format demands a date; a fixed one gives the same file for the same timeline.
_DATE = "1970-01-01T00:00:00+00:00"


def to_eaf(timeline: Timeline) -> str:
    """Write one dialogue: annotations are the emotion and its probability, participants are the speakers.

    The recording is linked by its name alone, so that ELAN finds it in the folder of the file. Of a speaker whose
    segments overlap, some are in further tiers with the same participant.
    """
    from pympi.Elan import Eaf, to_string

    document = Eaf(author="")
    document.adocument["DATE"] = _DATE
    document.remove_tier("default")
    recording = timeline.recordings.get(timeline.segments[0].dialogue)
    if recording:
        name = line(recording.file)
        kind = "audio/x-wav" if name.lower().endswith(".wav") else "audio/*"
        document.add_linked_file(name, f"./{name}", kind)
    for tier in tiers(timeline):
        document.add_tier(tier.name, part=tier.speaker)
        for start, end, one in tier.spans:
            document.add_annotation(tier.name, start, end, line(timeline.summary(one)))
    _sort_time_slots(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{to_string(document)}\n'


def _sort_time_slots(document: Eaf) -> None:
    """Number the time slots in order of time, as the format demands; pympi numbers them tier by tier."""
    slots = sorted(document.timeslots.items(), key=lambda slot: slot[1])
    numbers = {old: f"ts{number}" for number, (old, _) in enumerate(slots, 1)}
    document.timeslots = {numbers[old]: time for old, time in slots}
    for aligned, *_ in document.tiers.values():
        for id_, (first, last, *rest) in aligned.items():
            aligned[id_] = (numbers[first], numbers[last], *rest)
