"""The deployed model as an ONNX graph, written node by node: few nodes, large products. No export from PyTorch.

A runtime spends its time well in large products of two matrices, and badly in many small steps; what PyTorch's exporter
writes has three times the nodes. Every axis is dynamic, whatever the sizes. The check against PyTorch is in
``export.validate.dialogue``; ``com.microsoft`` is the domain of onnxruntime's own operators, in every build of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from export.onnx.builder import Writer
from export.onnx.classifier import classify
from export.onnx.deployed_model import SpeechModel
from export.onnx.encoder import encode, lean
from replicate.model.cogmen import GraphPart
from replicate.model.config import ModelConfig
from replicate.model.context.transformer import ContextExtractor
from replicate.model.window_graph import BLOCK

# Added to the score of an utterance outside the window, or a multiple of it: its share is zero, and no row is empty.
OUTSIDE = -1e9
# Takes whatever it is added to further from zero than any dialogue's number does.
NOWHERE = -(1 << 40)


def build(speech: SpeechModel) -> onnx.ModelProto:
    """The graph that computes what ``speech`` computes: audio, speaker and length to probability.

    Shapes:
        audio: (batch, utterances, features) float32, not standardised; speaker: (batch, utterances) int64;
        length: (batch,) int64. probability: (batch, utterances, classes), 0 on padding, whatever stands there.
    """
    model, write = speech.model, Writer()
    config = model.config
    present = write.op(
        "Less", write.op("Range", write.scalar(0), write.axis(1), write.scalar(1)), write.at("length", 1)
    )
    x = _input(write, speech, present)
    mask = _heard(write, config)
    shape = write.op("Concat", write.op("Shape", "speaker"), write.ints(config.encoder_width), axis=0)
    assert isinstance(model.rnn, ContextExtractor)
    for layer in lean(list(model.rnn.transformer_encoder.layers)):
        x = encode(write, layer, x, mask, shape)
    window = _Window(write, config, present)
    node = window.convolve(model.gcn.conv1, write.linear(model.rnn.transformer_out, x))
    embedding = window.attend(model.gcn, node)
    logits = classify(write, model, embedding)
    rows = write.op("Slice", write.op("Softmax", logits, axis=-1), write.ints(0), window.rows, write.ints(0))
    shape = write.op("Concat", write.op("Shape", "speaker"), write.ints(config.classes), axis=0)
    probability = write.op("Reshape", rows, shape)
    write.op("Where", write.at(present, 2), probability, write.floats(0.0), output="probability")
    whole: list[str | int] = ["batch", "utterances"]
    inputs = {"audio": [*whole, len(speech.mean)], "speaker": whole, "length": whole[:1]}
    return write.finish(inputs, {"probability": [*whole, config.classes]})


def _heard(write: Writer, config: ModelConfig) -> str:
    """Whom an utterance attends to, for onnxruntime's Attention: lengths, or of causal models a mask of pairs.

    Shapes:
        (batch,) int32, or (batch, utterances, utterances) int32. What a causal model's real utterances hear is real.
    """
    if not config.causal:
        return write.op("Cast", "length", to=TensorProto.INT32)
    step = write.op("Range", write.scalar(0), write.axis(1), write.scalar(1))
    ago = write.op("Sub", write.at(step, 1), step)
    near = write.op("Less", ago, write.scalar(config.memory))
    audio_stream = write.op("And", near, write.op("GreaterOrEqual", ago, write.scalar(0)))
    shape = write.op("Concat", write.op("Shape", "speaker"), write.op("Shape", step), axis=0)
    return write.op("Expand", write.op("Cast", audio_stream, to=TensorProto.INT32), shape)


def _input(write: Writer, speech: SpeechModel, present: str) -> str:
    """Rows of utterances (B * L, encoder width), zero on padding."""
    x = standardised(write, speech, "audio")
    x = write.op("Where", write.at(present, 2), x, write.floats(0.0))
    return entered(write, speech, write.op("Reshape", x, write.ints(-1, len(speech.mean))))


def standardised(write: Writer, speech: SpeechModel, x: str) -> str:
    """Features (..., width) as training scaled them."""
    if (speech.mean == 0).all() and (speech.deviation == 1).all():
        return x
    return write.op("Div", write.op("Sub", x, write.weight(speech.mean)), write.weight(speech.deviation))


def entered(write: Writer, speech: SpeechModel, x: str) -> str:
    """The encoder's input (rows, encoder width) of scaled features: projected if they are HuBERT's, video zero."""
    if speech.model.config.projected:
        x = write.op("MatMul", x, write.weight(speech.model.projection.weight.T))
    return write.op("Pad", x, write.ints(0, 0, 0, speech.after)) if speech.after else x


class _Window:
    """The graph part in blocks of receivers, each with the rows around it; see ``replicate.model.window_graph.Band``.

    A block's senders are ``future`` rows before it, its own, and ``past`` behind; past the ends of the matrix stands
    some real row, which nobody hears.
    """

    def __init__(self, write: Writer, config: ModelConfig, present: str) -> None:
        self.write, self.config = write, config
        self.rows = write.op("ReduceProd", write.op("Shape", "speaker"), keepdims=1)
        size = write.ints(BLOCK)
        blocks = write.op("Div", write.op("Add", self.rows, write.ints(BLOCK - 1)), size)
        # Rows that the last block lacks.
        self.tail = write.op("Sub", write.op("Mul", blocks, size), self.rows)
        self.senders = BLOCK + config.future + config.past
        first = write.op("Range", write.scalar(0), write.op("Squeeze", blocks), write.scalar(1))
        # Places of senders where ``future`` rows stand before the first.
        self.place = write.op(
            "Add", write.op("Mul", write.at(first, 1), size), write.weight(np.arange(self.senders)[None])
        )
        last = write.op("Sub", write.op("Squeeze", self.rows), write.scalar(1))
        self.row = write.op("Clip", write.op("Sub", self.place, write.scalar(config.future)), write.scalar(0), last)
        self._edges(present)

    def _edges(self, present: str) -> None:
        """``relation`` (blocks, receivers, senders), far from all relations without an edge; ``outside``, there -1e9.

        A relation is a sum of what the sender, the receiver and their distance add to it. Both add the number of the
        dialogue times a number that no relation reaches, one of them with a minus: within a dialogue that is nothing.
        """
        write, config = self.write, self.config
        relations = 2 * config.speakers**2
        row = write.op("Range", write.scalar(0), write.op("Squeeze", self.rows), write.scalar(1))
        # Every row of padding counts as a dialogue of its own, so that no real utterance hears it.
        alone = write.op("Sub", write.scalar(-1), row)
        flat = write.ints(-1)
        dialogue = write.op("Div", row, write.axis(1))
        dialogue = write.op("Where", write.op("Reshape", present, flat), dialogue, alone)
        dialogue = write.op("Mul", dialogue, write.scalar(2 * relations))
        speaker = write.op("Mul", write.op("Reshape", "speaker", flat), write.scalar(2))
        sender = write.op("Add", write.op("Mul", speaker, write.scalar(config.speakers)), dialogue)
        pads = write.op("Concat", write.ints(config.future), self._behind(config.past), axis=0)
        sender = write.op("Gather", write.op("Pad", sender, pads, write.scalar(NOWHERE)), self.place)
        pads = write.op("Concat", write.ints(0), self._behind(0), axis=0)
        receiver = write.op("Pad", write.op("Sub", speaker, dialogue), pads, write.scalar(NOWHERE))
        offset = np.arange(self.senders)[None] - np.arange(BLOCK)[:, None] - config.future
        near = (offset >= -config.future) & (offset <= config.past)
        distance = write.weight(np.where(near, offset >= 0, NOWHERE))
        receiver = write.op("Reshape", receiver, write.ints(-1, BLOCK, 1))
        self.relation = write.op("Add", write.op("Add", write.at(sender, 1), distance), receiver)
        # Division cuts towards zero, so that it gives zero for all relations, and for nothing else that occurs.
        far = write.op("Cast", write.op("Div", self.relation, write.scalar(relations)), to=TensorProto.FLOAT)
        self.outside = write.op("Mul", write.op("Abs", far), write.floats(OUTSIDE))

    def _behind(self, more: int) -> str:
        """Rows that the last block lacks, and more."""
        return self.write.op("Add", self.tail, self.write.ints(more)) if more else self.tail

    def convolve(self, conv: Any, x: str) -> str:
        """The relational convolution of rows (M, hidden); from here on, as many rows as full blocks have."""
        write, config = self.write, self.config
        hidden = config.hidden
        kinds = write.weight(np.arange(conv.num_relations)[:, None])
        member = write.op("Cast", write.op("Equal", write.at(self.relation, 2), kinds), to=TensorProto.FLOAT)
        count = write.op("Max", write.op("ReduceSum", member, write.ints(3), keepdims=1), write.floats(1.0))
        share = write.op("Div", member, count)
        share = write.op("Reshape", share, write.ints(-1, BLOCK * conv.num_relations, self.senders))
        mean = write.op("MatMul", share, write.op("Gather", x, self.row))
        mean = write.op("Reshape", mean, write.ints(-1, conv.num_relations * hidden))
        own = write.op("Pad", x, write.op("Concat", write.ints(0, 0), self.tail, write.ints(0), axis=0))
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
        weights = folded(part, heads, hidden)
        around = write.op("Gather", x, self.row)
        query = write.op("Gemm", x, write.weight(weights["query"]), write.weight(weights["query bias"]))
        query = write.op("Reshape", query, write.ints(-1, BLOCK * heads, hidden))
        # The Reshape changes nothing, but keeps onnxruntime from a product of transposed senders, which takes longer.
        columns = write.op(
            "Reshape", write.op("Transpose", around, perm=[0, 2, 1]), write.ints(-1, hidden, self.senders)
        )
        score = write.op("MatMul", query, columns)
        score = write.op("Reshape", score, write.ints(-1, BLOCK, heads, self.senders))
        share = write.op("Softmax", write.op("Add", score, write.at(self.outside, 2)), axis=-1)
        share = write.op("Reshape", share, write.ints(-1, BLOCK * heads, self.senders))
        mixed = write.op("Reshape", write.op("MatMul", share, around), write.ints(-1, heads, hidden))
        value = write.op("MatMul", write.op("Transpose", mixed, perm=[1, 0, 2]), write.weight(weights["value"]))
        value = write.op("Reshape", write.op("Transpose", value, perm=[1, 0, 2]), write.ints(-1, heads * hidden))
        skip = write.op("Gemm", x, write.weight(weights["skip"]), write.weight(weights["skip bias"]))
        return write.op("LeakyRelu", write.op("Add", value, skip), alpha=0.01)


def folded(part: GraphPart, heads: int, hidden: int) -> dict[str, NDArray[np.float64]]:
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
