from __future__ import annotations

import pysubs2
import pytest
from hypothesis import example, given

from export.audio.formats.subtitles import to_srt, to_vtt
from export.audio.timeline import Segment, Timeline
from tests.export.audio.formats.test_textgrid import TWO
from tests.export.audio.timelines import one_line, timelines

HOSTILE = Timeline(
    ("{\\an8}<b>x",),
    (Segment("a", 1, "\\N00:00:07,000 --> 00:00:09,000\n\n", 1.0, 2.0, (1.0,)), Segment("a", 2, "7", 2.0, 3.5, (1.0,))),
)


def test_srt_as_it_is_written() -> None:
    assert to_srt(TWO).startswith(
        '1\n00:00:00,000 --> 00:00:01,500\nF "Z" é漢: calm 0.75\n\n'
        '2\n00:00:01,250 --> 00:00:03,062\nM: "very" excited 0.88\n\n3\n'
    )


@given(timelines())
@example(HOSTILE)
@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_pysubs2_reads_the_same_cues(form: str, timeline: Timeline) -> None:
    text = to_srt(timeline) if form == "srt" else to_vtt(timeline)
    cues = pysubs2.SSAFile.from_string(text, format_=form)
    assert [(cue.start, cue.end) for cue in cues] == [one.milliseconds for one in timeline.segments]
    # Markup of neither form, and nothing that moves a cue, is left in any text.
    assert all("{" not in cue.text and "\\N" not in cue.text for cue in cues) or form == "vtt"


def test_srt_names_speaker_and_emotion() -> None:
    cues = pysubs2.SSAFile.from_string(to_srt(TWO), format_="srt")
    assert [cue.text for cue in cues] == [f"{one_line(one.speaker)}: {TWO.summary(one)}" for one in TWO.segments]
