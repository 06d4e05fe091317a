"""The predictions for recordings: which emotion each speaker shows from when to when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

from export.distance import Distance
from export.output import UtterancePrediction, utterance


@dataclass(frozen=True)
class Segment:
    """One utterance of a recording and its prediction.

    Attributes:
        number: of the utterance in its dialogue, from 1.
        start, end: seconds from the beginning of the dialogue.
        probabilities: one for each label of the timeline.
        overlap: seconds in which another speaker speaks, too, in the same sound.
        channel: of the recording, from 0; None is the mix of all.
    """

    dialogue: str
    number: int
    speaker: str
    start: float
    end: float
    probabilities: tuple[float, ...]
    overlap: float = 0.0
    channel: int | None = None

    @property
    def milliseconds(self) -> tuple[int, int]:
        """Start and end; the formats for recordings need an end after the start, also where both round to the same."""
        start = round(self.start * 1000)
        return start, max(round(self.end * 1000), start + 1)


@dataclass(frozen=True)
class Recording:
    """The one file that a dialogue was recorded in: its name without folders, and its duration in seconds."""

    file: str
    seconds: float


@dataclass(frozen=True)
class Timeline:
    """The segments of one or more dialogues, in the dialogues' order.

    Attributes:
        labels: name of each class, in the order of a segment's probabilities.
        left_out: for each utterance that could not be predicted, the reason.
        notes: warnings that apply to the whole result.
        recordings: of the dialogues that are segments of one file, by their names.
        distances: of the dialogues from the training, by their names; empty for bundles of earlier versions.
    """

    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    distances: Mapping[str, Distance] = field(default_factory=dict)

    def emotion(self, segment: Segment) -> str:
        """Return the most probable label; of equally probable ones the first."""
        return self.labels[segment.probabilities.index(max(segment.probabilities))]

    @property
    def dialogues(self) -> dict[str, Timeline]:
        """One timeline for each dialogue, by its name."""
        return {
            name: replace(self, segments=tuple(segments))
            for name, segments in groupby(self.segments, key=lambda segment: segment.dialogue)
        }

    def summary(self, segment: Segment) -> str:
        """Return the emotion and its probability: ``happy 0.93``."""
        return f"{self.emotion(segment)} {max(segment.probabilities):.2f}"

    def utterances(self) -> list[UtterancePrediction]:
        """Return the segments for JSON and CSV output; see ``export.output.to_json`` and ``to_csv``."""
        return [
            utterance(
                one.dialogue,
                one.number,
                one.speaker,
                self.labels,
                one.probabilities,
                (one.start, one.end),
                one.overlap,
            )
            for one in self.segments
        ]


def clock(seconds: float) -> str:
    """Format a time as hours, minutes, seconds and milliseconds: ``00:01:02.500``."""
    return clock_of(round(seconds * 1000))


def clock_of(milliseconds: int) -> str:
    """Format a time as ``clock`` does."""
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
