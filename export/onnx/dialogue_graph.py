"""The deployed model as an ONNX graph for whole dialogues, built node by node instead of traced from PyTorch.

A runtime is fast in large matrix products and slow in many small operations; PyTorch's exporter writes three times as
many nodes. Batch and utterances are dynamic axes. ``export.validate.dialogue`` checks the graph against PyTorch. The
domain ``com.microsoft`` holds onnxruntime's own operators, which every build of it has.
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
from export.onnx.encoder import PaddedHeads, encode, fold_residual_biases, mask_of
from replicate.model.cogmen import GraphPart
from replicate.model.config import ModelConfig
from replicate.model.context.transformer import TransformerExtractor
from replicate.model.window_graph import BLOCK

# Added to the attention score of an utterance outside the window: its softmax is 0.
OUTSIDE = -1e9
# Where there is no edge, relations are around this number; its double fits the 32 bits that some runtimes use.
NO_RELATION = 1 << 29


def build(speech: SpeechModel, portable: bool = False) -> onnx.ModelProto:
    """Build the graph that computes the same as ``speech``, from audio, speaker and length to probability.

    Args:
        portable: see ``Writer``.

    Shapes:
        audio: (batch, utterances, features) float32, not standardised; speaker: (batch, utterances) int64;
        length: (batch,) int64. probability: (batch, utterances, classes), 0 for padding, whatever its values.
    """
    write = Writer(portable)
    predict(write, speech, "probability")
    whole: list[str | int] = ["batch", "utterances"]
    inputs = {"audio": [*whole, len(speech.mean)], "speaker": whole, "length": whole[:1]}
    return write.model(inputs, {"probability": [*whole, speech.model.config.classes]})


def predict(write: Writer, speech: SpeechModel, output: str = "") -> str:
    """Add the nodes of the model; shapes as in ``build``."""
    model, config = speech.model, speech.model.config
    utterances = write.speaker_axis(1)
    # OpenVINO's attention is wrong for all later dialogues if the first has one utterance: that one gets padding.
    step = write.op("Range", write.scalar(0), write.op("Max", utterances, write.scalar(2)), write.scalar(1))
    place = write.op("Min", step, write.op("Sub", utterances, write.scalar(1)))
    audio, write.speaker = (write.op("Gather", name, place, axis=1) for name in (write.audio, write.speaker))
    present = write.op("Less", step, write.unsqueeze(write.length, 1))
    x = _input(write, speech, audio, present)
    assert isinstance(model.rnn, TransformerExtractor)
    x = _context(write, config, list(model.rnn.transformer_encoder.layers), x, write.unsqueeze(present, 2))
    window = _Window(write, config, step, present)
    node = window.convolve(model.gcn.conv1, write.linear(model.rnn.transformer_out, x))
    embedding = window.attend(model.gcn, node)
    logits = classify(write, speech, embedding)
    rows = write.op("Slice", write.op("Softmax", logits, axis=-1), write.ints(0), window.rows, write.ints(0))
    shape = write.op("Concat", write.op("Shape", write.speaker), write.ints(config.classes), axis=0)
    probability = write.op("Reshape", rows, shape)
    probability = write.op("Where", write.unsqueeze(present, 2), probability, write.floats(0.0))
    end = write.unsqueeze(utterances, 0)
    return write.op("Slice", probability, write.ints(0), end, write.ints(1), output=output)


def _context(write: Writer, config: ModelConfig, layers: list[Any], x: str, present: str) -> str:
    """Apply the layers of the context extractor. Shapes: x: (batch * utterances, width), as the result."""
    folded = fold_residual_biases(layers)
    if config.causal:
        mask = _causal_mask(write, config)
        shape = write.op("Concat", write.op("Shape", write.speaker), write.ints(config.encoder_width), axis=0)
        for layer in folded:
            x = encode(write, layer, x, mask, shape)
        return x
    heads = PaddedHeads(write, config.encoder_width, layers[0].self_attn.num_heads, present)
    for layer in folded:
        x = heads.encode(layer, x)
    return x


def _causal_mask(write: Writer, config: ModelConfig) -> str:
    """Build the mask of a causal model, ``mask_of`` the pairs of utterances that attend.

    It does not exclude padding, which comes after all real utterances of its dialogue.

    Shapes:
        (batch, utterances, utterances), or (utterances, utterances) in a portable graph.
    """
    step = write.op("Range", write.scalar(0), write.speaker_axis(1), write.scalar(1))
    ago = write.op("Sub", write.unsqueeze(step, 1), step)
    near = write.op("Less", ago, write.scalar(config.memory))
    attended = write.op("And", near, write.op("GreaterOrEqual", ago, write.scalar(0)))
    if write.portable:
        return mask_of(write, attended)
    shape = write.op("Concat", write.op("Shape", write.speaker), write.op("Shape", step), axis=0)
    return write.op("Expand", mask_of(write, attended), shape)


def _input(write: Writer, speech: SpeechModel, audio: str, present: str) -> str:
    """Compute the context extractor's input, (batch * utterances, encoder width), 0 for padding."""
    x = standardised(write, speech, audio)
    x = write.op("Where", write.unsqueeze(present, 2), x, write.floats(0.0))
    x = encoder_input(write, speech, write.op("Reshape", x, write.ints(-1, len(speech.mean))))
    if speech.model.config.projected and speech.model.config.projection_bias:
        x = write.op("Where", write.op("Reshape", present, write.ints(-1, 1)), x, write.floats(0.0))
    return x


