"""Load recordings as samples: block by block, mixed to one channel, resampled to 16 kHz."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from replicate.errors import BadAudio

RATE = 16_000
# From below telephone speech to above any converter; other rates are errors, and resampling them could fill the memory.
RATES = (4_000, 768_000)
_BLOCK_SECONDS = 60
# Two steps of 16 bits: a smaller range is noise of the converter.
_SILENCE = 2 / 2**15


class Header(NamedTuple):
    """Samples per second and duration in seconds, from the header of a recording."""

    rate: int
    seconds: float


def header(path: Path) -> Header:
    """Load the header of a recording.

    Raises:
        BadAudio: the file is missing, empty, not in a format of libsndfile, or has an impossible sampling rate.
    """
    if not path.is_file():
        raise BadAudio(f"no recording {path}: check the path, or correct the list")
    if not path.stat().st_size:
        raise BadAudio(f"{path} is empty: copy or record it again")
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{path} cannot be read as audio ({_reason(error)}): convert it to wav or flac") from error
    if info.frames == 0:
        raise BadAudio(f"{path} holds no samples: record it again, or remove it from the list")
    if not RATES[0] <= info.samplerate <= RATES[1]:
        raise BadAudio(
            f"{path} has {info.samplerate} samples per second by its header, not {RATES[0]} to {RATES[1]}: the header "
            "is wrong, convert it again"
        )
    return Header(info.samplerate, info.frames / info.samplerate)


def load(path: Path, start: float = 0.0, stop: float | None = None) -> NDArray[np.float32]:
    """Load a recording from ``start`` to ``stop`` seconds; takes 64 kB of memory per second.

    Shapes:
        returns: (samples,) float32 at 16 kHz, the mean of all channels.

    Raises:
        BadAudio: it cannot be read, ends before ``stop``, is silent, or contains NaN or infinity.
    """
    where = str(path) if stop is None else f"{path} from {start:g} s to {stop:g} s"
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            wanted = (file.frames if stop is None else round(stop * rate)) - round(start * rate)
            file.seek(min(round(start * rate), file.frames))
            samples = _filled(_resampled(file, wanted, rate), math.ceil(max(wanted, 0) * RATE / rate))
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{where} cannot be read as audio ({_reason(error)}): convert it to wav or flac") from error
    # Up to a millisecond is rounding.
    if len(samples) < wanted * RATE / rate - RATE / 1000 or not len(samples):
        raise BadAudio(f"{where} ends after {len(samples) / RATE:.3f} s: fetch the file again, or correct the times")
    if not np.isfinite(samples.sum(dtype=np.float64)):  # the sum is finite exactly if all samples are
        raise BadAudio(f"{where} contains NaN or infinity: convert or record it again")
    if np.ptp(samples) < _SILENCE:
        raise BadAudio(f"{where} is silent: check the microphone and the channel, or remove it from the list")
    return samples


def _filled(blocks: Iterable[NDArray[np.float32]], expected: int) -> NDArray[np.float32]:
    """Concatenate blocks into an array that is allocated once."""
    samples = np.empty(expected + RATE, np.float32)  # a resampler may return some more
    end = 0
    for block in blocks:
        samples[end : end + len(block)] = block
        end += len(block)
    return samples[:end]


def _resampled(file: soundfile.SoundFile, wanted: int, rate: int) -> Iterator[NDArray[np.float32]]:
    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None
    left = wanted
    while left > 0:
        block = file.read(min(left, _BLOCK_SECONDS * rate), dtype="float32", always_2d=True)
        left = left - len(block) if len(block) else 0
        mono = block.mean(1)
        yield mono if stream is None else stream.resample_chunk(mono, last=left == 0)


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(". ")
