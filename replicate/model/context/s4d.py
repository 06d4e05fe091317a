"""A diagonal state-space context extractor: S4D (Gu et al., 2022), arXiv 2206.11893, with its S4D-Lin initialisation.

Each channel u is filtered by x' = A x + B u, y = C x + D u with a diagonal complex A, discretised by zero-order hold.
Over a dialogue this is a convolution with one kernel, computed by FFT: cost and memory grow about linearly in the
length. Not in the paper.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.context.base import Extractor
from replicate.model.extractors.s4d import StateSpaceTraits

# Complex states per channel. Each stands for itself and its conjugate, so this is S4D's default state size of 64.
STATES = 32
# Range of the initial step sizes, in utterances: at first a channel's memory is 10 to 1000 utterances.
STEPS = (1e-3, 1e-1)


class Diagonal(nn.Module):
    """One diagonal state space for each channel, in one direction."""

    def __init__(self, channels: int, states: int = STATES) -> None:
        super().__init__()
        low, high = map(math.log, STEPS)
        self.log_step = nn.Parameter(torch.empty(channels, 1).uniform_(low, high))
        self.log_decay = nn.Parameter(torch.full((channels, states), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(states).float().repeat(channels, 1))
        self.out = nn.Parameter(torch.randn(channels, states, 2) * math.sqrt(0.5))
        self.skip = nn.Parameter(torch.randn(channels))

    def discrete(self) -> tuple[Tensor, Tensor]:
        """Return the logarithm of each state's factor per step, and each state's weight in the output.

        Shapes:
            Both (channels, states) complex64; the output is twice the real part.
        """
        decay = torch.complex(-self.log_decay.exp(), self.frequency)
        step = decay * self.log_step.exp()
        return step, torch.view_as_complex(self.out) * (step.exp() - 1) / decay

    def kernel(self, length: int) -> Tensor:
        """Return the impulse response (channels, length).

        The k-th power of a factor is one of sqrt(length) small powers times one of sqrt(length) large ones, so that no
        tensor has both an axis of states and one of the whole length.
        """
        step, weight = self.discrete()
        size = math.isqrt(length - 1) + 1
        count = torch.arange(size, device=step.device)
        small = (step[:, :, None] * count).exp()
        large = weight[:, None] * (step[:, None] * (size * count[:, None])).exp()
        return 2 * torch.bmm(large, small).real.flatten(1)[:, :length]

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output of every channel from the current and the earlier utterances.

        Shapes:
            x: (B, L, channels). Returns the same.
        """
        length = x.shape[1]
        u = x.float().transpose(1, 2)  # the FFT does not support bfloat16
        size = 2 * length  # so that the end does not wrap around to the beginning
        spectrum = torch.fft.rfft(u, n=size) * torch.fft.rfft(self.kernel(length), n=size)
        return (torch.fft.irfft(spectrum, n=size)[..., :length] + u * self.skip[:, None]).transpose(1, 2)


class Block(nn.Module):
    """State space, GELU, dropout, gated linear output, residual, norm."""

    def __init__(self, hidden: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.directions = nn.ModuleList(Diagonal(hidden) for _ in range(1 if causal else 2))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden * len(self.directions), 2 * hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor, back: Tensor) -> Tensor:
        """Compute the output for x (B, L, hidden); the index ``back`` (B, L, 1) int64 reverses each dialogue."""
        outputs = [self.directions[0](x)]
        for backward in self.directions[1:]:
            outputs.append(torch.take_along_dim(backward(torch.take_along_dim(x, back, 1)), back, 1))
        mixed = self.dropout(F.gelu(torch.cat(outputs, -1)))
        normed: Tensor = self.norm(x + F.glu(self.output(mixed), -1))
        return normed


class StateSpace(StateSpaceTraits, Extractor):
    """A linear layer, blocks of diagonal state spaces, a linear layer; bidirectional or causal."""

    def __init__(self, width: int, hidden: int, layers: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(width, hidden)
        self.blocks = nn.ModuleList(Block(hidden, dropout, causal) for _ in range(layers))
        self.leave = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """See ``Extractor``. Padding follows the dialogue in both directions, so it does not affect the dialogue."""
        step = torch.arange(x.shape[1], device=x.device)
        back = torch.where(present, present.sum(1, keepdim=True) - 1 - step, step)[..., None]
        x = self.enter(x)
        for block in self.blocks:
            x = block(x, back)
        node: Tensor = self.leave(x)
        return node