def standardised(write: Writer, speech: SpeechModel, x: str) -> str:
    """Standardise features (..., width) with the statistics of the training."""
    if (speech.mean == 0).all() and (speech.deviation == 1).all():
        return x
    return write.op("Div", write.op("Sub", x, write.weight(speech.mean)), write.weight(speech.deviation))


def encoder_input(write: Writer, speech: SpeechModel, x: str) -> str:
    """Make standardised features (rows, width) the context extractor's input (rows, encoder width).

    HuBERT features are projected; the streams that are missing in deployment are filled with zeros.
    """
    if speech.model.config.projected:
        x = write.op("MatMul", x, write.weight(speech.model.projection.weight.T))
        if speech.model.config.projection_bias:
            x = write.op("Add", x, write.weight(speech.model.projection.bias))
    return write.op("Pad", x, write.ints(0, 0, 0, speech.zeros)) if speech.zeros else x


class _Window:
    """The graph layers in blocks of receivers, each with the rows around it; see ``replicate.model.window_graph.Band``.

    The senders of a block are ``future`` rows before it, its own rows and ``past`` rows after it. Beyond the ends of
    the matrix an arbitrary row is used, which has no edge to the block.
    """

    def __init__(self, write: Writer, config: ModelConfig, step: str, present: str) -> None:
        self.write, self.config = write, config
        self.count = write.op("Mul", write.speaker_axis(0), write.speaker_axis(1))
        self.rows = write.unsqueeze(self.count, 0)
        # Range counts the blocks: some runtimes divide integers as floats and round the result up.
        first = write.op("Range", write.scalar(0), self.count, write.scalar(BLOCK))
        covered = write.op("Mul", write.op("Shape", first), write.ints(BLOCK))
        # How many rows the last block lacks.
        self.tail = write.op("Sub", covered, self.rows)
        self.senders = BLOCK + config.future + config.past
        # Positions of the senders, counted from ``future`` rows before the first row.
        self.place = write.op("Add", write.unsqueeze(first, 1), write.weight(np.arange(self.senders)[None]))
        last = write.op("Sub", self.count, write.scalar(1))
        self.row = write.op("Clip", write.op("Sub", self.place, write.scalar(config.future)), write.scalar(0), last)
        self._edges(step, present)

    def _edges(self, step: str, present: str) -> None:
        """Compute ``relation``, the type of each edge, and ``outside``, a large negative score where there is no edge.

        A relation is a sum of one number each for the sender, the receiver and the sign of their distance. To it is
        added a multiple of how far the positions in their dialogues differ from the distance of their rows: nothing in
        one dialogue. So it is from 0 to the number of relations exactly where there is an edge; padding sends none.

        Shapes:
            relation and outside: (blocks, receivers, 1, senders).
        """
        write, config = self.write, self.config
        flat, relations = write.ints(-1), 2 * config.speakers**2
        start = write.op("Mul", step, write.scalar(relations))
        sent = write.op("Add", start, write.op("Mul", write.speaker, write.scalar(2 * config.speakers)))
        sent = write.op("Reshape", write.op("Where", present, sent, write.scalar(NO_RELATION)), flat)
        after = write.op("Add", self.tail, write.ints(config.past)) if config.past else self.tail
        pads = write.op("Concat", write.ints(config.future), after, axis=0)
        sent = write.op("Gather", write.op("Pad", sent, pads, write.scalar(NO_RELATION)), self.place)
        received = write.op("Reshape", write.op("Sub", start, write.op("Mul", write.speaker, write.scalar(2))), flat)
        received = write.op("Gather", received, self.row)
        ends = (write.ints(config.future), write.ints(config.future + BLOCK), write.ints(1))
        received = write.unsqueeze(write.op("Slice", received, *ends), 2, 3)
        offset = np.arange(self.senders)[None] - np.arange(BLOCK)[:, None] - config.future
        near = (offset >= -config.future) & (offset <= config.past)
        order = np.where(near, (offset >= 0) - relations * offset, NO_RELATION)[:, None]
        self.relation = write.op("Add", write.op("Sub", write.unsqueeze(sent, 1, 2), received), write.weight(order))
        least = write.op("GreaterOrEqual", self.relation, write.scalar(0))
        edge = write.op("And", least, write.op("Less", self.relation, write.scalar(relations)))
        self.outside = write.op("Where", edge, write.floats(0.0), write.floats(OUTSIDE))

    def convolve(self, conv: Any, x: str) -> str:
        """Apply the relational convolution.

        Shapes:
            x: (rows, hidden). Returns (rows, hidden), with rows appended to fill the last block.
        """
        write, config = self.write, self.config
        hidden = config.hidden
        kinds = write.weight(np.arange(conv.num_relations)[:, None])
        member = write.op("Cast", write.op("Equal", self.relation, kinds), to=TensorProto.FLOAT)
        count = write.op("Max", write.op("ReduceSum", member, write.ints(3), keepdims=1), write.floats(1.0))
        share = write.op("Div", member, count)
        share = write.op("Reshape", share, write.ints(-1, BLOCK * conv.num_relations, self.senders))
        mean = write.op("MatMul", share, write.op("Gather", x, self.row))
        mean = write.op("Reshape", mean, write.ints(-1, conv.num_relations * hidden))
        own = write.op("Pad", x, write.op("Concat", write.ints(0, 0), self.tail, write.ints(0), axis=0))
        root = write.op("Gemm", own, write.weight(conv.root), write.weight(conv.bias))
        return write.op("Gemm", mean, write.weight(conv.weight.reshape(-1, hidden)), root)

    def attend(self, part: GraphPart, x: str) -> str:
        """Apply attention over the window, BatchNorm and leaky ReLU.

        A score is the product of a query and a key, both linear in their rows: the key's weights are multiplied into
        the query's, so that senders need no key. The key's bias adds the same to all scores of a receiver; softmax is
        shift-invariant, so it is dropped. Values are averaged before they are projected.

        Shapes:
            x: (rows, hidden). Returns (rows, heads * hidden).
        """
        write, config = self.write, self.config
        heads, hidden = config.gnn_heads, config.hidden
        weights = fold_attention_weights(part, heads, hidden)
        around = write.op("Gather", x, self.row)
        query = write.op("Gemm", x, write.weight(weights["query"]), write.weight(weights["query bias"]))
        query = write.op("Reshape", query, write.ints(-1, BLOCK * heads, hidden))
        # This Reshape keeps the shape, but prevents onnxruntime from fusing the Transpose into a slower product.
        columns = write.op(
            "Reshape", write.op("Transpose", around, perm=[0, 2, 1]), write.ints(-1, hidden, self.senders)
        )
        score = write.op("MatMul", query, columns)
        score = write.op("Reshape", score, write.ints(-1, BLOCK, heads, self.senders))
        share = write.op("Softmax", write.op("Add", score, self.outside), axis=-1)
        share = write.op("Reshape", share, write.ints(-1, BLOCK * heads, self.senders))
        mixed = write.op("Reshape", write.op("MatMul", share, around), write.ints(-1, heads, hidden))
        value = write.op("MatMul", write.op("Transpose", mixed, perm=[1, 0, 2]), write.weight(weights["value"]))
        value = write.op("Reshape", write.op("Transpose", value, perm=[1, 0, 2]), write.ints(-1, heads * hidden))
        skip = write.op("Gemm", x, write.weight(weights["skip"]), write.weight(weights["skip bias"]))
        return write.op("LeakyRelu", write.op("Add", value, skip), alpha=0.01)


def fold_attention_weights(part: GraphPart, heads: int, hidden: int) -> dict[str, NDArray[np.float64]]:
    """Multiply scale, key and BatchNorm into the weights of the windowed attention, in double precision.

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
