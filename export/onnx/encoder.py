"""The layers of the transformer context extractor as ONNX nodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from export.onnx.builder import Writer


class FoldedLayer(NamedTuple):
    """A post-norm encoder layer whose residual biases are absorbed by the layer norms before them.

    A residual block computes x + f(x) + b. The norm before it returns x + b in place of x, so b needs no node of its
    own; every other linear layer that takes x + b subtracts the product of its weights and b from its own bias.

    Shapes:
        out_bias: (width,), or None where the layer before has absorbed it.
    """

    layer: Any
    in_bias: NDArray[np.float64]
    out_bias: NDArray[np.float64] | None
    up_bias: NDArray[np.float64]
    norm1_bias: NDArray[np.float64]
    norm2_bias: NDArray[np.float64]


def fold_residual_biases(layers: list[Any]) -> list[FoldedLayer]:
    """Fold the residual biases of all layers; the first has no norm before it and keeps its attention's output bias."""
    found = []
    for number, layer in enumerate(layers):
        array = {name: tensor.detach().double().numpy() for name, tensor in layer.named_parameters()}
        out, down = array["self_attn.out_proj.bias"], array["linear2.bias"]
        following = (
            layers[number + 1].self_attn.out_proj.bias.detach().double().numpy() if layer is not layers[-1] else 0
        )
        found.append(
            FoldedLayer(
                layer,
                array["self_attn.in_proj_bias"] - (array["self_attn.in_proj_weight"] @ out if number else 0),
                None if number else out,
                array["linear1.bias"] - array["linear1.weight"] @ down,
                array["norm1.bias"] + down,
                array["norm2.bias"] + following,
            )
        )
    return found


def encode(write: Writer, block: FoldedLayer, x: str, mask: str, shape: str) -> str:
    """Apply a whole layer.

    Shapes:
        x: (batch * utterances, width), as the result; mask: as onnxruntime's Attention takes it; shape: three numbers,
        batch, utterances and width.
    """
    (mixed,) = self_attention(write, block, write.op("Reshape", x, shape), mask)
    return after_attention(write, block, mixed, x)


def self_attention(write: Writer, block: FoldedLayer, x: str, mask: str, past: str = "") -> list[str]:
    """Apply self-attention before its output projection; with ``past``, also return the keys and values until now.

    Shapes:
        x: (batch, utterances, width); past and its update: (2, batch, heads, utterances, width / heads), keys first.
    """
    attention = block.layer.self_attn
    return write.multi_op(
        "Attention",
        x,
        write.weight(attention.in_proj_weight.T),
        write.weight(block.in_bias),
        *((mask, past) if past else (mask,) if mask else ()),
        outputs=2 if past else 1,
        domain="com.microsoft",
        num_heads=attention.num_heads,
    )


def after_attention(write: Writer, block: FoldedLayer, mixed: str, x: str) -> str:
    """Apply the rest of the layer: output projection, residuals, norms and the feed-forward block.

    Shapes:
        mixed: output of ``self_attention``; x: input of the layer, (rows, width), as the result.
    """
    layer, attention = block.layer, block.layer.self_attn
    mixed = write.op("Reshape", mixed, write.ints(-1, attention.embed_dim))
    out = write.weight(attention.out_proj.weight.T)
    if block.out_bias is None:
        mixed = write.op("Gemm", mixed, out, x)
    else:
        mixed = write.op("Add", write.op("Gemm", mixed, out, write.weight(block.out_bias)), x)
    x = _norm(write, layer.norm1, block.norm1_bias, mixed)
    up = write.op("Relu", write.op("Gemm", x, write.weight(layer.linear1.weight.T), write.weight(block.up_bias)))
    return _norm(write, layer.norm2, block.norm2_bias, write.op("Gemm", up, write.weight(layer.linear2.weight.T), x))


def _norm(write: Writer, norm: nn.LayerNorm, bias: NDArray[np.float64], x: str) -> str:
    return write.op("LayerNormalization", x, write.weight(norm.weight), write.weight(bias), epsilon=norm.eps)
