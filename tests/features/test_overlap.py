from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.features.overlap import overlaps
from replicate.features.segments.base import Segment

# Whole seconds, so that seconds can be counted one by one.
SEGMENTS = st.lists(
    st.builds(
        lambda start, length, speaker, channel: Segment(start, start + length, speaker, "", channel),
        st.integers(0, 12),
        st.integers(1, 6),
        st.sampled_from("ABC"),
        st.sampled_from([None, 0, 1]),
    ),
    max_size=8,
)


@given(SEGMENTS)
def test_seconds_in_which_another_speaker_speaks_are_counted(segments: list[Segment]) -> None:
    def others(one: Segment, second: float) -> bool:
        return any(
            other.start <= second < other.stop and other.speaker != one.speaker and other.channel == one.channel
            for other in segments
        )

    counted = [sum(others(one, second) for second in range(int(one.start), int(one.stop))) for one in segments]
    assert overlaps(segments) == pytest.approx(counted)
