"""The layers of the transformer context extractor as ONNX nodes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from torch import nn

from export.onnx.builder import Writer

# The column of padding's keys that masks it out; its multiple is added to the scores, whose softmax is then 0.
ABSENT = -1e9


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
    """Apply a whole layer of a causal model.

    Shapes:
        x: (batch * utterances, width), as the result; mask: as ``self_attention`` takes it; shape: three numbers,
        batch, utterances and width.
    """
    (mixed,) = self_attention(write, block, write.op("Reshape", x, shape), mask)
    return after_attention(write, block, mixed, x, block.layer.self_attn.out_proj.weight.T)


class PaddedHeads:
    """Layers that attend to whole dialogues; every head has additional columns.

    One of them masks out padding: queries have a 1 there, keys of padding a large negative number. So the attention
    operator needs no mask, and without one onnxruntime computes it in blocks and keeps no scores in memory. A block has
    as many rows as a head has columns for keys and values; 24 rows (heads of 10 padded to 12) are fast.

    No product has a bias of its own, so all layers add the same to their queries, keys and values:

    - The key's bias adds the same to all scores of a query; softmax is shift-invariant, so it is dropped.
    - The query's bias adds to a score what is linear in the key's row: it is in the masking column of the keys.
    - The value's bias passes through, as shares sum to 1. So does a 1 in the first head's masking column of the values,
      whose row of the output projection is all biases.

    Shapes:
        present: (batch, utterances, 1) bool.
    """

    def __init__(self, write: Writer, width: int, heads: int, present: str) -> None:
        self.write, self.heads, self.own = write, heads, width // heads
        self.columns = 4 * (self.own // 4 + 1)
        self.width = heads * self.columns
        self.shape = write.op("Concat", write.op("Shape", write.speaker), write.ints(3 * self.width), axis=0)
        added = np.zeros((2, 3, heads, self.columns))  # to the row of an utterance, and of padding
        added[:, 0, :, self.own] = 1
        added[1, 1, :, self.own] = ABSENT
        added[:, 2, 0, self.own] = 1
        rows = write.op("Where", present, *(write.weight(kind.reshape(1, 1, -1)) for kind in added))
        self.added = write.op("Reshape", rows, write.ints(-1, 3 * self.width))

    def encode(self, block: FoldedLayer, x: str) -> str:
        """Apply a whole layer. Shapes: x: (batch * utterances, width), as the result."""
        write, attention = self.write, block.layer.self_attn
        product = write.op("Gemm", x, write.weight(self._product(block)), self.added)
        product = write.op("Reshape", product, self.shape)
        sizes = write.ints(self.width, self.width, self.width)
        split = write.multi_op("Split", product, sizes, outputs=3, axis=2)
        if write.portable:
            mixed = merge_heads(write, attend(write, *(split_heads(write, one, self.heads) for one in split)))
        else:
            mixed = write.op("MultiHeadAttention", *split, domain="com.microsoft", num_heads=self.heads)
        weight = attention.out_proj.weight.detach().double().numpy()
        projection = self._pad(weight).reshape(len(weight), self.width).T
        biases = weight @ np.split(block.in_bias, 3)[2]
        projection[self.own] = biases if block.out_bias is None else biases + block.out_bias
        return after_attention(write, block._replace(out_bias=None), mixed, x, projection)

    def _product(self, block: FoldedLayer) -> NDArray[np.float64]:
        """Return weights of queries, keys and values side by side. Shapes: returns (width, 3 * heads * columns)."""
        weights = np.split(block.layer.self_attn.in_proj_weight.detach().double().numpy().T, 3, axis=1)
        query, key, value = map(self._pad, weights)
        bias = self._pad(np.split(block.in_bias, 3)[0][None])
        key[..., self.own] = (key * bias).sum(-1)
        # The operator divides scores by the root of the padded columns. OpenVINO ignores its attribute ``scale``.
        key *= math.sqrt((1 if self.write.portable else self.columns) / self.own)
        return np.concatenate([x.reshape(len(x), -1) for x in (query, key, value)], axis=1)

    def _pad(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Append columns of zeros to every head. Shapes: (N, heads * own). Returns (N, heads, columns)."""
        return np.pad(x.reshape(len(x), self.heads, self.own), ((0, 0), (0, 0), (0, self.columns - self.own)))


