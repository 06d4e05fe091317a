"""The predictions for recordings: which emotion each speaker shows from when to when, as CSV, JSON and WebVTT."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

from export.output import UtterancePrediction, utterance


@dataclass(frozen=True)
class Segment:
    """One utterance of a recording and its prediction.

    Attributes:
        number: of the utterance in its dialogue, from 1.
        start, end: seconds from the beginning of the dialogue.
        probabilities: one for each label of the timeline.
    """

    dialogue: str
    number: int
    speaker: str
    start: float
    end: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Timeline:
    """The segments of one or more dialogues, in the dialogues' order.

    Attributes:
        labels: name of each class, in the order of a segment's probabilities.
        left_out: for each utterance that could not be predicted, the reason.
        notes: warnings that apply to the whole result.
    """

    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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

    def utterances(self) -> list[UtterancePrediction]:
        """Return the segments for JSON and CSV output; see ``export.output.to_json`` and ``to_csv``."""
        return [
            utterance(one.dialogue, one.number, one.speaker, self.labels, one.probabilities, (one.start, one.end))
            for one in self.segments
        ]


def to_vtt(timeline: Timeline) -> str:
    """Write one dialogue as WebVTT subtitles for its recording: a cue for each utterance, sorted by start."""
    cues = ["WEBVTT"]
    for segment in sorted(timeline.segments, key=lambda segment: segment.start):
        text = f"{timeline.emotion(segment)} {max(segment.probabilities):.2f}"
        # WebVTT requires an end after the start, even where both round to the same millisecond.
        start = round(segment.start * 1000)
        end = max(round(segment.end * 1000), start + 1)
        cues.append(f"{_clock(start)} --> {_clock(end)}\n<v {_plain(segment.speaker)}>{_plain(text)}")
    return "\n\n".join(cues) + "\n"


def clock(seconds: float) -> str:
    """Format a time as hours, minutes, seconds and milliseconds: ``00:01:02.500``."""
    return _clock(round(seconds * 1000))


def _clock(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _plain(text: str) -> str:
    """Escape WebVTT's markup and replace line breaks and other control characters."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
