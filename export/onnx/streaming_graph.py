"""A causal model as a second ONNX graph that answers one utterance at a time, with what it has to remember as a state.

The state is one vector of fixed size, zeros at the start: how many utterances were heard (as many as matter), the
keys and values of each context layer, and speakers, nodes and convolved nodes of the window. In each of these the
latest utterance stands last, so a step drops the first and appends its own; nothing is transposed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from export.onnx.builder import Shapes, Writer
from export.onnx.classifier import classify
from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import OUTSIDE, entered, folded, standardised
from export.onnx.encoder import attend, lean, settle
from replicate.model.cogmen import GraphPart
from replicate.model.config import ModelConfig
from replicate.model.context.transformer import ContextExtractor


def state_size(config: ModelConfig) -> int:
    """Numbers in the state of a causal transformer."""
    return sum(_pieces(config))


def build(speech: SpeechModel) -> onnx.ModelProto:
    """The graph that computes what ``speech`` says of the last utterance of a dialogue.

    Shapes:
        audio: (1, features) float32, not standardised; speaker: (1,) int64; state: (S,) float32, of the utterances
        before. probability: (1, classes); new_state: (S,), for the utterance that follows.
    """
    model, write = speech.model, Writer()
    config = model.config
    assert config.causal and isinstance(model.rnn, ContextExtractor)
    layers = list(model.rnn.transformer_encoder.layers)
    sizes = _pieces(config)
    audio_stream, *pieces = write.several("Split", "state", write.ints(*sizes), outputs=len(sizes), axis=0)
    window = _Window(write, config, audio_stream, pieces[len(layers) :])
    there = write.op("LessOrEqual", _ago(write, config.memory), audio_stream)
    mask = write.at(write.op("Cast", there, to=TensorProto.INT32), 0)
    x, kept = entered(write, speech, standardised(write, speech, "audio")), []
    for layer, past in zip(lean(layers), pieces[: len(layers)], strict=True):
        if config.memory == 1:  # an utterance that hears itself alone remembers nothing
            (mixed,) = attend(write, layer, write.at(x, 0), "")
        else:
            heads = layer.layer.self_attn.num_heads
            shape = write.ints(2, 1, heads, config.memory - 1, config.encoder_width // heads)
            mixed, now = attend(write, layer, write.at(x, 0), mask, write.op("Reshape", past, shape))
            kept.append(_without_first(write, now, 3))
        x = settle(write, layer, mixed, x)
    node = window.convolve(model.gcn.conv1, write.linear(model.rnn.transformer_out, x))
    embedding = window.attend(model.gcn, node)
    logits = classify(write, model, embedding)
    write.op("Softmax", logits, axis=-1, output="probability")
    most = write.floats(max(config.memory - 1, config.future))
    count = write.op("Min", write.op("Add", audio_stream, write.floats(1)), most)
    flat = write.ints(-1)
    parts = [write.op("Reshape", part, flat) for part in (*kept, *window.kept)]
    write.op("Concat", count, *parts, axis=0, output="new_state")
    size = state_size(config)
    inputs: Shapes = {"audio": [1, len(speech.mean)], "speaker": [1], "state": [size]}
    return write.finish(inputs, {"probability": [1, config.classes], "new_state": [size]})


def _pieces(config: ModelConfig) -> list[int]:
    """Sizes of the state's parts: count, keys and values of each layer, then the window's three."""
    layers = [2 * (config.memory - 1) * config.encoder_width] * config.context_layers
    return [1, *layers, config.future, config.future * config.hidden, config.future * config.hidden]


def _ago(write: Writer, places: int) -> str:
    """(places,): how long ago each of the last utterances was, this one being the last of them."""
    return write.weight(np.arange(places - 1, -1, -1, dtype=np.float32))


def _without_first(write: Writer, x: str, axis: int) -> str:
    return write.op("Slice", x, write.ints(1), write.ints(np.iinfo(np.int64).max), write.ints(axis))


class _Window:
    """The graph part for one receiver: it hears the ``future`` utterances before it, and itself.

    Attributes:
        kept: speakers, nodes and convolved nodes of the last utterances, for the state.
    """

    def __init__(self, write: Writer, config: ModelConfig, audio_stream: str, past: list[str]) -> None:
        self.write, self.config = write, config
        self.past = past[1:]
        senders = config.future + 1
        # Places before the dialogue's first utterance: nobody there has a number of a relation, or a share.
        absent = write.op("Relu", write.op("Sub", _ago(write, senders), audio_stream))
        self.outside = write.op("Mul", absent, write.floats(OUTSIDE))
        speaker = write.op("Cast", "speaker", to=TensorProto.FLOAT)
        speakers = write.op("Concat", past[0], speaker, axis=0)
        self.kept = [_without_first(write, speakers, 0)]
        # What the sender, the receiver and their order add to the number of a relation.
        order = write.weight((np.arange(senders) == senders - 1).astype(np.float32))
        sent = write.op("Add", write.op("Mul", speakers, write.floats(2 * config.speakers)), order)
        relation = write.op("Add", sent, write.op("Mul", speaker, write.floats(2)))
        self.relation = write.op("Add", relation, self.outside)

    def _with_past(self, x: str, place: int) -> str:
        """(senders, hidden): x (1, hidden) behind the rows that the state holds."""
        write = self.write
        past = write.op("Reshape", self.past[place], write.ints(self.config.future, self.config.hidden))
        rows = write.op("Concat", past, x, axis=0)
        self.kept.append(_without_first(write, rows, 0))
        return rows

    def convolve(self, conv: Any, x: str) -> str:
        """The relational convolution for a node x (1, hidden)."""
        write, hidden = self.write, self.config.hidden
        kinds = write.weight(np.arange(2 * self.config.speakers**2, dtype=np.float32)[:, None])
        member = write.op("Cast", write.op("Equal", kinds, self.relation), to=TensorProto.FLOAT)
        count = write.op("Max", write.op("ReduceSum", member, write.ints(1), keepdims=1), write.floats(1.0))
        mean = write.op("MatMul", write.op("Div", member, count), self._with_past(x, 0))
        root = write.op("Gemm", x, write.weight(conv.root), write.weight(conv.bias))
        mean = write.op("Reshape", mean, write.ints(1, -1))
        return write.op("Gemm", mean, write.weight(conv.weight.reshape(-1, hidden)), root)

    def attend(self, part: GraphPart, x: str) -> str:
        """Attention over the window, BatchNorm and leaky ReLU: (1, hidden) to (1, heads * hidden)."""
        write, heads, hidden = self.write, self.config.gnn_heads, self.config.hidden
        weights = folded(part, heads, hidden)
        around = self._with_past(x, 1)
        query = write.op("Gemm", x, write.weight(weights["query"]), write.weight(weights["query bias"]))
        query = write.op("Reshape", query, write.ints(heads, hidden))
        score = write.op("Gemm", query, around, self.outside, transB=1)
        mixed = write.op("MatMul", write.op("Softmax", score, axis=-1), around)
        value = write.op("MatMul", write.at(mixed, 1), write.weight(weights["value"]))
        skip = write.op("Gemm", x, write.weight(weights["skip"]), write.weight(weights["skip bias"]))
        value = write.op("Reshape", value, write.ints(1, heads * hidden))
        return write.op("LeakyRelu", write.op("Add", value, skip), alpha=0.01)
