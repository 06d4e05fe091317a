"""Layers on packed utterances, for one model or for a stack of models of different seeds (``seed_stack``).

The weights of a stack have a leading axis of runs. Its input has the same number of rows for every run: all rows of the
first run, then all of the second, and so on. A run with fewer utterances is padded with copies of an utterance, which
are masked out of batch statistics and losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.products import multiply, use_onednn

# An index into a tensor, and the generator that draws dropout for what it selects.
Segment: TypeAlias = "tuple[tuple[slice, ...], torch.Generator]"


@dataclass(frozen=True)
class SeedBatch:
    """Which rows of a batch hold which run's utterances.

    Attributes:
        dialogues, counts: numbers of dialogues and of utterances of each run.
        draws: each run's random generator for dropout, on the device of the batch.

    Shapes:
        source: (runs * size,) int64, the packed utterance that is in each row; place: (sum of counts,) int64, the row
        of each utterance; real: (runs, size, 1) float32, 1 for utterances and 0 for padding. All are None for a single
        run, whose rows are its packed utterances.
    """

    dialogues: tuple[int, ...]
    counts: tuple[int, ...]
    draws: tuple[torch.Generator, ...]
    source: Tensor | None = None
    place: Tensor | None = None
    real: Tensor | None = None

    @classmethod
    def one(cls, dialogues: int, utterances: int, device: torch.device) -> SeedBatch:
        """Return the batch of a single run, whose dropout draws from torch's global generator."""
        return cls((dialogues,), (utterances,), (_global(device),))

    @classmethod
    def several(
        cls, lengths: Tensor, dialogues: Sequence[int], draws: Sequence[torch.Generator] | None = None
    ) -> SeedBatch:
        """Return the batch of several runs.

        Args:
            dialogues: number of dialogues of each run.
            draws: each run's generator for dropout; not needed in eval mode.

        Shapes:
            lengths: (B,) int64, of the dialogues of all runs, run after run.
        """
        draws = draws or [_global(lengths.device)] * len(dialogues)
        count = torch.stack([run.sum() for run in lengths.cpu().split(list(dialogues))])
        step = torch.arange(int(count.max()))
        real = step < count[:, None]
        source = torch.where(real, (count.cumsum(0) - count)[:, None] + step, 0).flatten()
        place = real.flatten().nonzero()[:, 0]
        tensors = (tensor.to(lengths.device) for tensor in (source, place, real.float()[..., None]))
        return cls(tuple(dialogues), tuple(count.tolist()), tuple(draws), *tensors)

    @property
    def size(self) -> int:
        """Number of rows of each run."""
        return max(self.counts)

    @property
    def segments(self) -> list[Segment]:
        """The rows of every run that hold its utterances."""
        starts = range(0, len(self.counts) * self.size, self.size)
        runs = zip(starts, self.counts, self.draws, strict=True)
        return [((slice(start, start + count),), draws) for start, count, draws in runs]

    def pad(self, x: Tensor) -> Tensor:
        """Arrange packed utterances (sum of counts, ...) in padded rows (runs * size, ...)."""
        return x if self.source is None else x.index_select(0, self.source)

    def gather(self, x: Tensor) -> Tensor:
        """Take the packed utterances (sum of counts, ...) out of padded rows (runs * size, ...)."""
        return x if self.place is None else x.index_select(0, self.place)


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply rows (M, a) by one weight (a, b), or each run's rows by its own (runs, a, b): (M, b)."""
    if weight.dim() == 2:
        return multiply(x, weight.mT) if use_onednn(x, weight) else x @ weight
    return linear(x, weight.mT, None)


