"""What speech encoders take: waveforms, log-mel spectrograms of windows of one length, or filter banks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from replicate.features.audio import RATE


class Frames(NamedTuple):
    """Frames of a model's hidden states, in samples.

    Attributes:
        stride: samples between the starts of two frames.
        receptive: samples that an utterance needs for its first frame.
    """

    stride: int
    receptive: int

    @staticmethod
    def of(config: Any) -> Frames:
        """Compute both from the kernels and strides of the convolutions. Raises: ValueError: they are none."""
        if min(*config.conv_kernel, *config.conv_stride) < 1:
            raise ValueError(f"kernels {config.conv_kernel} and strides {config.conv_stride} of convolutions")
        stride, receptive = 1, 1
        for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
            receptive += (kernel - 1) * stride
            stride *= step
        return Frames(stride, receptive)

    def count(self, samples: int) -> int:
        """Return the number of frames of a signal."""
        return max(0, (samples - self.receptive) // self.stride + 1)

    def samples(self, frames: int) -> int:
        """Return the samples that so many frames cover."""
        return (frames - 1) * self.stride + max(self.stride, self.receptive)


class Signal(NamedTuple):
    """A signal, and the mean and deviation that normalise it."""

    samples: NDArray[np.float32]
    mean: float = 0.0
    deviation: float = 1.0

    def window(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return normalised samples begin:end, without copying the rest of a long signal."""
        return ((self.samples[begin:end] - self.mean) / self.deviation).astype(np.float32)


@dataclass(frozen=True)
class Waveforms:
    """Waveforms, padded with zeros that an attention mask leaves out.

    Attributes:
        frames: the frames of the model's hidden states.
        alone: whether the model must get one window at a time, since padding changes its output.
        normalise: whether an utterance is normalised to mean 0 and deviation 1.
    """

    frames: Frames
    alone: bool
    normalise: bool

    longest: int | None = None

    @property
    def shortest(self) -> int:
        """Return the samples of one frame."""
        return self.frames.receptive

    def signal(self, samples: NDArray[np.float32]) -> Signal:
        """Return the signal, with its mean and deviation if it is to be normalised."""
        return Signal(samples, *moments(samples)) if self.normalise else Signal(samples)

    def padded(self, samples: int) -> int:
        """Return the samples that a window has in a batch, if no other is longer."""
        return samples

    def __call__(self, windows: Sequence[NDArray[np.float32]]) -> dict[str, torch.Tensor]:
        """Return (windows, samples) float32, and for more than one window a mask of the same shape."""
        longest = max(map(len, windows))
        values = torch.zeros(len(windows), longest)
        mask = torch.zeros(len(windows), longest, dtype=torch.long)
        for row, window in enumerate(windows):
            values[row, : len(window)] = torch.from_numpy(window)
            mask[row, : len(window)] = 1
        return {"input_values": values} | ({} if len(windows) == 1 else {"attention_mask": mask})


@dataclass(frozen=True)
class LogMel:
    """Log-mel spectrograms of windows that are padded with zeros to one length, as Whisper was trained.

    The model attends to the padding, which the mean over an utterance's frames leaves out.

    Attributes:
        extractor: feature extractor of the transformers library.
        frames: the frames of the model's hidden states.
        longest: frames of a window.
    """

    extractor: Any
    frames: Frames
    longest: int

    alone: bool = False

    @property
    def shortest(self) -> int:
        """Return the samples of one short-time spectrum."""
        return int(self.extractor.n_fft)

    def signal(self, samples: NDArray[np.float32]) -> Signal:
        """Return the signal as it is."""
        return Signal(samples)

    def padded(self, samples: int) -> int:
        """Return the samples of every window."""
        return self.longest * self.frames.stride

    def __call__(self, windows: Sequence[NDArray[np.float32]]) -> dict[str, torch.Tensor]:
        """Return (windows, mel bands, spectra) float32."""
        found = self.extractor([*windows], sampling_rate=RATE, return_tensors="pt")
        return {"input_features": found.input_features.float()}


@dataclass(frozen=True)
class FilterBanks:
    """Normalised log-mel filter banks of Kaldi, two of them to a frame, as w2v-BERT takes; one window at a time.

    Attributes:
        extractor: feature extractor of the transformers library; it normalises every window by itself.
        frames: the frames of the model's hidden states.
    """

    extractor: Any
    frames: Frames

    alone: bool = True
    longest: int | None = None

    @property
    def shortest(self) -> int:
        """Return the samples of one frame."""
        return self.frames.receptive

    def signal(self, samples: NDArray[np.float32]) -> Signal:
        """Return the signal as it is."""
        return Signal(samples)

    def padded(self, samples: int) -> int:
        """Return the samples that a window has in a batch, if no other is longer."""
        return samples

    def __call__(self, windows: Sequence[NDArray[np.float32]]) -> dict[str, torch.Tensor]:
        """Return (windows, frames, 2 * mel bands) float32, and a mask (windows, frames) of what is no padding."""
        found = self.extractor([*windows], sampling_rate=RATE, return_tensors="pt")
        return {"input_features": found.input_features.float(), "attention_mask": found.attention_mask}


EncoderInput = Waveforms | LogMel | FilterBanks


def moments(signal: NDArray[np.float32]) -> tuple[float, float]:
    """Compute mean and deviation as transformers' feature extractor does, a minute at a time to save memory."""

    def minutes() -> Iterator[NDArray[np.float64]]:
        for begin in range(0, len(signal), 60 * RATE):
            yield signal[begin : begin + 60 * RATE].astype(np.float64)

    mean = sum(float(minute.sum()) for minute in minutes()) / len(signal)
    variance = sum(float(((minute - mean) ** 2).sum()) for minute in minutes()) / len(signal)
    return mean, math.sqrt(variance + 1e-7)
