"""Quantise an exported model to 8-bit weights, and keep the result only if it predicts about as well."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from export.onnx.session import limited, on_corpus
from export.scores import weighted_f1
from replicate.corpus.types import Corpus

# The largest loss of weighted F1 on dev at which the quantised model is kept.
MAX_LOSS = 0.005
# Smaller weight matrices are not quantised: quantising their inputs takes longer than the product saves.
SMALLEST = 1 << 14


@dataclass(frozen=True)
class Quantised:
    """Weighted F1 on dev with 32-bit weights and with 8-bit weights."""

    dev_f1: float
    int8_dev_f1: float

    @property
    def loss(self) -> float:
        """Weighted F1 lost by quantisation; negative if it gains."""
        return self.dev_f1 - self.int8_dev_f1

    @property
    def kept(self) -> bool:
        """Whether the quantised model is good enough to be part of the bundle."""
        return self.loss <= MAX_LOSS

    @property
    def summary(self) -> str:
        """Both scores and the limit, in one line."""
        scores = f"dev F1 {self.int8_dev_f1:.4f} against {self.dev_f1:.4f}, a loss of {self.loss:+.4f}"
        return f"{scores} (limit {MAX_LOSS:g})" + ("" if self.kept else ": not written")


def write(model: Path, target: Path, corpus: Corpus, stream: str) -> Quantised:
    """Quantise ``model`` to ``target``; the file is removed again if it loses too much F1 on dev."""
    quantise(model, target)
    found = compare(model, target, corpus, stream)
    if not found.kept:
        target.unlink()
    return found


def compare(model: Path, int8: Path, corpus: Corpus, stream: str) -> Quantised:
    """Score both files on dev, with the given audio stream."""
    labels = [label for dialogue in corpus.split("dev") for label in dialogue.labels]
    scores = []
    for path in (model, int8):
        scores.append(weighted_f1(labels, on_corpus(limited(path), corpus, stream, "dev"), corpus.labels))
    return Quantised(*scores)


def quantise(model: Path, target: Path) -> None:
    """Write a dynamically quantised copy of an exported model, with the same metadata."""
    content = onnx.load(model)
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    nodes = _split_products(content)
    with tempfile.TemporaryDirectory() as folder, _without_warnings():
        plain = Path(folder) / "plain.onnx"
        onnx.save(content, plain)
        quantize_dynamic(
            plain,
            target,
            nodes_to_quantize=nodes,
            weight_type=QuantType.QInt8,
            # 7 bits: with 8, sums saturate on processors without VNNI, and results depend on the processor.
            reduce_range=True,
            # onnx cannot infer types after onnxruntime's own operators.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    result = onnx.load(target)
    onnx.helper.set_model_props(result, metadata)
    onnx.save(result, target)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence the root logger, on which onnxruntime recommends a preprocessing for convolutions; our models have none.

    The handler keeps ``logging.warning`` from configuring the root logger, which would print our own lines twice.
    """
    root, handler = logging.getLogger(), logging.NullHandler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def _split_products(model: onnx.ModelProto) -> list[str]:
    """Split each Gemm with large weights into MatMul and Add, as only MatMul is quantised; returns the MatMul names."""
    large = {t.name for t in model.graph.initializer if len(t.dims) == 2 and t.dims[0] * t.dims[1] >= SMALLEST}
    nodes, names = [], []
    for node in model.graph.node:
        if node.op_type not in ("Gemm", "MatMul") or node.input[1] not in large:
            nodes.append(node)
            continue
        names.append(node.name)
        product = f"{node.output[0]}_product" if node.op_type == "Gemm" else node.output[0]
        nodes.append(onnx.helper.make_node("MatMul", node.input[:2], [product], name=node.name))
        if node.op_type == "Gemm":
            nodes.append(onnx.helper.make_node("Add", [product, node.input[2]], node.output, name=f"{node.name}_sum"))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return names