def plus(x: Tensor, bias: Tensor) -> Tensor:
    """Add one bias (b,) to rows (M, b), or each run's own (runs, b)."""
    return x + bias if bias.dim() == 1 else (x.view(len(bias), -1, x.shape[1]) + bias[:, None]).flatten(0, 1)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Apply a linear layer to rows: weight (b, a) or (runs, b, a), bias (b,) or (runs, b)."""
    if weight.dim() == 2:
        return multiply(x, weight, bias) if use_onednn(x, weight) else F.linear(x, weight, bias)
    rows = x.view(len(weight), -1, x.shape[1])
    if use_onednn(rows[0], weight[0]):
        biases = [None] * len(weight) if bias is None else bias.unbind()
        own = zip(rows.unbind(), weight.unbind(), biases, strict=True)
        return torch.cat([multiply(*each) for each in own])
    if bias is None:
        return torch.bmm(rows, weight.mT).flatten(0, 1)
    return torch.baddbmm(bias[:, None], rows, weight.mT).flatten(0, 1)


def layer_norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """Apply LayerNorm to rows."""
    if layer.weight.dim() == 1:
        normed: Tensor = layer(x)
        return normed
    x = F.layer_norm(x, layer.normalized_shape, eps=layer.eps).view(len(layer.weight), -1, x.shape[1])
    return torch.addcmul(layer.bias[:, None], x, layer.weight[:, None]).flatten(0, 1)


def batch_norm(layer: nn.BatchNorm1d, x: Tensor, seed_batch: SeedBatch) -> Tensor:
    """Apply BatchNorm to rows, with the mean and variance of each run's own utterances.

    Shapes:
        running_mean, running_var of the layer: (d,), or (runs, d); num_batches_tracked: () or (runs,).
    """
    if layer.weight.dim() == 1:
        normed: Tensor = layer(x)
        return normed
    assert layer.running_mean is not None and layer.running_var is not None and seed_batch.real is not None
    assert layer.momentum is not None and layer.num_batches_tracked is not None
    x = x.view(len(layer.weight), -1, x.shape[1])
    if layer.training:
        count = seed_batch.real.sum(1)
        mean = (x * seed_batch.real).sum(1) / count.clamp(min=1)
        variance = ((x - mean[:, None]).square() * seed_batch.real).sum(1) / count.clamp(min=1)
        with torch.no_grad():
            rate = layer.momentum * (count > 0)  # keep the running statistics of a run without a batch
            layer.running_mean.lerp_(mean, rate)
            layer.running_var.lerp_(variance * count / (count - 1).clamp(min=1), rate)
            layer.num_batches_tracked += count[:, 0] > 0
    else:
        mean, variance = layer.running_mean, layer.running_var
    scale = layer.weight * (variance + layer.eps).rsqrt()
    return torch.addcmul((layer.bias - mean * scale)[:, None], x, scale[:, None]).flatten(0, 1)


def drop(x: Tensor, dropout: nn.Dropout, segments: Sequence[Segment]) -> Tensor:
    """Apply dropout; the random numbers of each segment are drawn by its run's generator."""
    factors = draw_factors(x.shape, x.device, dropout, segments)
    return x if factors is None else x * factors


def draw_factors(
    shape: torch.Size, device: torch.device, dropout: nn.Dropout, segments: Sequence[Segment]
) -> Tensor | None:
    """Draw the factors by which dropout multiplies a tensor; None if it keeps everything."""
    if not dropout.training or dropout.p == 0:
        return None
    make = torch.empty if len(segments) == 1 else torch.zeros  # padding is in no segment, and must not become NaN
    factors = make(shape, device=device)
    for index, draws in segments:
        fill(factors[index], dropout.p, draws)
    return factors


def fill(factors: Tensor, chance: float, draws: torch.Generator) -> None:
    """Fill a tensor with dropout's factors, 0 or 1 / (1 - chance).

    On CPUs each 64-bit random number gives 4 factors of 16 bits, so the probability is exact to 1e-5. They are drawn by
    numpy, seeded from the generator, because torch's own dropout takes 10 times as long on CPUs: 1/4 of an epoch.
    """
    if factors.is_cuda:
        drawn = torch.empty(factors.shape, dtype=factors.dtype, device=factors.device)
        factors.copy_(drawn.bernoulli_(1 - chance, generator=draws).div_(1 - chance))
        return
    state = int(torch.empty((), dtype=torch.int64).random_(generator=draws))
    bits = np.random.SFC64(state).random_raw((factors.numel() + 3) // 4).view(np.uint16)[: factors.numel()]
    kept = bits.reshape(factors.shape) >= round(chance * 65536)
    np.multiply(kept, np.float32(1 / (1 - chance)), out=factors.numpy())


def _global(device: torch.device) -> torch.Generator:
    """Return torch's global generator for a device."""
    if device.type != "cuda":
        return torch.default_generator
    return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