def self_attention(write: Writer, block: FoldedLayer, x: str, mask: str, past: str = "") -> list[str]:
    """Apply self-attention before its output projection; with ``past``, also return the keys and values until now.

    Shapes:
        x: (batch, utterances, width); past and its update: (2, batch, heads, utterances, width / heads), keys first;
        mask: see ``mask_of``.
    """
    attention = block.layer.self_attn
    if write.portable:
        return _portable_attention(write, block, x, mask, past)
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


def mask_of(write: Writer, attended: str) -> str:
    """Make a mask for ``self_attention`` of the pairs that attend: int32 for onnxruntime, else added to the scores.

    Shapes:
        attended: bool that can be broadcast to (batch, utterances, utterances and those of the past).
    """
    if write.portable:
        return write.op("Where", attended, write.floats(0.0), write.floats(ABSENT))
    return write.op("Cast", attended, to=TensorProto.INT32)


def _portable_attention(write: Writer, block: FoldedLayer, x: str, mask: str, past: str) -> list[str]:
    """Apply self-attention in operators of ONNX itself; as ``self_attention``."""
    attention = block.layer.self_attn
    weights = attention.in_proj_weight.detach().double().numpy().T.copy()
    bias, width = block.in_bias.copy(), attention.embed_dim
    for queries in (weights, bias):
        queries[..., :width] /= math.sqrt(width // attention.num_heads)
    product = write.op("Add", write.op("MatMul", x, write.weight(weights)), write.weight(bias))
    split = write.multi_op("Split", product, write.ints(width, width, width), outputs=3, axis=2)
    query, key, value = (split_heads(write, one, attention.num_heads) for one in split)
    if not past:
        return [merge_heads(write, attend(write, query, key, value, mask))]
    both = write.op("Concat", *(write.unsqueeze(one, 0) for one in (key, value)), axis=0)
    now = write.op("Concat", past, both, axis=3)
    key, value = (write.op("Gather", now, write.scalar(place), axis=0) for place in (0, 1))
    return [merge_heads(write, attend(write, query, key, value, mask)), now]


def attend(write: Writer, query: str, key: str, value: str, mask: str = "") -> str:
    """Compute attention in operators of ONNX itself; scores are not scaled.

    Shapes:
        query: (batch, heads, utterances, columns), as the result; key, value: the same with any utterances; mask: is
        added to all heads' scores.
    """
    scores = write.op("MatMul", query, write.op("Transpose", key, perm=[0, 1, 3, 2]))
    scores = write.op("Add", scores, mask) if mask else scores
    return write.op("MatMul", write.op("Softmax", scores, axis=-1), value)


def split_heads(write: Writer, x: str, heads: int) -> str:
    """Make (batch, utterances, heads * columns) to (batch, heads, utterances, columns)."""
    return write.op("Transpose", write.op("Reshape", x, write.ints(0, 0, heads, -1)), perm=[0, 2, 1, 3])


def merge_heads(write: Writer, x: str) -> str:
    """Make (batch, heads, utterances, columns) to (batch, utterances, heads * columns)."""
    return write.op("Reshape", write.op("Transpose", x, perm=[0, 2, 1, 3]), write.ints(0, 0, -1))


def after_attention(write: Writer, block: FoldedLayer, mixed: str, x: str, projection: Any) -> str:
    """Apply the rest of the layer: output projection, residuals, norms and the feed-forward block.

    Shapes:
        mixed: output of the attention, (..., columns); x: input of the layer, (rows, width), as the result;
        projection: weights of the output projection, (columns, width).
    """
    layer = block.layer
    mixed = write.op("Reshape", mixed, write.ints(-1, projection.shape[0]))
    out = write.weight(projection)
    if block.out_bias is None:
        mixed = write.op("Gemm", mixed, out, x)
    else:
        mixed = write.op("Add", write.op("Gemm", mixed, out, write.weight(block.out_bias)), x)
    x = _norm(write, layer.norm1, block.norm1_bias, mixed)
    up = write.op("Relu", write.op("Gemm", x, write.weight(layer.linear1.weight.T), write.weight(block.up_bias)))
    return _norm(write, layer.norm2, block.norm2_bias, write.op("Gemm", up, write.weight(layer.linear2.weight.T), x))


def _norm(write: Writer, norm: nn.LayerNorm, bias: NDArray[np.float64], x: str) -> str:
    return write.op("LayerNormalization", x, write.weight(norm.weight), write.weight(bias), epsilon=norm.eps)
