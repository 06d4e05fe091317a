"""Load recordings as samples: block by block, mixed to one channel or one channel alone, resampled to 16 kHz."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from replicate.errors import BadAudio, TooLittleMemory
from replicate.features import compressed, containers, decoder, mistaken, mixing, transcode

RATE = mixing.RATE
# From below telephone speech to above any converter; other rates are errors, and resampling them could fill the memory.
RATES = (4_000, 768_000)
# Seconds of one utterance, 460 MB: an utterance that is longer is a conversation, or a wrong header.
LONGEST = 7_200
# Formats of libsndfile of which a file shows whether its end is missing. The others are of samplers and old computers.
_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3", "MPEG")
# Samples at 16 kHz for each byte of a file, more than in any codec of speech. More memory is taken when it is used.
_EXPANSION = 16


class Header(NamedTuple):
    """Samples per second and duration in seconds, from the header of a recording.

    Attributes:
        cut: the problem that the end is missing in the file, or cannot be read, though the header declares it; then
            ``seconds`` is what is there, as far as that is known without decoding.
        warning: a possible error, to follow the path in a message.
        channels: how many the recording has.
    """

    rate: int
    seconds: float
    cut: BadAudio | None = None
    warning: str = ""
    channels: int = 1


class Decoded(NamedTuple):
    """Samples of a recording, (n,) float32 at 16 kHz, the mean of all channels or one of them.

    Attributes:
        cancelled: whether the mix is much weaker than its channels, as when one of them is inverted.
        peak: the largest absolute sample.
    """

    samples: NDArray[np.float32]
    cancelled: bool
    peak: float


def header(path: Path) -> Header:
    """Load the header of a recording, and compare what it declares with the size of the file.

    Raises:
        BadAudio: the file is missing, empty, in a format that neither libsndfile nor ffmpeg reads, or has an impossible
            sampling rate or size. DiskFull: see ``transcode.readable``.
    """
    if not path.is_file():
        if path.is_symlink():
            raise BadAudio(
                f"{path} is a link to {path.readlink()}, which is missing: fetch that file, or mount its disk"
            )
        raise BadAudio(f"no recording {path}: check the path, or correct the list")
    if not path.stat().st_size:
        raise BadAudio(f"{path} is empty: copy or record it again")
    with transcode.readable(path) as source:
        return _header(source)


def _header(path: Path) -> Header:
    found = None
    try:
        found = containers.sound(path)
        end = compressed.end(path)
        with decoder.open_sound(path, found) as file:
            return _checked(path, file, found, end)._replace(channels=int(file.channels))
    except (soundfile.SoundFileError, OSError) as error:
        if found is not None and found.missing and found.present:
            raise _cut(path, f"{found.declared:,} bytes of sound", f"it holds {found.present:,}") from error
        raise _unreadable(path, error) from error


def _cut(path: Path, declared: str, found: str) -> BadAudio:
    return BadAudio(f"{path} is cut short: it declares {declared}, and {found}: fetch it again")


def _checked(path: Path, file: soundfile.SoundFile, found: containers.Sound | None, end: compressed.End) -> Header:
    """Return the header of an open recording."""
    if file.format not in _FORMATS:
        raise BadAudio(f"{path} is {file.format}, of which nothing shows whether its end is missing: convert it to wav")
    rate = _rate(path, file)
    frames = decoder.count(path, file)
    if not frames:
        what = "holds no samples: record it again, or remove it from the list"
        raise BadAudio(
            f"{path} ends where its sound should begin: fetch it again" if _missing(found) else f"{path} {what}"
        )
    seconds = frames / rate
    if found is not None and found.missing:
        cut = _cut(path, f"{found.declared:,} bytes of sound", f"it holds {found.present:,}")
        return Header(rate, seconds, cut)
    if end.problem:
        return Header(rate, min(seconds, end.seconds or seconds), BadAudio(f"{path} {end.problem}"))
    # An MP3 file may declare less than it holds, and is decoded so far; encoders add up to 3 frames.
    if end.seconds is not None and end.seconds - seconds > 4 * compressed.LONGEST_FRAME / rate:
        what = f"holds {end.seconds:.1f} s, of which {seconds:.1f} s would be read: convert it to wav"
        return Header(rate, seconds, BadAudio(f"{path} {what}"))
    if decoder.lacks_end(file, frames):
        return Header(rate, seconds, _cut(path, f"{seconds:.1f} s", "their end is missing"))
    if decoder.is_unknown(file) or (found is not None and found.declared is None):
        return Header(rate, seconds, warning="declares no length, as if written into a pipe: taken to its end")
    if found is not None and found.unclaimed * seconds > 0.1 * (found.declared or 0):
        warning = (
            f"declares {seconds:.2f} s, and {found.unclaimed:,} bytes follow that belong to nothing: is it longer?"
        )
        return Header(rate, seconds, warning=warning)
    return Header(rate, seconds, warning=end.warning)


def _rate(path: Path, file: soundfile.SoundFile) -> int:
    rate = int(file.samplerate)
    if not RATES[0] <= rate <= RATES[1]:
        raise BadAudio(
            f"{path} has {rate} samples per second by its header, not {RATES[0]} to {RATES[1]}: the header "
            "is wrong, convert it again"
        )
    return rate


def _missing(found: containers.Sound | None) -> bool:
    return found is not None and found.missing > 0


def load(path: Path, start: float = 0.0, stop: float | None = None) -> NDArray[np.float32]:
    """Return the samples of ``decode``, (n,) float32."""
    return decode(path, start, stop).samples


def decode(path: Path, start: float = 0.0, stop: float | None = None, channel: int | None = None) -> Decoded:
    """Load a recording from ``start`` to ``stop`` seconds; takes 64 kB of memory per second.

    Args:
        channel: the one to load, from 0; None loads the mean of all.

    Raises:
        BadAudio: it cannot be read, lacks the channel, ends before ``stop``, is silent, or contains NaN or infinity.
        TooLittleMemory: the samples do not fit.
    """
    with transcode.readable(path) as source:
        return _decode(source, start, stop, channel)


def _decode(path: Path, start: float, stop: float | None, channel: int | None) -> Decoded:
    where = str(path) if stop is None else f"{path} from {start:g} s to {stop:g} s"
    levels = mixing.Levels()
    try:
        # Samples of a damaged file may be NaN or near the largest float; that is checked below.
        with (
            decoder.open_sound(path, containers.sound(path)) as file,
            np.errstate(all="ignore"),
            decoder.quiet(file, start > 0),
        ):
            rate = _rate(path, file)
            frames = decoder.count(path, file)
            wanted = (frames if stop is None else round(stop * rate)) - round(start * rate)
            decoder.skip_to(file, min(round(start * rate), frames))
            blocks = mixing.one_channel(file, wanted, rate, levels, _existing(path, file, channel))
            expected = math.ceil(max(wanted, 0) * RATE / rate)
            samples = _filled(blocks, expected, min(expected, _EXPANSION * path.stat().st_size))
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error, where) from error
    except MemoryError as error:
        raise TooLittleMemory(f"{where} does not fit into memory, 64 kB per second: cut it into utterances") from error
    # Up to a millisecond is rounding.
    if len(samples) < wanted * RATE / rate - RATE / 1000 or not len(samples):
        raise BadAudio(f"{where} ends after {len(samples) / RATE:.3f} s: fetch the file again, or correct the times")
    with np.errstate(all="ignore"):
        finite = np.isfinite(samples.sum(dtype=np.float64))  # the sum is finite exactly if all samples are
        height, peak = np.ptp(samples), float(np.abs(samples).max())
    if not finite:
        raise BadAudio(f"{where} contains NaN or infinity: convert or record it again")
    if height < mixing.SILENCE:
        if levels.cancelled:
            raise BadAudio(
                f"the channels of {where} cancel each other: one of them is inverted, keep one channel alone"
            )
        raise BadAudio(f"{where} is silent: check the microphone and the channel, or remove it from the list")
    return Decoded(samples, levels.cancelled, peak)


def blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield a recording of any length in blocks of at most a minute, (n, channels) at 16 kHz.

    Raises:
        BadAudio: it cannot be read, or contains NaN or infinity.
    """
    with transcode.readable(path) as source:
        yield from _blocks(source)


