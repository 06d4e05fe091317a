"""Predict sound as it arrives: voice activity finds utterances, the model answers each as soon as it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.demo.activity import RATE, Activity, Utterance
from export.demo.wave_stream import WaveModel, WaveStream
from export.output import UtterancePrediction, utterance


@dataclass(frozen=True)
class Prediction:
    """One utterance and its prediction.

    Attributes:
        number: from 1. start, end: in seconds. seconds: what the answer took.

    Shapes:
        probabilities: (classes,); features: (columns,).
    """

    number: int
    speaker: str
    start: float
    end: float
    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]
    seconds: float

    def output(self, dialogue: str, labels: Sequence[str]) -> UtterancePrediction:
        """Return the utterance for JSON and CSV output."""
        times = (self.start, self.end)
        return utterance(dialogue, self.number, self.speaker, labels, self.probabilities, times)


@dataclass(frozen=True)
class Status:
    """What a channel of the sound is at the moment: seconds so far, level and noise floor in dB, and speech or not."""

    seconds: float
    level: float
    floor: float
    speaking: bool


def follow(
    model: WaveModel,
    pieces: Iterable[NDArray[np.float32]],
    speakers: Sequence[str],
    show: Callable[[Status], object] = lambda status: None,
) -> Iterator[Prediction]:
    """Yield the prediction of each utterance once it has ended; all are one dialogue.

    Args:
        pieces: (n, channels) at 16 kHz; see ``export.demo.sources``.
        speakers: who speaks on each channel, names that the model knows.
        show: called after each piece, for the channel with the highest level.

    Raises:
        BadBundle: the model's answer is not finite.
    """
    stream = WaveStream(model)
    channels: list[Activity] = []
    played = count = 0
    for piece in pieces:
        channels = channels or [Activity() for _ in range(piece.shape[1])]
        played += len(piece)
        found = [(one, i) for i, channel in enumerate(channels) for one in channel.push(piece[:, i])]
        for one in _answers(stream, found, speakers, count):
            count = one.number
            yield one
        loud = max(channels, key=lambda channel: channel.level)
        show(Status(played / RATE, loud.level, loud.floor, any(channel.speaking for channel in channels)))
    last = [(one, i) for i, channel in enumerate(channels) for one in channel.finish()]
    yield from _answers(stream, last, speakers, count)


def _answers(
    stream: WaveStream, found: list[tuple[Utterance, int]], speakers: Sequence[str], count: int
) -> Iterator[Prediction]:
    for number, (one, channel) in enumerate(sorted(found, key=lambda pair: pair[0].start), count + 1):
        before = time.perf_counter()
        answer = stream.feed(one.samples, speakers[channel])
        took = time.perf_counter() - before
        start = one.start / RATE
        yield Prediction(
            number,
            speakers[channel],
            start,
            start + len(one.samples) / RATE,
            answer.probabilities,
            answer.features,
            took,
        )
