"""A bundle whose model takes sound: two features, the loudest sample of each sign, and a state that remembers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bundle_files import WAV_STREAM
from export.onnx.builder import IR, OPSET
from export.predictor import FORMAT_NAME, FORMAT_VERSION
from tests.export import tiny_bundle
from tests.export.tiny_bundle import LABELS, STATE, WIDTH, metadata

RECIPE = {"extractor": "acoustic", "version": 1, "rate": 16000, "columns": ["a", "b"], "versions": {"torch": "2"}}


def expected(samples: np.ndarray, state: np.ndarray) -> np.ndarray:
    """What the graph computes, in numpy."""
    x = 5 * np.array([samples.max(), -samples.min()]) + state[:WIDTH]
    return np.exp(x) / np.exp(x).sum()


def graph() -> onnx.ModelProto:
    """Inputs and outputs are those of an exported model."""
    node = helper.make_node
    nodes = [
        node("Mul", ["waveform", "minus"], ["negative"]),
        node("ReduceMax", ["waveform", "axis"], ["high"], keepdims=1),
        node("ReduceMax", ["negative", "axis"], ["low"], keepdims=1),
        node("Concat", ["high", "low"], ["features"], axis=1),
        node("MatMul", ["features", "w"], ["scaled"]),
        node("Slice", ["state", "zero", "width"], ["memory"]),
        node("Add", ["scaled", "memory"], ["x"]),
        node("Softmax", ["x"], ["probability"], axis=1),
        node("Add", ["state", "one"], ["new_state"]),
    ]
    constants = {
        "minus": np.float32(-1),
        "axis": np.array([1]),
        "w": 5 * np.eye(WIDTH, dtype=np.float32),
        "zero": np.array([0]),
        "width": np.array([WIDTH]),
        "one": np.array([0.5, 0, 0, 0], np.float32),
    }
    number, real = TensorProto.INT64, TensorProto.FLOAT
    inputs = [
        ("waveform", real, [1, "n"]),
        ("samples", number, [1]),
        ("speaker", number, [1]),
        ("state", real, [STATE]),
    ]
    outputs = [("probability", real, [1, WIDTH]), ("new_state", real, [STATE]), ("features", real, [1, WIDTH])]
    ends = [[helper.make_tensor_value_info(*one) for one in side] for side in (inputs, outputs)]
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(helper.make_graph(nodes, "wave", *ends, values), opset_imports=opset, ir_version=IR)


def write(folder: Path, labels: list[str] = LABELS, **changes: Any) -> Path:
    """Write a bundle with such a model.

    Args:
        changes: entries of the metadata.
    """
    tiny_bundle.write(folder)
    model = graph()
    entries = metadata(stream=True) | {"recipe": RECIPE, "labels": labels} | changes
    texts = {name: json.dumps(value) for name, value in entries.items()}
    tiny_bundle.set_metadata(model, {"format": f"{FORMAT_NAME} {FORMAT_VERSION}"} | texts)
    (folder / WAV_STREAM).write_bytes(model.SerializeToString())
    return tiny_bundle.list_files(folder)
