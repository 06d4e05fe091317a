"""Products of rows with weights by oneDNN, for CPUs: torch's own products take twice as long on some processors.

torch multiplies float32 matrices on CPUs with MKL, which does not use AVX-512 on processors of other makers than Intel
(measured on an AMD EPYC: 99 against 238 GFLOP/s). oneDNN, which is part of torch, does.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# oneDNN compiles a kernel for every new shape, in 0.5 to 1 ms, and keeps the last 1024. Batches of dialogues have
# ever new numbers of utterances, so rows are padded to multiples of ROWS.
ROWS = 64
# Products of fewer rows are left to torch: too little is won.
LEAST = 4 * ROWS


def use_onednn(x: Tensor, weight: Tensor) -> bool:
    """Tell whether ``multiply`` and ``feed_forward`` are made for rows x (M, a) and weight (b, a)."""
    return (
        weight.dim() == 2
        and x.dim() == 2
        and x.shape[0] >= LEAST
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``F.linear(x, weight, bias)``; differentiable once.

    Shapes:
        x: (M, a); weight: (b, a); bias: (b,). Returns (M, b).
    """
    out: Tensor = _Multiply.apply(x, weight, bias)
    return out


def feed_forward(
    x: Tensor, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], kept: Tensor | None, chance: float
) -> Tensor:
    """Compute a linear layer, ReLU, dropout and another linear layer; differentiable once.

    ReLU is computed with the product, and the only wide tensor that is kept for the backward pass is the second
    layer's input: it is 0 wherever ReLU or dropout stops the gradient.

    Args:
        first, second: weight and bias of each layer.
        kept: dropout's factors, 0 or 1 / (1 - chance); None without dropout.

    Shapes:
        x: (M, a); first: (c, a) and (c,); second: (b, c) and (b,); kept: (M, c). Returns (M, b).
    """
    out: Tensor = _FeedForward.apply(x, *first, *second, kept, chance)
    return out


class _Multiply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padded = _pad(x)
        ctx.save_for_backward(padded, weight)
        ctx.biased = bias is not None
        return _product(padded, weight, bias)[: len(x)]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        padded = _pad(gradient)
        return (
            _product(padded, weight.t())[: len(gradient)] if ctx.needs_input_grad[0] else None,
            _outer(padded, x) if ctx.needs_input_grad[1] else None,
            gradient.sum(0) if ctx.biased else None,
        )


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight1: Tensor,
        bias1: Tensor,
        weight2: Tensor,
        bias2: Tensor,
        kept: Tensor | None,
        chance: float,
    ) -> Tensor:
        padded = _pad(x)
        hidden = _product(padded, weight1, bias1, "relu")
        if kept is not None:
            hidden[: len(x)].mul_(kept)
        ctx.factor = 1.0 if kept is None else 1 / (1 - chance)
        ctx.save_for_backward(padded, weight1, weight2, hidden)
        return _product(hidden, weight2, bias2)[: len(x)]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight1, weight2, hidden = ctx.saved_tensors
        padded = _pad(gradient)
        inner = _product(padded * ctx.factor, weight2.t())
        torch.ops.aten.threshold_backward.grad_input(inner, hidden, 0, grad_input=inner)
        return (
            _product(inner, weight1.t())[: len(gradient)] if ctx.needs_input_grad[0] else None,
            _outer(inner, x),
            inner.sum(0),
            _outer(padded, hidden),
            gradient.sum(0),
            None,
            None,
        )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None, after: str = "none") -> Tensor:
    """Compute ``F.linear`` by oneDNN, and "relu" after it."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, after, [], "")
    return out


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Compute ``left.t() @ right`` for rows."""
    # A transposed first operand is copied, so it is the narrower one.
    if left.shape[1] <= right.shape[1]:
        return _product(left.t(), right.t())
    return _product(right.t(), left.t()).t()


def _pad(x: Tensor) -> Tensor:
    """Append rows of zeros up to a multiple of ``ROWS``.

    The result is contiguous: for columns cut out of a wider matrix, oneDNN has no fast kernel and takes a thousand
    times as long.
    """
    lacking = -len(x) % ROWS
    return F.pad(x, (0, 0, 0, lacking)) if lacking else x.contiguous()
