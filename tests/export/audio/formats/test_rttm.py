from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given

from export.audio.formats.rttm import to_rttm
from export.audio.timeline import Segment, Timeline
from replicate.features import recording, rttm
from tests.export.audio.timelines import expected, one_line, read_back, timelines
from tests.recordings import write_wav


def underscored(name: str) -> str:
    return "_".join(one_line(name).split())


@given(timelines(underscored))
def test_a_timeline_is_read_back(timeline: Timeline) -> None:
    found = read_back(to_rttm(timeline), "rttm", rttm.read)
    segments = sorted((one.start, round(one.start + one.duration, 3), one.speaker) for one in found)
    assert segments == expected(timeline, underscored) and {one.file for one in found} == {"my_call"}


def test_channels_are_read_back(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", np.zeros((16_000, 2), np.float32))
    made = tuple(Segment("a", i, "AB"[i], i / 4, i / 4 + 0.2, (1.0,), channel=i) for i in range(2))
    (tmp_path / "a.rttm").write_text(to_rttm(Timeline(("x",), made)))
    found = recording.read(wav, tmp_path / "a.rttm").utterances
    assert [(one.speaker, one.channel) for one in found] == [("A", 0), ("B", 1)]


def test_names_stay_apart_and_lines_hold_no_emotion() -> None:
    at = [("a", "F 1", 0.0), ("a", "F_1", 1.0), ("b", "M", 0.0)]
    timeline = Timeline(("x",), tuple(Segment(dialogue, 1, who, start, start, (1.0,)) for dialogue, who, start in at))
    assert to_rttm(timeline) == (
        "SPEAKER a 1 0.000 0.001 <NA> <NA> F_1 <NA> <NA>\n"
        "SPEAKER a 1 1.000 0.001 <NA> <NA> F_1_2 <NA> <NA>\n"
        "SPEAKER b 1 0.000 0.001 <NA> <NA> M <NA> <NA>\n"
    )
