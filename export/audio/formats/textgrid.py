"""TextGrid of one recording for Praat, written by praatio: an interval tier for each speaker."""

from __future__ import annotations

import tempfile
from pathlib import Path

from export.audio.formats.tiers import tiers
from export.audio.timeline import Timeline
from replicate.escape import line


def to_textgrid(timeline: Timeline) -> str:
    """Write one dialogue in Praat's long text form, from 0 s to the end of its recording, or of its last segment.

    The text of an interval is the emotion and its probability; pauses are intervals without text. Of a speaker whose
    segments overlap, some are in further tiers.
    """
    from praatio.textgrid import IntervalTier, Textgrid

    found = tiers(timeline)
    end = max(span[1] for tier in found for span in tier.spans) / 1000
    recording = timeline.recordings.get(timeline.segments[0].dialogue)
    stop = max(end, recording.seconds) if recording else end
    grid = Textgrid(0, stop)
    for tier in found:
        spans = [(start / 1000, end / 1000, line(timeline.summary(one))) for start, end, one in tier.spans]
        grid.addTier(IntervalTier(tier.name, spans, 0, stop))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "timeline.TextGrid"
        grid.save(str(path), "long_textgrid", includeBlankSpaces=True)
        return path.read_text(encoding="utf-8")
