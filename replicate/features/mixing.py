"""Blocks of an open recording, resampled to 16 kHz: their mix, one of their channels, or all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from replicate.features import decoder

RATE = 16_000
# Two steps of 16 bits: a smaller range is noise of the converter.
SILENCE = 2 / 2**15
_BLOCK_SECONDS = 60
# Samples of all channels in a block, 64 MB.
_BLOCK_SAMPLES = 2**24
# A mix of N unrelated channels has 1/N of their mean power. A mix with less than half of that has lost sound.
_CANCELLED = 0.5


class Levels:
    """Powers of channels and of their mix, without their means, summed over blocks."""

    def __init__(self) -> None:
        self._frames = 0
        self._sums: NDArray[np.float64] = np.zeros(0)
        self._squares: NDArray[np.float64] = np.zeros(0)

    def add(self, block: NDArray[np.float32], mono: NDArray[np.float32]) -> None:
        """Add a block (frames, channels) and its mix (frames,)."""
        both = np.column_stack([block, mono])
        if not self._frames:
            self._sums, self._squares = np.zeros(both.shape[1]), np.zeros(both.shape[1])
        self._frames += len(both)
        self._sums += both.sum(0, dtype=np.float64)
        self._squares += np.einsum("ij,ij->j", both, both, dtype=np.float64)

    @property
    def cancelled(self) -> bool:
        """Whether the mix has less than half of the power that it has if the channels are unrelated."""
        if not self._frames or len(self._sums) < 3:
            return False
        *channels, mix = self._squares / self._frames - (self._sums / self._frames) ** 2
        mean = float(np.mean(channels))
        return bool(mean > SILENCE**2 and mix < _CANCELLED * mean / len(channels))


def one_channel(
    file: soundfile.SoundFile, wanted: int, rate: int, levels: Levels, channel: int | None
) -> Iterator[NDArray[np.float32]]:
    """Yield the next ``wanted`` frames as blocks, (n,): a channel, or the mean of all, whose levels are added."""
    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None
    for block, last in _blocks(file, wanted, rate):
        mono = block.mean(1) if channel is None else np.ascontiguousarray(block[:, channel])
        if file.channels > 1 and channel is None:
            levels.add(block, mono)
        yield mono if stream is None else stream.resample_chunk(mono, last=last)


def all_channels(file: soundfile.SoundFile, wanted: int, rate: int) -> Iterator[NDArray[np.float32]]:
    """Yield the next ``wanted`` frames as blocks, (n, channels)."""
    stream = soxr.ResampleStream(rate, RATE, file.channels, dtype="float32") if rate != RATE else None
    for block, last in _blocks(file, wanted, rate):
        found = block if stream is None else stream.resample_chunk(block, last=last)
        yield found.reshape(-1, file.channels)


def _blocks(file: soundfile.SoundFile, wanted: int, rate: int) -> Iterator[tuple[NDArray[np.float32], bool]]:
    """Yield blocks, and whether each is the last one."""
    most = max(1, min(_BLOCK_SECONDS * rate, _BLOCK_SAMPLES // file.channels))
    left = wanted
    while left > 0:
        block = decoder.read(file, min(left, most))
        left = left - len(block) if len(block) else 0
        yield block, left == 0
