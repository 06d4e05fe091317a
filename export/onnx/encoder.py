"""The context extractor's layers as ONNX nodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from export.onnx.builder import Writer


class Lean(NamedTuple):
    """An encoder layer whose biases before skips have moved into the norms before: so a skip is no step of its own.

    A norm then gives x + b, where x is what it gives otherwise and b the bias of the skip that follows; whatever else
    reads it takes b off again, in its own bias.
    """

    layer: Any
    in_bias: NDArray[np.float64]
    out_bias: NDArray[np.float64] | None
    up_bias: NDArray[np.float64]
    norm1_bias: NDArray[np.float64]
    norm2_bias: NDArray[np.float64]


def lean(layers: list[Any]) -> list[Lean]:
    """The encoder's layers; nothing stands before the first, which keeps the bias of its first skip."""
    found = []
    for number, layer in enumerate(layers):
        array = {name: tensor.detach().double().numpy() for name, tensor in layer.named_parameters()}
        out, down = array["self_attn.out_proj.bias"], array["linear2.bias"]
        following = (
            layers[number + 1].self_attn.out_proj.bias.detach().double().numpy() if layer is not layers[-1] else 0
        )
        found.append(
            Lean(
                layer,
                array["self_attn.in_proj_bias"] - (array["self_attn.in_proj_weight"] @ out if number else 0),
                None if number else out,
                array["linear1.bias"] - array["linear1.weight"] @ down,
                array["norm1.bias"] + down,
                array["norm2.bias"] + following,
            )
        )
    return found


def encode(write: Writer, given: Lean, x: str, mask: str, shape: str) -> str:
    """A post-norm encoder layer on rows of utterances; ``mask`` is any that onnxruntime's Attention takes."""
    (mixed,) = attend(write, given, write.op("Reshape", x, shape), mask)
    return settle(write, given, mixed, x)


def attend(write: Writer, given: Lean, x: str, mask: str, past: str = "") -> list[str]:
    """What attention mixes of x (batch, utterances, width); with the keys and values of the past also all of them now.

    Shapes:
        past and what it becomes: (2, batch, heads, utterances, width / heads), keys and then values.
    """
    attention = given.layer.self_attn
    return write.several(
        "Attention",
        x,
        write.weight(attention.in_proj_weight.T),
        write.weight(given.in_bias),
        *((mask, past) if past else (mask,) if mask else ()),
        outputs=2 if past else 1,
        domain="com.microsoft",
        num_heads=attention.num_heads,
    )


def settle(write: Writer, given: Lean, mixed: str, x: str) -> str:
    """The rest of the layer on rows: skips, norms and the two linear layers; ``mixed`` is what attention gave."""
    layer, attention = given.layer, given.layer.self_attn
    mixed = write.op("Reshape", mixed, write.ints(-1, attention.embed_dim))
    out = write.weight(attention.out_proj.weight.T)
    if given.out_bias is None:
        mixed = write.op("Gemm", mixed, out, x)
    else:
        mixed = write.op("Add", write.op("Gemm", mixed, out, write.weight(given.out_bias)), x)
    x = _norm(write, layer.norm1, given.norm1_bias, mixed)
    up = write.op("Relu", write.op("Gemm", x, write.weight(layer.linear1.weight.T), write.weight(given.up_bias)))
    return _norm(write, layer.norm2, given.norm2_bias, write.op("Gemm", up, write.weight(layer.linear2.weight.T), x))


def _norm(write: Writer, norm: nn.LayerNorm, bias: NDArray[np.float64], x: str) -> str:
    return write.op("LayerNormalization", x, write.weight(norm.weight), write.weight(bias), epsilon=norm.eps)
