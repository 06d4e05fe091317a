"""Layers on packed utterances, of one run or of several that train as one program: their weights have an axis of runs.

Every run gets the same number of rows, one run after the other. What a run lacks is filled with some utterance's
features, which nobody hears, and which has no part in means or losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A part of a tensor, and the generator that draws for it.
Part: TypeAlias = "tuple[tuple[slice, ...], torch.Generator]"


@dataclass(frozen=True)
class SeedBatch:
    """Where the utterances of every run stand.

    Attributes:
        dialogues, counts: of each run, its dialogues and their utterances.
        draws: each run's generator for dropout, on CPUs of the CPU, on GPUs of the GPU.

    Shapes:
        source: (runs * size,) int64, which of all packed utterances a row shows; place: (sum of counts,) int64, the row
        of each utterance; real: (runs, size, 1) float32, 1 for utterances. All None for one run, whose rows are its
        utterances.
    """

    dialogues: tuple[int, ...]
    counts: tuple[int, ...]
    draws: tuple[torch.Generator, ...]
    source: Tensor | None = None
    place: Tensor | None = None
    real: Tensor | None = None

    @classmethod
    def one(cls, dialogues: int, utterances: int, device: torch.device) -> SeedBatch:
        """Those of a single run, which draws from torch's global generator."""
        return cls((dialogues,), (utterances,), (_global(device),))

    @classmethod
    def several(
        cls, lengths: Tensor, dialogues: Sequence[int], draws: Sequence[torch.Generator] | None = None
    ) -> SeedBatch:
        """Those of several runs; lengths (B,) are of all their dialogues, run after run. Without dropout no draws."""
        draws = draws or [_global(lengths.device)] * len(dialogues)
        count = torch.stack([part.sum() for part in lengths.cpu().split(list(dialogues))])
        step = torch.arange(int(count.max()))
        real = step < count[:, None]
        source = torch.where(real, (count.cumsum(0) - count)[:, None] + step, 0).flatten()
        place = real.flatten().nonzero()[:, 0]
        tensors = (tensor.to(lengths.device) for tensor in (source, place, real.float()[..., None]))
        return cls(tuple(dialogues), tuple(count.tolist()), tuple(draws), *tensors)

    @property
    def size(self) -> int:
        """Rows of a run."""
        return max(self.counts)

    @property
    def parts(self) -> list[Part]:
        """The utterances of every run among the rows."""
        starts = range(0, len(self.counts) * self.size, self.size)
        runs = zip(starts, self.counts, self.draws, strict=True)
        return [((slice(start, start + count),), draws) for start, count, draws in runs]

    def pad(self, x: Tensor) -> Tensor:
        """Packed utterances (sum of counts, ...) as rows (runs * size, ...)."""
        return x if self.source is None else x.index_select(0, self.source)

    def gather(self, x: Tensor) -> Tensor:
        """Rows (runs * size, ...) as packed utterances (sum of counts, ...)."""
        return x if self.place is None else x.index_select(0, self.place)


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Rows (M, a) times one weight (a, b), or each run's rows times its own (runs, a, b): (M, b)."""
    if weight.dim() == 2:
        return x @ weight
    return torch.bmm(x.view(len(weight), -1, x.shape[1]), weight).flatten(0, 1)


def plus(x: Tensor, bias: Tensor) -> Tensor:
    """Rows (M, b) plus one bias (b,), or each run's (runs, b)."""
    return x + bias if bias.dim() == 1 else (x.view(len(bias), -1, x.shape[1]) + bias[:, None]).flatten(0, 1)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A linear layer on rows: weight (b, a) or (runs, b, a), bias (b,) or (runs, b)."""
    if weight.dim() == 2:
        return F.linear(x, weight, bias)
    if bias is None:
        return product(x, weight.mT)
    return torch.baddbmm(bias[:, None], x.view(len(weight), -1, x.shape[1]), weight.mT).flatten(0, 1)


def layer_norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """LayerNorm on rows."""
    if layer.weight.dim() == 1:
        normed: Tensor = layer(x)
        return normed
    x = F.layer_norm(x, layer.normalized_shape, eps=layer.eps).view(len(layer.weight), -1, x.shape[1])
    return torch.addcmul(layer.bias[:, None], x, layer.weight[:, None]).flatten(0, 1)


def batch_norm(layer: nn.BatchNorm1d, x: Tensor, rows: SeedBatch) -> Tensor:
    """BatchNorm on rows: every run by the mean and variance of its own utterances.

    Shapes:
        running_mean, running_var of the layer: (d,), or (runs, d); num_batches_tracked: () or (runs,).
    """
    if layer.weight.dim() == 1:
        normed: Tensor = layer(x)
        return normed
    assert layer.running_mean is not None and layer.running_var is not None and rows.real is not None
    assert layer.momentum is not None and layer.num_batches_tracked is not None
    x = x.view(len(layer.weight), -1, x.shape[1])
    if layer.training:
        count = rows.real.sum(1)
        mean = (x * rows.real).sum(1) / count.clamp(min=1)
        variance = ((x - mean[:, None]).square() * rows.real).sum(1) / count.clamp(min=1)
        with torch.no_grad():
            rate = layer.momentum * (count > 0)  # a run without a batch keeps what it has
            layer.running_mean.lerp_(mean, rate)
            layer.running_var.lerp_(variance * count / (count - 1).clamp(min=1), rate)
            layer.num_batches_tracked += count[:, 0] > 0
    else:
        mean, variance = layer.running_mean, layer.running_var
    scale = layer.weight * (variance + layer.eps).rsqrt()
    return torch.addcmul((layer.bias - mean * scale)[:, None], x, scale[:, None]).flatten(0, 1)


def drop(x: Tensor, dropout: nn.Dropout, parts: Sequence[Part]) -> Tensor:
    """Dropout, every part by draws of its own run."""
    if not dropout.training or dropout.p == 0:
        return x
    make = torch.empty if len(parts) == 1 else torch.zeros  # what is no run's must be a number
    factors = make(x.shape, device=x.device)
    for index, draws in parts:
        fill(factors[index], dropout.p, draws)
    return x * factors


def fill(factors: Tensor, chance: float, draws: torch.Generator) -> None:
    """Write what dropout leaves, as factors: 0 or 1 / (1 - chance).

    On CPUs four of them from each draw of 64 bits, so the chance is met to 1e-5. Drawn by numpy, from a state that the
    generator gives: torch's own dropout on CPUs takes ten times as long, a quarter of an epoch.
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
    """Torch's global generator for a device."""
    if device.type != "cuda":
        return torch.default_generator
    return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
