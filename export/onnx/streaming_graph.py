"""A causal model as an ONNX graph that predicts one utterance at a time and carries a state to the next.

The state is one vector of fixed size, zeros at the start. It contains the number of utterances so far (up to the
largest that has an effect), the keys and values of each context layer, and for the graph window the speakers, nodes and
convolved nodes. In each piece the latest utterance is last: a step removes the first and appends its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from export.onnx.builder import Shapes, Writer
from export.onnx.classifier import classify
from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import OUTSIDE, encoder_input, fold_attention_weights, standardised
from export.onnx.encoder import after_attention, fold_residual_biases, mask_of, self_attention
from replicate.model.cogmen import GraphPart
from replicate.model.config import ModelConfig
from replicate.model.context.transformer import TransformerExtractor


def state_size(config: ModelConfig) -> int:
    """Return the number of values in the state of a causal model."""
    return sum(_pieces(config))


def build(speech: SpeechModel, portable: bool = False) -> onnx.ModelProto:
    """Build the graph that computes the output of ``speech`` for the last utterance of a dialogue.

    Args:
        portable: see ``Writer``.

    Shapes:
        audio: (1, features) float32, not standardised; speaker: (1,) int64; state: (S,) float32, after the utterances
        before. probability: (1, classes); new_state: (S,), for the next utterance.
    """
    write = Writer(portable)
    step(write, speech)
    size = state_size(speech.model.config)
    inputs: Shapes = {"audio": [1, len(speech.mean)], "speaker": [1], "state": [size]}
    return write.model(inputs, {"probability": [1, speech.model.config.classes], "new_state": [size]})


def step(write: Writer, speech: SpeechModel) -> None:
    """Add the nodes of the model, with the outputs ``probability`` and ``new_state``; shapes as in ``build``."""
    model, config = speech.model, speech.model.config
    assert config.causal and isinstance(model.rnn, TransformerExtractor)
    layers = list(model.rnn.transformer_encoder.layers)
    sizes = _pieces(config)
    count, *pieces = write.multi_op("Split", "state", write.ints(*sizes), outputs=len(sizes), axis=0)
    window = _Window(write, config, count, pieces[len(layers) :])
    attended = write.op("LessOrEqual", _ago(write, config.memory), count)
    mask = write.unsqueeze(mask_of(write, attended), 0)
    x, kept = encoder_input(write, speech, standardised(write, speech, write.audio)), []
    for layer, past in zip(fold_residual_biases(layers), pieces[: len(layers)], strict=True):
        if config.memory == 1:  # each utterance attends to itself only, so there is nothing to keep
            (mixed,) = self_attention(write, layer, write.unsqueeze(x, 0), "")
        else:
            heads = layer.layer.self_attn.num_heads
            shape = write.ints(2, 1, heads, config.memory - 1, config.encoder_width // heads)
            mixed, now = self_attention(write, layer, write.unsqueeze(x, 0), mask, write.op("Reshape", past, shape))
            kept.append(_without_first(write, now, 3))
        x = after_attention(write, layer, mixed, x, layer.layer.self_attn.out_proj.weight.T)
    node = window.convolve(model.gcn.conv1, write.linear(model.rnn.transformer_out, x))
    embedding = window.attend(model.gcn, node)
    logits = classify(write, speech, embedding)
    write.op("Softmax", logits, axis=-1, output="probability")
    most = write.floats(max(config.memory - 1, config.future))
    new_count = write.op("Min", write.op("Add", count, write.floats(1)), most)
    flat = write.ints(-1)
    new_pieces = [write.op("Reshape", piece, flat) for piece in (*kept, *window.kept)]
    write.op("Concat", new_count, *new_pieces, axis=0, output="new_state")


def _pieces(config: ModelConfig) -> list[int]:
    """Return sizes of the state's pieces: the count, keys and values of each layer, and three for the graph window."""
    layers = [2 * (config.memory - 1) * config.encoder_width] * config.context_layers
    return [1, *layers, config.future, config.future * config.hidden, config.future * config.hidden]


