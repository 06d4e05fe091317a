"""Losses of the head that predicts a privileged teacher's embedding (``replicate.model.heads.hallucinator``)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

KERNELS = 5


def guess_loss(guess: Tensor, target: Tensor, kind: str) -> Tensor:
    """Compute the mean squared error ("mse") of predictions (N, d), or their ``discrepancy`` to the targets ("mmd")."""
    return F.mse_loss(guess, target) if kind == "mse" else discrepancy(guess, target)


def discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Compute the maximum mean discrepancy of two sets of points (N, d), with Gaussian kernels that double in width.

    The width of the middle kernel is the mean squared distance of all points.
    """
    both = torch.cat([x, y])
    size = both.square().sum(1)
    square = (size[:, None] + size - 2 * both @ both.T).clamp(min=0)
    n = len(both)
    width = (square.detach().sum() / max(n * n - n, 1)).clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-square / (width * 2.0 ** (i - KERNELS // 2))) for i in range(KERNELS)]).sum(0)
    own, cross = len(x), kernel[: len(x), len(x) :]
    return kernel[:own, :own].mean() + kernel[own:, own:].mean() - 2 * cross.mean()
