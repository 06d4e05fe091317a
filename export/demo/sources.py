"""Where live sound comes from: a recording, played as it would sound or as fast as it can be decoded, or a microphone.

Needs soundfile and soxr for recordings, and sounddevice (the extra ``[microphone]``) for a microphone.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.demo.activity import RATE
from replicate.errors import MissingDevice, MissingExtra

# Samples of a piece of sound: a tenth of a second.
PIECE = RATE // 10
# Two channels are two speakers where their correlation over the first minute is below this.
ALIKE, MINUTE = 0.5, 60 * RATE
# Seconds of sound that wait to be used; more means that the machine is too slow.
WAITING = 30

Pieces = Generator[NDArray[np.float32], None, None]


def recording(path: Path, fast: bool = False, note: Callable[[str], object] = lambda text: None) -> Pieces:
    """Yield a recording in pieces of a tenth of a second, in real time unless ``fast``; holds a minute of it.

    Args:
        note: called with a line for each reason to doubt the answers, as ``replicate predict`` prints them.

    Shapes:
        yields: (n, channels) at 16 kHz; 2 channels if each holds another speaker, otherwise their mean as one.

    Raises:
        BadAudio: it is missing, cannot be decoded, or contains NaN or infinity.
    """
    from replicate.features import audio, mixing

    found = audio.header(path)
    if found.cut is not None:
        raise found.cut
    if found.warning:
        note(f"{path} {found.warning}")
    if found.rate < RATE:
        note(f"{path} was recorded below 16 kHz: without high frequencies, features are less reliable")
    levels = mixing.Levels()
    begin, played = time.monotonic(), 0
    two: bool | None = None
    for block in audio.blocks(path):
        if two is None:
            two = block.shape[1] == 2 and abs(correlation(block[:MINUTE, 0], block[:MINUTE, 1])) < ALIKE
        sound = block if two else block.mean(1, keepdims=True)
        if not two and block.shape[1] > 1:
            levels.add(block, sound[:, 0])
        for at in range(0, len(sound), PIECE):
            piece = sound[at : at + PIECE]
            played += len(piece)
            if not fast:
                time.sleep(max(0.0, begin + played / RATE - time.monotonic()))
            yield piece
    if levels.cancelled:
        note(
            f"the channels of {path} cancel each other: their mix is much weaker than they are, as if one was "
            "inverted; keep one channel alone"
        )


def microphone() -> Pieces:
    """Yield the sound of the system's default microphone until the generator is closed.

    Shapes:
        yields: (n, 1) at 16 kHz.

    Raises:
        MissingExtra: sounddevice or PortAudio is not installed. MissingDevice: there is no microphone, or it cannot be
            opened.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtra(
            "sounddevice is not installed, which a microphone needs: `pip install -e '.[microphone]'` in a checkout, "
            "or play a recording with --source FILE"
        ) from error
    except OSError as error:  # it found no PortAudio
        raise MissingExtra(
            f"PortAudio is missing, which a microphone needs ({error}): install it (Debian: libportaudio2), "
            "or play a recording with --source FILE"
        ) from error
    waiting: queue.Queue[NDArray[np.float32]] = queue.Queue(WAITING * RATE // PIECE)

    def keep(block: NDArray[np.float32], *_: object) -> None:
        if not waiting.full():
            waiting.put_nowait(block.copy())

    try:
        device = sounddevice.InputStream(RATE, PIECE, channels=1, dtype="float32", callback=keep)
        device.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MissingDevice(
            f"no microphone can be opened ({' '.join(str(error).split())}): connect one and allow its use, or play a "
            "recording with --source FILE"
        ) from error
    with device:
        while True:
            try:
                yield waiting.get(timeout=1)
            except queue.Empty as error:
                if not device.active:
                    raise MissingDevice("the microphone was disconnected: connect it and start again") from error


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two channels; 0 where one of them is constant."""
    a, b = (channel.astype(np.float64) - channel.mean(dtype=np.float64) for channel in (one, other))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
