"""The deployed model as an ONNX graph, written node by node: few nodes, large products. No export from PyTorch.

A runtime spends its time well in large products of two matrices, and badly in many small steps; what PyTorch's exporter
writes has three times the nodes. Every axis is dynamic, whatever the sizes. The check against PyTorch is in
``export.check``; ``com.microsoft`` is the domain of onnxruntime's own operators, which are in every build of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.speech import SpeechModel
from replicate.model.cogmen import GraphPart, ModelConfig
from replicate.model.graph import BLOCK

# Versions that onnxruntime 1.20 and later run.
OPSET, IR = 18, 10
# Added to the score of an utterance outside the window: its share is zero, and no row of shares is empty.
OUTSIDE = -1e9
# The number of a dialogue that no utterance belongs to.
NOBODY = -(1 << 40)
LAST = np.iinfo(np.int64).max


def build(speech: SpeechModel) -> onnx.ModelProto:
    """The graph that computes what ``speech`` computes: audio, speaker and length to probability.

    Shapes:
        audio: (batch, utterances, features) float32, not standardised; speaker: (batch, utterances) int64;
        length: (batch,) int64. probability: (batch, utterances, classes), 0 on padding, whatever stands there.
    """
    model, write = speech.model, _Writer()
    config = model.config
    present = write.op(
        "Less", write.op("Range", write.scalar(0), _axis(write, 1), write.scalar(1)), _at(write, "length", 1)
    )
    x = _input(write, speech, present)
    length = write.op("Cast", "length", to=TensorProto.INT32)
    shape = write.op("Concat", write.op("Shape", "speaker"), write.ints(config.encoder_width), axis=0)
    for layer in model.rnn.transformer_encoder.layers:
        x = _encoder_layer(write, layer, x, length, shape)
    window = _Window(write, config, present)
    node = window.convolve(model.gcn.conv1, write.linear(model.rnn.transformer_out, x))
    embedding = window.attend(model.gcn, node)
    logits = write.linear(model.clf.lin2, write.op("Relu", write.linear(model.clf.lin1, embedding)))
    rows = write.op("Slice", write.op("Softmax", logits, axis=-1), write.ints(0), window.rows, write.ints(0))
    shape = write.op("Concat", write.op("Shape", "speaker"), write.ints(config.classes), axis=0)
    probability = write.op("Reshape", rows, shape)
    write.op("Where", _at(write, present, 2), probability, write.floats(0.0), output="probability")
    return write.finish(len(speech.mean), config.classes)


class _Writer:
    """Nodes and weights in the order in which they are written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.written: dict[str, str] = {}
        self.weights: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """A node with one output; returns that output's name. The same node is written once."""
        name = self.written.setdefault(repr((kind, inputs, attributes)), output or f"{kind.lower()}_{len(self.nodes)}")
        if any(node.name == name for node in self.nodes):
            return name
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def weight(self, values: NDArray[Any] | Tensor) -> str:
        """A constant; the same values are stored once."""
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"weight_{len(self.weights)}"
        stored = numpy_helper.from_array(np.ascontiguousarray(array), name)
        for known, tensor in self.weights.items():
            if (tensor.data_type, tensor.dims, tensor.raw_data) == (stored.data_type, stored.dims, stored.raw_data):
                return known
        self.weights[name] = stored
        return name

    def scalar(self, value: int) -> str:
        """A number."""
        return self.weight(np.array(value, np.int64))

    def ints(self, *values: int) -> str:
        """A list of integers."""
        return self.weight(np.array(values, np.int64))

    def floats(self, *values: float) -> str:
        """A list of numbers."""
        return self.weight(np.array(values, np.float32))

    def linear(self, layer: nn.Linear, x: str) -> str:
        """A linear layer on rows."""
        return self.op("Gemm", x, self.weight(layer.weight.T), self.weight(layer.bias))

    def finish(self, features: int, classes: int) -> onnx.ModelProto:
        """The model of all that was written."""
        whole = ["batch", "utterances"]
        inputs = [
            helper.make_tensor_value_info("audio", TensorProto.FLOAT, [*whole, features]),
            helper.make_tensor_value_info("speaker", TensorProto.INT64, whole),
            helper.make_tensor_value_info("length", TensorProto.INT64, whole[:1]),
        ]
        output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [*whole, classes])
        graph = helper.make_graph(self.nodes, "cogmen", inputs, [output], list(self.weights.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="bridging-modalities")


def _at(write: _Writer, x: str, axis: int) -> str:
    return write.op("Unsqueeze", x, write.ints(axis))


def _axis(write: _Writer, axis: int) -> str:
    """Size of an axis of ``speaker``, a scalar."""
    return write.op("Gather", write.op("Shape", "speaker"), write.scalar(axis))


def _input(write: _Writer, speech: SpeechModel, present: str) -> str:
    """Rows of utterances (B * L, encoder width): standardised audio, no video, zero on padding."""
    x = "audio"
    if (speech.mean != 0).any() or (speech.deviation != 1).any():
        x = write.op("Div", write.op("Sub", x, write.weight(speech.mean)), write.weight(speech.deviation))
    x = write.op("Where", _at(write, present, 2), x, write.floats(0.0))
    if speech.before or speech.after:
        x = write.op("Pad", x, write.ints(0, 0, speech.before, 0, 0, speech.after))
    return write.op("Reshape", x, write.ints(-1, speech.model.config.encoder_width))


def _encoder_layer(write: _Writer, layer: nn.TransformerEncoderLayer, x: str, length: str, shape: str) -> str:
    """A post-norm encoder layer on rows of utterances."""
    attention = layer.self_attn
    mixed = write.op(
        "Attention",
        write.op("Reshape", x, shape),
        write.weight(attention.in_proj_weight.T),
        write.weight(attention.in_proj_bias),
        length,
        domain="com.microsoft",
        num_heads=attention.num_heads,
    )
    mixed = write.op("Reshape", mixed, write.ints(-1, attention.embed_dim))
    x = _norm(write, layer.norm1, write.linear(attention.out_proj, mixed), x)
    up = write.op("Relu", write.linear(layer.linear1, x))
    return _norm(write, layer.norm2, write.linear(layer.linear2, up), x)


def _norm(write: _Writer, norm: nn.LayerNorm, x: str, skip: str) -> str:
    """LayerNorm of x + skip. onnxruntime's operator for both together takes three times as long as one for each."""
    weights = [write.weight(tensor) for tensor in (norm.weight, norm.bias)]
    return write.op("LayerNormalization", write.op("Add", x, skip), *weights, epsilon=norm.eps)


class _Window:
    """The graph part in blocks of receivers, each with the rows around it; see ``replicate.model.graph.Band``.

    Rows are padded so that blocks are full and windows never leave the matrix: ``future`` rows before, and behind
    ``past`` more than the last block takes. So all blocks are cut by one index, and offsets are constants.
    """

    def __init__(self, write: _Writer, config: ModelConfig, present: str) -> None:
        self.write, self.config = write, config
        self.rows = write.op("ReduceProd", write.op("Shape", "speaker"), keepdims=1)
        sixteen = write.ints(BLOCK)
        blocks = write.op("Div", write.op("Add", self.rows, write.ints(BLOCK - 1)), sixteen)
        tail = write.op("Sub", write.op("Mul", blocks, sixteen), self.rows)
        self.tail = write.op("Add", tail, write.ints(config.past))
        self.senders = BLOCK + config.future + config.past
        first = write.op("Range", write.scalar(0), write.op("Squeeze", blocks), write.scalar(1))
        first = write.op("Mul", _at(write, first, 1), sixteen)
        self.index = write.op("Add", first, write.weight(np.arange(self.senders)[None]))
        self._edges(present)

    def _edges(self, present: str) -> None:
        """``valid`` (blocks, receivers, senders), and ``relation``, -1 where there is no edge."""
        write, config = self.write, self.config
        row = write.op("Range", write.scalar(0), write.op("Squeeze", self.rows), write.scalar(1))
        # Every row of padding counts as a dialogue of its own, so that no real utterance hears it.
        alone = write.op("Sub", write.scalar(-1), row)
        flat = write.ints(-1)
        dialogue = write.op("Div", row, _axis(write, 1))
        dialogue = write.op("Where", write.op("Reshape", present, flat), dialogue, alone)
        receivers, senders = self._blocks(dialogue, NOBODY)
        offset = np.arange(self.senders)[None] - np.arange(BLOCK)[:, None] - config.future
        near = (offset >= -config.future) & (offset <= config.past)
        self.valid = write.op("And", write.op("Equal", senders, receivers), write.weight(near))
        receivers, senders = self._blocks(write.op("Reshape", "speaker", flat), 0)
        relation = write.op(
            "Add",
            write.op("Mul", senders, write.scalar(2 * config.speakers)),
            write.op("Add", write.op("Mul", receivers, write.scalar(2)), write.weight((offset >= 0).astype(np.int64))),
        )
        self.relation = write.op("Where", self.valid, relation, write.scalar(-1))

    def _blocks(self, values: str, fill: int) -> tuple[str, str]:
        """One integer of every row as receivers (blocks, receivers, 1) and as senders (blocks, 1, senders)."""
        write, future = self.write, self.config.future
        pads = write.op("Concat", write.ints(future), self.tail, axis=0)
        around = write.op("Gather", write.op("Pad", values, pads, write.scalar(fill)), self.index)
        own = write.op("Slice", around, write.ints(future), write.ints(future + BLOCK), write.ints(1))
        return _at(write, own, 2), _at(write, around, 1)

    def convolve(self, conv: Any, x: str) -> str:
        """The relational convolution of rows (M, hidden); from here on, as many rows as full blocks have."""
        write, config = self.write, self.config
        future, past, hidden = config.future, config.past, config.hidden
        pads = write.op("Concat", write.ints(future, 0), self.tail, write.ints(0), axis=0)
        x = write.op("Pad", x, pads)
        kinds = write.weight(np.arange(conv.num_relations)[:, None])
        member = write.op("Cast", write.op("Equal", _at(write, self.relation, 2), kinds), to=TensorProto.FLOAT)
        count = write.op("Max", write.op("ReduceSum", member, write.ints(3), keepdims=1), write.floats(1.0))
        share = write.op("Div", member, count)
        share = write.op("Reshape", share, write.ints(-1, BLOCK * conv.num_relations, self.senders))
        mean = write.op("MatMul", share, write.op("Gather", x, self.index))
        mean = write.op("Reshape", mean, write.ints(-1, conv.num_relations * hidden))
        own = write.op("Slice", x, write.ints(future), write.ints(-past if past else LAST), write.ints(0))
        root = write.op("Gemm", own, write.weight(conv.root), write.weight(conv.bias))
        return write.op("Gemm", mean, write.weight(conv.weight.reshape(-1, hidden)), root)

    def attend(self, part: GraphPart, x: str) -> str:
        """Attention over the window, BatchNorm and leaky ReLU: (rows, hidden) to (rows, heads * hidden).

        A score is the product of a receiver's query with a sender's key, both linear in their rows: so the key's weight
        is multiplied into the query's, and senders come as they are. Values are mixed before they are projected. What
        the key's bias adds is the same for all senders, and shares forget it.
        """
        write, config = self.write, self.config
        heads, hidden = config.gnn_heads, config.hidden
        weights = _folded(part, heads, hidden)
        around = write.op("Gather", write.op("Pad", x, write.ints(config.future, 0, config.past, 0)), self.index)
        query = write.op("Gemm", x, write.weight(weights["query"]), write.weight(weights["query bias"]))
        query = write.op("Reshape", query, write.ints(-1, BLOCK * heads, hidden))
        # The Reshape changes nothing, but keeps onnxruntime from a product of transposed senders, which takes longer.
        columns = write.op(
            "Reshape", write.op("Transpose", around, perm=[0, 2, 1]), write.ints(-1, hidden, self.senders)
        )
        score = write.op("MatMul", query, columns)
        score = write.op("Reshape", score, write.ints(-1, BLOCK, heads, self.senders))
        outside = write.op("Where", self.valid, write.floats(0.0), write.floats(OUTSIDE))
        share = write.op("Softmax", write.op("Add", score, _at(write, outside, 2)), axis=-1)
        share = write.op("Reshape", share, write.ints(-1, BLOCK * heads, self.senders))
        mixed = write.op("Reshape", write.op("MatMul", share, around), write.ints(-1, heads, hidden))
        value = write.op("MatMul", write.op("Transpose", mixed, perm=[1, 0, 2]), write.weight(weights["value"]))
        value = write.op("Reshape", write.op("Transpose", value, perm=[1, 0, 2]), write.ints(-1, heads * hidden))
        skip = write.op("Gemm", x, write.weight(weights["skip"]), write.weight(weights["skip bias"]))
        return write.op("LeakyRelu", write.op("Add", value, skip), alpha=0.01)


def _folded(part: GraphPart, heads: int, hidden: int) -> dict[str, NDArray[np.float64]]:
    """Weights of the windowed attention with scale, key and BatchNorm multiplied in, in double precision.

    Shapes:
        query: (hidden, heads * hidden); value: (heads, hidden, hidden); skip: (hidden, heads * hidden).
    """
    conv, norm = part.conv2, part.bn
    array = {name: tensor.detach().double().numpy() for name, tensor in part.state_dict().items()}
    gain = array["bn.weight"] / np.sqrt(array["bn.running_var"] + norm.eps)

    def by_head(name: str) -> NDArray[np.float64]:
        return array[f"conv2.{name}.weight"].reshape(heads, hidden, -1)

    key = by_head("lin_key") / math.sqrt(conv.out_channels)
    bias = array["conv2.lin_query.bias"].reshape(heads, hidden)
    value_bias, skip_bias = array["conv2.lin_value.bias"], array["conv2.lin_skip.bias"]
    return {
        "query": np.einsum("hci,hcj->ihj", by_head("lin_query"), key).reshape(hidden, -1),
        "query bias": np.einsum("hc,hcj->hj", bias, key).reshape(-1),
        "value": (by_head("lin_value") * gain.reshape(heads, hidden, 1)).transpose(0, 2, 1),
        "skip": (array["conv2.lin_skip.weight"] * gain[:, None]).T,
        "skip bias": (value_bias + skip_bias - array["bn.running_mean"]) * gain + array["bn.bias"],
    }
