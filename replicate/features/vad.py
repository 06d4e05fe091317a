"""Voice activity detection with silero-vad: where somebody speaks in a recording without a list of segments.

The package's model is run by onnxruntime, in blocks, so that a recording of any length takes little memory; importing
the package would load PyTorch, and set its number of threads for the whole process. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.errors import BadAudio, MissingExtra
from replicate.features import audio, mixing
from replicate.features.segments.base import Segment

# Samples at 16 kHz of a frame, and of the end of the frame before it that the model is given, too.
FRAME, CONTEXT = 512, 64
# Speech begins at the one probability, and may end below the other: the defaults of silero-vad.
SPEECH, QUIET = 0.5, 0.35
# Samples: shorter speech is left out; a pause that ends an utterance; what is added on both sides.
SHORTEST, PAUSE, PAD = 4_000, 4_800, 480
# Frames of an utterance, 10 s; longer ones are cut where speech is least probable.
LONGEST = 312
# Names of speakers where nothing tells them apart.
ONE = "speech"
_MODEL = Path("data") / "silero_vad_16k_sequence.onnx"


class SileroVad:
    """The probabilities of speech in one channel, which comes in blocks of any length."""

    def __init__(self) -> None:
        self._session = _session()
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)
        self._context: NDArray[np.float32] = np.zeros(CONTEXT, np.float32)
        self._state = [np.zeros((1, 1, 128), np.float32) for _ in range(2)]
        self.probabilities: list[float] = []
        self.samples = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Add the next samples, (n,) at 16 kHz."""
        self.samples += len(samples)
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // FRAME * FRAME
        self._rest = samples[whole:]
        self._frames(samples[:whole])

    def end(self) -> list[tuple[int, int]]:
        """Return the utterances as first and last sample, after all samples were added."""
        self._frames(np.pad(self._rest, (0, -len(self._rest) % FRAME)))
        return utterances(self.probabilities, self.samples)

    def _frames(self, samples: NDArray[np.float32]) -> None:
        if not len(samples):
            return
        frames = samples.reshape(-1, FRAME)
        contexts = np.vstack([self._context, frames[:-1, -CONTEXT:]])
        self._context = frames[-1, -CONTEXT:]
        inputs = {"input": np.hstack([contexts, frames]), "h": self._state[0], "c": self._state[1]}
        found, *self._state = self._session.run(["speech_probs", "hn", "cn"], inputs)
        self.probabilities += found.reshape(-1).tolist()


def utterances(probabilities: Sequence[float], samples: int) -> list[tuple[int, int]]:
    """Return first and last sample of each utterance.

    Speech begins with a frame of at least ``SPEECH``; it ends where ``PAUSE`` samples below ``QUIET`` begin.

    Args:
        probabilities: of speech in each frame. samples: of the recording.
    """
    found: list[tuple[int, int]] = []
    start = quiet = None
    for number, probability in enumerate(probabilities):
        at = number * FRAME
        if probability >= SPEECH:
            start, quiet = at if start is None else start, None
        elif probability < QUIET and start is not None:
            quiet = at if quiet is None else quiet
            if at - quiet >= PAUSE:
                found.append((start, quiet))
                start = quiet = None
    if start is not None:
        found.append((start, samples))
    long = [(start, stop) for start, stop in found if stop - start > SHORTEST]
    padded = [(max(0, start - PAD), min(samples, stop + PAD)) for start, stop in long]
    return [piece for start, stop in padded for piece in _cut(probabilities, start, stop)]


def _cut(probabilities: Sequence[float], start: int, stop: int) -> list[tuple[int, int]]:
    """Cut an utterance that is too long where speech is least probable, away from its ends."""
    frames = (stop - start) // FRAME
    if frames <= LONGEST:
        return [(start, stop)]
    first = start // FRAME + frames // 4
    middle = probabilities[first : first + frames // 2]
    at = (first + middle.index(min(middle))) * FRAME
    return [*_cut(probabilities, start, at), *_cut(probabilities, at, stop)]


def detect(
    path: Path, names: Sequence[str] = (), advance: Callable[[float], None] = lambda seconds: None
) -> list[Segment]:
    """Return where somebody speaks in a recording.

    Args:
        names: the speaker of each channel, if there is one on each; otherwise channels are mixed, for one speaker.
        advance: called with the seconds of each block that is done.

    Raises:
        BadAudio: nobody speaks, or the recording cannot be read. MissingExtra: silero-vad is not installed.
    """
    detectors, levels = [SileroVad() for _ in names or (ONE,)], mixing.Levels()
    for block in audio.blocks(path):
        mono = block.mean(1)
        if not names:
            levels.add(block, mono)
        for detector, samples in zip(detectors, block.T if names else [mono], strict=True):
            detector.add(np.ascontiguousarray(samples))
        advance(len(block) / audio.RATE)
    found = [
        Segment(start / audio.RATE, stop / audio.RATE, name, str(path), channel if names else None)
        for channel, (name, detector) in enumerate(zip(names or (ONE,), detectors, strict=True))
        for start, stop in detector.end()
    ]
    if not found and levels.cancelled:
        raise BadAudio(
            f"the channels of {path} cancel each other: one is inverted; name them with --channels, or keep one"
        )
    if not found:
        raise BadAudio(
            f"no speech found in {path}: check the microphone and the channel, or list its segments with --segments"
        )
    return found


def require() -> Path:
    """Return the path of the model.

    Raises:
        MissingExtra: silero-vad is not installed, or an older version without this model.
    """
    spec = find_spec("silero_vad")
    path = Path((spec.submodule_search_locations or ["."])[0]) / _MODEL if spec else None
    if path is None or not path.is_file():
        what = "is too old" if path else "is not installed"
        raise MissingExtra(
            f"silero-vad {what}, which finds speech in recordings without a list of segments: run `pip install -e "
            "'.[audio]'` in a checkout, or give a list with --segments"
        )
    return path


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the model is too small for more
    return onnxruntime.InferenceSession(str(require()), options, providers=["CPUExecutionProvider"])
