from __future__ import annotations

import json

from hypothesis import given

from export.audio.formats.whisperx import to_whisperx
from export.audio.timeline import Timeline
from replicate.features.segments import whisperx
from replicate.features.tables import nfc
from tests.export.audio.formats.test_textgrid import TWO
from tests.export.audio.timelines import read_back, timelines


def printable(timeline: Timeline) -> bool:
    return all(one.speaker.strip().isprintable() for one in timeline.segments)


@given(timelines(lambda name: nfc(name.strip())).filter(printable))
def test_a_timeline_is_read_back(timeline: Timeline) -> None:
    timeline = Timeline(timeline.labels, tuple(one for one in timeline.segments if one.speaker.strip()))
    if timeline.segments:
        found = read_back(to_whisperx(timeline), "json", whisperx.read)
        wanted = [(one.start, one.end, nfc(one.speaker.strip())) for one in timeline.segments]
        assert sorted(one[:3] for one in found.segments) == sorted(wanted) and found.notes == ()


def test_a_segment_has_the_emotion_as_its_text() -> None:
    assert json.loads(to_whisperx(TWO))["segments"][1] == {
        "start": 1.25,
        "end": 3.062,
        "text": '"very" excited',
        "speaker": "M",
        "words": [],
        "emotion": '"very" excited',
        "probabilities": {"calm": 0.125, '"very" excited': 0.875},
    }