def _blocks(path: Path) -> Iterator[NDArray[np.float32]]:
    try:
        with decoder.open_sound(path, containers.sound(path)) as file:
            rate = _rate(path, file)
            for block in mixing.all_channels(file, decoder.count(path, file), rate):
                with np.errstate(all="ignore"):
                    finite = np.isfinite(block.sum(dtype=np.float64))
                if not finite:
                    raise BadAudio(f"{path} contains NaN or infinity: convert or record it again")
                yield block
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error


def _existing(path: Path, file: soundfile.SoundFile, channel: int | None) -> int | None:
    if channel is not None and not 0 <= channel < file.channels:
        raise BadAudio(f"{path} has no channel {channel + 1}, only {file.channels}: correct the list of its segments")
    return channel


def _unreadable(path: Path, error: Exception, where: str | None = None) -> BadAudio:
    try:
        return BadAudio(f"{where or path} {mistaken.explain(path, _reason(error))}")
    except OSError as other:
        return BadAudio(f"{path} cannot be read ({other.strerror}): check the disk and its permissions")


def _filled(blocks: Iterable[NDArray[np.float32]], expected: int, capacity: int) -> NDArray[np.float32]:
    """Concatenate blocks into an array, which is enlarged only where a header declares more than files usually hold."""
    samples = np.empty(capacity + RATE, np.float32)  # a resampler may return some more
    end = 0
    for block in blocks:
        if end + len(block) > len(samples):
            enlarged = np.empty(min(2 * len(samples), expected) + RATE + len(block), np.float32)
            enlarged[:end] = samples[:end]
            samples = enlarged
        samples[end : end + len(block)] = block
        end += len(block)
    return samples[:end]


# Reasons of libsndfile that name no cause, by how they begin, and what they mean.
_REASONS = {
    "Internal error : SF_INFO": "it declares an impossible number of samples per second",
    "Unspecified internal error": "what its header declares contradicts itself",
    "File does not exist": "what its header declares contradicts itself",
}


def _reason(error: Exception) -> str:
    reason = str(getattr(error, "error_string", error)).rstrip(". ")
    return next((meaning for begin, meaning in _REASONS.items() if reason.startswith(begin)), reason)
