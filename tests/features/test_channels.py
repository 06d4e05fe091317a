from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from replicate.errors import BadSource
from replicate.features import channels, recording
from replicate.features.segments.base import Segment
from tests.recordings import tone, write_wav


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "call.wav", np.stack([tone(0.5), tone(0.5, hertz=300)], 1))


def test_segments_are_read_from_the_channels_of_their_speakers(stereo: Path) -> None:
    given = [Segment(0, 0.2, "agent", "a"), Segment(0.1, 0.5, "customer", "b"), Segment(0.3, 0.5, "agent", "c")]
    assert [one.channel for one in channels.assigned(stereo, given, ("customer", "agent"))] == [1, 0, 1]
    with pytest.raises(BadSource, match=r"b: no channel is customer's by --channels agent,client: .*, agent, customer"):
        channels.assigned(stereo, given, ("agent", "client"))


def test_speakers_on_channels_of_their_own_do_not_overlap(stereo: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("start,end,speaker\n0,0.3,A\n0.1,0.4,B\n")
    apart = recording.read(stereo, tmp_path / "s.csv", ("A", "B"))
    assert [(one.channel, one.overlap) for one in apart.utterances] == [(0, 0), (1, 0)]
    mixed = recording.read(stereo, tmp_path / "s.csv")
    assert [(one.channel, one.overlap) for one in mixed.utterances] == [(None, pytest.approx(0.2))] * 2


def test_a_recording_must_have_a_channel_for_each_name(stereo: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="has 2 channels, and --channels names 3: name all, in their order"):
        channels.require(stereo, ("a", "b", "c"))
    with pytest.raises(BadSource, match="--channels a,a: two channels have one name"):
        channels.require(stereo, ("a", "a"))
    with pytest.raises(BadSource, match="has one channel, and --channels names 2: leave --channels out"):
        channels.require(write_wav(tmp_path / "mono.wav", tone(0.2)), ("a", "b"))


NUMBERS = [
    (["1", "1"], [None, None], ""),
    (["1", "2"], [0, 1], ""),
    (["2", "2"], [1, 1], ""),
    (["0", "0"], [None, None], ""),
    (["<NA>", "1"], [None, None], ""),
    (["0", "1"], [None, None], "names the channels 0, 1, which are not numbers from 1"),
    (["A", "B"], [None, None], "names the channels A, B, which are not numbers from 1"),
    (["1", "3"], [None, None], "names channel 3, and .* has 2: all channels are mixed"),
    (["1", "9" * 5000], [None, None], "not numbers"),
]


@pytest.mark.parametrize(("fields", "expected", "words"), NUMBERS)
def test_channels_of_an_rttm(
    fields: list[str], expected: list[int | None], words: str, stereo: Path, tmp_path: Path
) -> None:
    found, warnings = channels.numbered(stereo, tmp_path / "call.rttm", fields)
    assert found == expected and len(warnings) == bool(words)
    assert not words or re.search(words, warnings[0])


def test_an_rttm_with_channels_is_read_from_them(stereo: Path, tmp_path: Path) -> None:
    lines = [f"SPEAKER call {i} 0.1 0.3 <NA> <NA> S{i} <NA> <NA>\n" for i in (1, 2)]
    (tmp_path / "call.rttm").write_text("".join(lines))
    found = recording.read(stereo, tmp_path / "call.rttm")
    assert [(one.speaker, one.channel, one.overlap) for one in found.utterances] == [("S1", 0, 0), ("S2", 1, 0)]
