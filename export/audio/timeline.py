"""Who feels what when: the predictions of a recording, as people and other programs read them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from itertools import groupby

DIGITS = 6


@dataclass(frozen=True)
class Turn:
    """One utterance: who spoke, from when to when in seconds of the dialogue, and how probable each emotion is."""

    dialogue: str
    utterance: str
    speaker: str
    start: float
    stop: float
    probability: tuple[float, ...]


@dataclass(frozen=True)
class Timeline:
    """The turns of one dialogue or several, dialogue after dialogue.

    Attributes:
        labels: emotions, in the order of a turn's probabilities.
        left_out: what is wrong with the utterances that have no turn.
        notes: what a reader has to know.
    """

    labels: tuple[str, ...]
    turns: tuple[Turn, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def emotion(self, turn: Turn) -> str:
        """The most probable emotion."""
        return self.labels[turn.probability.index(max(turn.probability))]

    @property
    def dialogues(self) -> dict[str, Timeline]:
        """One timeline per dialogue."""
        return {
            name: replace(self, turns=tuple(turns))
            for name, turns in groupby(self.turns, key=lambda turn: turn.dialogue)
        }


def as_json(timeline: Timeline) -> str:
    """A list of dialogues with their utterances, as ``export.predictor.as_json`` has it, and times."""
    content = [
        {
            "dialogue": name,
            "utterances": [
                {
                    "utterance": turn.utterance,
                    "speaker": turn.speaker,
                    "start": round(turn.start, 3),
                    "end": round(turn.stop, 3),
                    "emotion": timeline.emotion(turn),
                    "probability": {
                        label: round(value, DIGITS)
                        for label, value in zip(timeline.labels, turn.probability, strict=True)
                    },
                }
                for turn in dialogue.turns
            ],
        }
        for name, dialogue in timeline.dialogues.items()
    ]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_csv(timeline: Timeline) -> str:
    """A row per utterance, a column of probabilities per emotion."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dialogue", "utterance", "speaker", "start", "end", "emotion", *timeline.labels])
    for turn in timeline.turns:
        times = (f"{turn.start:.3f}", f"{turn.stop:.3f}")
        values = (f"{value:.{DIGITS}f}" for value in turn.probability)
        writer.writerow([turn.dialogue, turn.utterance, turn.speaker, *times, timeline.emotion(turn), *values])
    return text.getvalue()


def as_vtt(timeline: Timeline) -> str:
    """One dialogue as WebVTT, to be shown over its recording: a cue per utterance, in order of their starts."""
    cues = ["WEBVTT"]
    for turn in sorted(timeline.turns, key=lambda turn: turn.start):
        said = f"{timeline.emotion(turn)} {max(turn.probability):.2f}"
        # A cue ends after it starts, even where both round to the same millisecond.
        start = round(turn.start * 1000)
        stop = max(round(turn.stop * 1000), start + 1)
        cues.append(f"{_clock(start)} --> {_clock(stop)}\n<v {_plain(turn.speaker)}>{_plain(said)}")
    return "\n\n".join(cues) + "\n"


def clock(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds, as WebVTT wants them."""
    return _clock(round(seconds * 1000))


def _clock(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _plain(text: str) -> str:
    """Text in one line, in which nothing is markup."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
