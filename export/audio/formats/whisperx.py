"""JSON in the shape of WhisperX, for programs that read its transcripts: the text of a segment is the emotion."""

from __future__ import annotations

from export.audio.timeline import Timeline
from export.output import json_text


def to_whisperx(timeline: Timeline) -> str:
    """Write one dialogue: segments by start, each also with the emotion and the probability of every label."""
    segments = []
    for one in sorted(timeline.segments, key=lambda segment: segment.start):
        start, end = one.milliseconds
        values = dict(zip(timeline.labels, (round(value, 6) for value in one.probabilities), strict=True))
        emotion = timeline.emotion(one)
        segments.append(
            {"start": start / 1000, "end": end / 1000, "text": emotion, "speaker": one.speaker, "words": []}
            | {"emotion": emotion, "probabilities": values}
        )
    return json_text({"segments": segments, "word_segments": []}) + "\n"