def _ago(write: Writer, places: int) -> str:
    """Return how many utterances ago each of the last ones was: (places,), of which the last, 0, is the present one."""
    return write.weight(np.arange(places - 1, -1, -1, dtype=np.float32))


def _without_first(write: Writer, x: str, axis: int) -> str:
    return write.op("Slice", x, write.ints(1), write.ints(np.iinfo(np.int64).max), write.ints(axis))


class _Window:
    """The graph layers for one receiver, whose senders are the ``future`` utterances before it and itself.

    Attributes:
        kept: speakers, nodes and convolved nodes of the last ``future`` utterances, for the new state.
    """

    def __init__(self, write: Writer, config: ModelConfig, count: str, past: list[str]) -> None:
        self.write, self.config = write, config
        self.past = past[1:]
        senders = config.future + 1
        # Above 0 before the dialogue's first utterance: those positions get no relation and no attention.
        absent = write.op("Relu", write.op("Sub", _ago(write, senders), count))
        self.outside = write.op("Mul", absent, write.floats(OUTSIDE))
        speaker = write.op("Cast", write.speaker, to=TensorProto.FLOAT)
        speakers = write.op("Concat", past[0], speaker, axis=0)
        self.kept = [_without_first(write, speakers, 0)]
        # A relation is a sum of one number each for the sender, the receiver and their order.
        order = write.weight((np.arange(senders) == senders - 1).astype(np.float32))
        sent = write.op("Add", write.op("Mul", speakers, write.floats(2 * config.speakers)), order)
        relation = write.op("Add", sent, write.op("Mul", speaker, write.floats(2)))
        self.relation = write.op("Add", relation, self.outside)

    def _with_past(self, x: str, place: int) -> str:
        """Append x (1, hidden) to the rows of the state. Shapes: (senders, hidden)."""
        write = self.write
        past = write.op("Reshape", self.past[place], write.ints(self.config.future, self.config.hidden))
        rows = write.op("Concat", past, x, axis=0)
        self.kept.append(_without_first(write, rows, 0))
        return rows

    def convolve(self, conv: Any, x: str) -> str:
        """Apply the relational convolution to a node (1, hidden)."""
        write, hidden = self.write, self.config.hidden
        kinds = write.weight(np.arange(2 * self.config.speakers**2, dtype=np.float32)[:, None])
        member = write.op("Cast", write.op("Equal", kinds, self.relation), to=TensorProto.FLOAT)
        count = write.op("Max", write.op("ReduceSum", member, write.ints(1), keepdims=1), write.floats(1.0))
        mean = write.op("MatMul", write.op("Div", member, count), self._with_past(x, 0))
        root = write.op("Gemm", x, write.weight(conv.root), write.weight(conv.bias))
        mean = write.op("Reshape", mean, write.ints(1, -1))
        return write.op("Gemm", mean, write.weight(conv.weight.reshape(-1, hidden)), root)

    def attend(self, part: GraphPart, x: str) -> str:
        """Apply attention over the window, BatchNorm and leaky ReLU: (1, hidden) to (1, heads * hidden)."""
        write, heads, hidden = self.write, self.config.gnn_heads, self.config.hidden
        weights = fold_attention_weights(part, heads, hidden)
        around = self._with_past(x, 1)
        query = write.op("Gemm", x, write.weight(weights["query"]), write.weight(weights["query bias"]))
        query = write.op("Reshape", query, write.ints(heads, hidden))
        score = write.op("Gemm", query, around, self.outside, transB=1)
        mixed = write.op("MatMul", write.op("Softmax", score, axis=-1), around)
        value = write.op("MatMul", write.unsqueeze(mixed, 1), write.weight(weights["value"]))
        skip = write.op("Gemm", x, write.weight(weights["skip"]), write.weight(weights["skip bias"]))
        value = write.op("Reshape", value, write.ints(1, heads * hidden))
        return write.op("LeakyRelu", write.op("Add", value, skip), alpha=0.01)
