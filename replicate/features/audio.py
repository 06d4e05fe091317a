"""Recordings as samples: read a minute at a time, mixed to one channel, resampled to 16 kHz."""

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
# From below telephones to above any converter; resampling others would only fill the memory.
RATES = (4_000, 768_000)
_BLOCK_SECONDS = 60
# Two steps of 16 bits: below that nothing was recorded but the converter's own noise.
_SILENCE = 2 / 2**15


class Header(NamedTuple):
    """What the head of a recording says: samples per second, and seconds."""

    rate: int
    seconds: float


def header(path: Path) -> Header:
    """The head of a recording.

    Raises:
        BadAudio: no such file, not one that libsndfile reads, no samples, or a rate that speech cannot have.
    """
    if not path.is_file():
        raise BadAudio(f"no recording {path}: check its place, or correct the list")
    if not path.stat().st_size:
        raise BadAudio(f"{path} is empty: copy or record it again")
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{path} cannot be read as audio ({_reason(error)}): convert it to wav or flac") from error
    if info.frames == 0:
        raise BadAudio(f"{path} holds no samples: record it again, or take it off the list")
    if not RATES[0] <= info.samplerate <= RATES[1]:
        raise BadAudio(
            f"{path} says it has {info.samplerate} samples per second, not {RATES[0]} to {RATES[1]}: its head is "
            "wrong, convert it again"
        )
    return Header(info.samplerate, info.frames / info.samplerate)


def load(path: Path, start: float = 0.0, stop: float | None = None) -> NDArray[np.float32]:
    """The recording from ``start`` to ``stop`` seconds; memory grows by 64 kB per second of it.

    Shapes:
        returns: (samples,) float32, one channel (the mean of all) at 16 kHz.

    Raises:
        BadAudio: it cannot be read, ends before ``stop``, is silent, or holds NaN or infinity.
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
    # A millisecond short is a matter of rounding.
    if len(samples) < wanted * RATE / rate - RATE / 1000 or not len(samples):
        raise BadAudio(f"{where} ends after {len(samples) / RATE:.3f} s: fetch the file again, or correct the times")
    if not np.isfinite(samples.sum(dtype=np.float64)):  # of finite samples, it is finite
        raise BadAudio(f"{where} holds samples that are no numbers (NaN or infinity): convert or record it again")
    if np.ptp(samples) < _SILENCE:
        raise BadAudio(f"{where} is silent: check the microphone and the channel, or take it off the list")
    return samples


def _filled(blocks: Iterable[NDArray[np.float32]], expected: int) -> NDArray[np.float32]:
    """The blocks one after the other, without holding them twice."""
    samples = np.empty(expected + RATE, np.float32)  # resamplers may give some more
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
