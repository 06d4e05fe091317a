"""Cut clips to utterances as ``replicate demo`` cuts recordings, so that a model is trained on what it will be given.

Clips of acted speech begin and end with a second of silence. Functionals of the duration, of the share of speech and of
the lowest loudness then differ by up to 8 deviations from those of utterances that voice activity found. Levels of
microphones differ, too: with ``GAINS``, clips are repeated louder and softer. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from export.demo.activity import RATE, Activity
from export.demo.sources import PIECE
from replicate.features import audio
from replicate.features.source import Source, Utterance

# Factors of the samples of clips for training; 1 comes first, and is the only one of dev and test.
GAINS = (1.0, 0.25, 0.5, 2.0, 4.0)


def cut(source: Source, folder: Path, gains: Sequence[float] = GAINS) -> Source:
    """Write the longest utterance of each clip to a folder, and return the source of these.

    A clip in which no speech is found stays whole. Clips for training are repeated with each gain, and once more as
    they are, in dialogues of their own: ``name x0.5`` and ``name whole``.

    Raises:
        BadAudio: a clip cannot be decoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    clips = [longest(audio.load(one.path, one.start, one.stop)) for one in source.utterances]
    for gain in gains:
        for number, (one, samples) in enumerate(zip(source.utterances, clips, strict=True)):
            if gain == 1 or one.split == "train":
                path = folder / f"{number}-{gain:g}.wav"
                soundfile.write(path, samples * np.float32(gain), RATE, subtype="FLOAT")
                again = one if gain == 1 else _named(one, f"x{gain:g}")
                found.append(replace(again, path=path, start=0.0, stop=None))
    whole = [_named(one, "whole") for one in source.utterances if one.split == "train"]
    return replace(source, utterances=(*found, *whole))


def _named(one: Utterance, suffix: str) -> Utterance:
    return replace(one, dialogue=f"{one.dialogue} {suffix}", name=f"{one.name} {suffix}")


def longest(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the longest utterance of a signal at 16 kHz, or all of it if it has none."""
    detector = Activity()
    pieces = [one for at in range(0, len(samples), PIECE) for one in detector.push(samples[at : at + PIECE])]
    ended = [*pieces, *detector.finish()]
    return max(ended, key=lambda one: len(one.samples)).samples if ended else samples
