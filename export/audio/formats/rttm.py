"""RTTM of one or more recordings: who speaks when, and no emotion.

The standard (see ``replicate.features.rttm``) has no field for an emotion. Fields that diarisation leaves empty must be
``<NA>`` in SPEAKER lines, and some programs take a comment for a damaged line, so that neither holds the emotion.
"""

from __future__ import annotations

from export.audio.formats.tiers import distinct, single_line
from export.audio.timeline import Timeline


def to_rttm(timeline: Timeline) -> str:
    """Write a SPEAKER line for each utterance, by recording and start; blanks in names become underscores.

    Channels count from 1, which is also what tools write for a mix of channels.
    """
    speakers = distinct((one.speaker for one in timeline.segments), _without_blanks)
    files = distinct((one.dialogue for one in timeline.segments), _without_blanks)
    lines = []
    for name, dialogue in timeline.dialogues.items():
        for one in sorted(dialogue.segments, key=lambda segment: segment.start):
            start, end = one.milliseconds
            place = f"{files[name]} {(one.channel or 0) + 1} {start / 1000:.3f} {(end - start) / 1000:.3f}"
            lines.append(f"SPEAKER {place} <NA> <NA> {speakers[one.speaker]} <NA> <NA>\n")
    return "".join(lines)


def _without_blanks(name: str) -> str:
    return "_".join(single_line(name).split())
