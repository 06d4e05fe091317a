"""Acoustic functionals: features of our own, which need no other program, computed by one definition in torch.

The definition has nothing that cannot be an ONNX operator, and no step that jumps: speech, voicing and pitch are
weights and weighted means, not decisions, so that rounding in another runtime changes a feature by no more than that.
Not in the paper, whose features are openSMILE's.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from replicate.features.audio import RATE
from replicate.rng import deterministic

# In samples: windows of 25 ms every 10 ms.
FRAME, HOP, SPECTRUM = 400, 160, 512
BANDS, LOWEST, HIGHEST = 40, 50.0, 7800.0
CEPSTRAL = 13
# Power of a signal between -1 and 1 below which everything is silence.
FLOOR = 1e-7
# Frames count as speech down to about 30 dB below the loudest; natural logarithms of power.
RANGE, SOFTNESS = 6.9, 0.7
# Pitch: every fourth sample, windows of 50 ms, and this many candidates from the lowest to the highest pitch, in Hz.
DECIMATION, PITCH_FRAME, PITCH_SPECTRUM, HARMONICS = 4, 200, 400, 120
CANDIDATES, LOWEST_PITCH, HIGHEST_PITCH = 96, 60.0, 500.0
# How much the best candidate counts more than the others, and how much an octave higher is preferred.
SHARPNESS, OCTAVE = 100.0, 0.08
VOICED, VOICED_SOFTNESS = 0.5, 0.08
# Weighted means of less than this many frames tend to 0.
LEAST_FRAMES = 0.1
# Added so that nothing is divided by 0, or its root or logarithm taken there.
LEAST_POWER, LEAST_VARIANCE, LEAST_WEIGHT = 1e-4, 1e-6, 1e-9
# How much more the highest values count in "high", or the lowest in "low".
LOUDNESS_SLOPES, PITCH_SLOPES = (1.5, -1.5), (6.0, -6.0)
# Version of the definition; numbers of one version are comparable.
VERSION = 2
_ABSENT = -1e9


class Acoustic(nn.Module):
    """Functionals of utterances: statistics of mel bands, cepstrum, loudness, pitch and voicing over speech frames.

    It has no parameters that are trained. ``columns`` names what it computes.
    """

    def __init__(self) -> None:
        super().__init__()
        bins = np.arange(int(LOWEST * SPECTRUM / RATE), int(np.ceil(HIGHEST * SPECTRUM / RATE)) + 1)
        self.register_buffer("bins", torch.from_numpy(bins))
        window = self._table("window", np.hanning(FRAME + 2)[1:-1])
        self.register_buffer("transform", _transform(bins, window, self._period("window", SPECTRUM)))
        self._table("bands", (_bands(bins).T / FRAME).astype(np.float16))
        self._table("cosines", _cosines(BANDS, CEPSTRAL).T)
        self._table("lowpass", _lowpass()[None])
        harmonics = np.arange(1, HARMONICS + 1)
        self.register_buffer("harmonics", torch.from_numpy(harmonics))
        narrow = np.hanning(PITCH_FRAME + 2)[1:-1]
        window = self._table("pitch_window", narrow)
        self.register_buffer(
            "pitch_transform", _transform(harmonics, window, self._period("pitch_window", PITCH_SPECTRUM))
        )
        pitches = np.geomspace(LOWEST_PITCH, HIGHEST_PITCH, CANDIDATES)
        self._table("correlation", _correlation(harmonics, RATE / DECIMATION / pitches, narrow).astype(np.float16))
        self._table("octaves", np.log2(pitches / 100))

    def _table(self, name: str, values: NDArray[Any]) -> NDArray[np.float32]:
        """Keep a table as 32 bits; one that is given as 16 bits needs no more in an exported file."""
        found = values.astype(np.float32)
        self.register_buffer(name, torch.from_numpy(found))
        return found

    def _period(self, window: str, size: int) -> NDArray[np.float32]:
        """Keep one period of a cosine, from which an exported file looks up the transform under this window."""
        return self._table(f"{window}_period", np.cos(2 * np.pi * np.arange(size) / size))

    def forward(self, waveform: Tensor, length: Tensor) -> Tensor:
        """Return the functionals of a batch of utterances.

        Shapes:
            waveform: (batch, samples) at 16 kHz between -1 and 1; length: (batch,) samples of each, the rest is
            ignored. Returns (batch, columns) float32.
        """
        place = torch.arange(waveform.shape[1])
        # The silence after the end is as long as any window and filter, so that it does not depend on the batch.
        wave = functional.pad(torch.where(place < length[:, None], waveform, 0.0), (0, FRAME))[:, None]
        spectrum = functional.conv1d(wave, self.get_buffer("transform")[:, None], stride=HOP)
        power = _power(spectrum)
        frames = power.shape[1]
        end = torch.arange(frames) * HOP + FRAME
        present = ((end <= length[:, None]) | (end == FRAME)).to(power.dtype)
        mel = torch.log(power @ self.get_buffer("bands") + FLOOR)
        loudness = torch.log(power.sum(2) / (FRAME * power.shape[2]) + FLOOR)
        loudest = (loudness + (present - 1) * -_ABSENT).amax(1, keepdim=True)
        speech = torch.sigmoid((loudness - loudest + RANGE) / SOFTNESS) * present
        octave, strength = self._pitch(wave, frames)
        voiced = torch.sigmoid((strength - VOICED) / VOICED_SOFTNESS) * speech
        cepstrum = mel @ self.get_buffer("cosines")
        speech_frames, voiced_frames = speech.sum(1, keepdim=True), voiced.sum(1, keepdim=True)
        count = present.sum(1, keepdim=True)
        return torch.cat(
            [
                *_statistics(speech, mel),
                *_statistics(speech, cepstrum)[1:],
                *_statistics(speech, torch.stack([loudness, strength], 2)),
                *_statistics(voiced, octave[..., None]),
                *(_extreme(speech, present, loudness, slope) for slope in LOUDNESS_SLOPES),
                *(_extreme(voiced, present, octave, slope) for slope in PITCH_SLOPES),
                *(
                    torch.log(count),
                    speech_frames / count,
                    torch.log1p(speech_frames),
                    voiced_frames / (speech_frames + LEAST_FRAMES),
                ),
            ],
            1,
        )

    def _pitch(self, wave: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Return the pitch in octaves above 100 Hz, and how strong the autocorrelation is there, from 0 to about 1.

        Shapes:
            wave: (batch, 1, samples). Returns twice (batch, frames).
        """
        half = self.get_buffer("lowpass").shape[1] // 2
        slow = functional.conv1d(
            functional.pad(wave, (half, half)), self.get_buffer("lowpass")[:, None], stride=DECIMATION
        )
        slow = functional.pad(slow, pitch_padding())
        transform = self.get_buffer("pitch_transform")[:, None]
        power = _power(functional.conv1d(slow, transform, stride=HOP // DECIMATION))[:, :frames]
        correlation = (power @ self.get_buffer("correlation")) / (power.sum(2, keepdim=True) + LEAST_POWER)
        octaves = self.get_buffer("octaves")
        share = torch.softmax(SHARPNESS * (correlation + OCTAVE * octaves), -1)
        return (share * octaves).sum(-1), (share * correlation).sum(-1)


def columns() -> list[str]:
    """Return the names of the functionals, in their order."""
    bands = [f"mel{number}" for number in range(1, BANDS + 1)]
    cepstral = [f"cepstrum{number}" for number in range(1, CEPSTRAL + 1)]
    kinds = ("mean", "deviation", "change")
    names = [f"{band} {kind}" for kind in kinds for band in bands]
    names += [f"{one} {kind}" for kind in kinds[1:] for one in cepstral]
    names += [f"{one} {kind}" for kind in kinds for one in ("loudness", "voicing")]
    names += [f"pitch {kind}" for kind in kinds]
    names += ["loudness high", "loudness low", "pitch high", "pitch low"]
    return [*names, "log frames", "speech share", "log speech frames", "voiced share"]


class AcousticExtractor:
    """Extractor of acoustic functionals from 16 kHz signals.

    Attributes:
        shortest: samples that an utterance needs at least: one frame.
        recipe: everything that decides the numbers, JSON values only.
    """

    stream = "audio"
    shortest = FRAME
    batch_seconds = 20.0

    def __init__(self) -> None:
        self._model = Acoustic().eval()
        self.recipe: dict[str, Any] = {
            "extractor": "acoustic",
            "version": VERSION,
            "rate": RATE,
            "columns": columns(),
            "versions": {name: version(name) for name in ("torch", "soxr")},
        }

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the vectors of 16 kHz signals, one by one, so that a vector does not depend on the others.

        Shapes:
            returns: (signals, columns) float32.
        """
        with torch.inference_mode(), deterministic():
            return np.concatenate(
                [self._model(torch.from_numpy(signal)[None], torch.tensor([len(signal)])).numpy() for signal in signals]
            )


def _power(parts: Tensor) -> Tensor:
    """Return the power of a spectrum. Shapes: parts: (batch, 2 * bins, frames), returns (batch, frames, bins)."""
    real, imaginary = parts.chunk(2, 1)
    return (real * real + imaginary * imaginary).transpose(1, 2)


def _statistics(weight: Tensor, x: Tensor) -> list[Tensor]:
    """Return weighted mean, deviation and mean absolute change of x between neighbouring frames.

    Shapes:
        weight: (batch, frames); x: (batch, frames, n). Returns three times (batch, n).
    """
    share = weight[..., None] / (weight.sum(1) + LEAST_FRAMES)[:, None, None]
    mean = (share * x).sum(1)
    deviation = torch.sqrt((share * (x - mean[:, None]) ** 2).sum(1) + LEAST_VARIANCE)
    both = weight[:, 1:] * weight[:, :-1]
    change = (both[..., None] * (x[:, 1:] - x[:, :-1]).abs()).sum(1) / (both.sum(1, keepdim=True) + LEAST_FRAMES)
    return [mean, deviation, change]


def _extreme(weight: Tensor, present: Tensor, x: Tensor, slope: float) -> Tensor:
    """Return a mean of x in which high values count more, or low ones if the slope is negative: (batch, 1)."""
    share = torch.softmax(torch.log(weight + LEAST_WEIGHT) + slope * x + (present - 1) * -_ABSENT, 1)
    return (share * x).sum(1, keepdim=True)


def pitch_padding() -> tuple[int, int]:
    """Return samples of silence before and after, by which each window of pitch has the centre of its frame."""
    return (PITCH_FRAME - FRAME // DECIMATION) // 2, PITCH_FRAME + FRAME // DECIMATION


def _transform(bins: NDArray[np.int64], window: NDArray[np.float32], period: NDArray[np.float32]) -> Tensor:
    """Return cosines and sines of a Fourier transform as long as the period, under a window: (2 * bins, samples)."""
    size = len(period)
    place = bins[:, None] * np.arange(len(window))
    return torch.from_numpy(period[np.concatenate([place, place + 3 * size // 4]) % size] * window)


def _bands(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return triangular mel filters over these bins of the spectrum, each with a sum of 1: (bands, bins)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    corners = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = bins * RATE / SPECTRUM
    left, middle, right = (corners[i : BANDS + i, None] for i in range(3))
    found = np.clip(np.minimum((hertz - left) / (middle - left), (right - hertz) / (right - middle)), 0, None)
    return found / found.sum(1, keepdims=True)


def _cosines(inputs: int, outputs: int) -> NDArray[np.float64]:
    """Return the orthonormal cosine transform without its constant: (outputs, inputs)."""
    number = np.arange(1, outputs + 1)[:, None]
    return np.sqrt(2 / inputs) * np.cos(np.pi * number * (np.arange(inputs) + 0.5) / inputs)


def _lowpass() -> NDArray[np.float64]:
    """Return a filter that keeps what every fourth sample can hold: (samples,)."""
    place = np.arange(-8 * DECIMATION, 8 * DECIMATION + 1)
    found = np.sinc(0.9 * place / DECIMATION) * np.hamming(len(place))
    return found / found.sum()


def _correlation(harmonics: NDArray[np.int64], lags: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[Any]:
    """Return the transform from a power spectrum to the autocorrelation at these lags, without the window's own.

    Shapes:
        harmonics: (bins,); lags: (candidates,) in samples. Returns (bins, candidates).
    """
    own = np.correlate(window, window, "full")[len(window) - 1 :]
    share = np.interp(lags, np.arange(len(window)), own / own[0])
    return np.cos(2 * np.pi * harmonics[:, None] * lags / PITCH_SPECTRUM) / share
