"""A bundle of a few kilobytes without a trained run, made in milliseconds, and changed with valid checksums."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bundle import script
from export.onnx.builder import IR, OPSET
from export.predictor import CHECKSUMS, FORMAT_NAME, FORMAT_VERSION
from replicate.files import sha256

WIDTH, LABELS, STATE = 2, ["calm", "excited"], 4
HEADER = "dialogue,speaker,f0,f1\n"
Change = Callable[[onnx.ModelProto], object]


def metadata(stream: bool) -> dict[str, Any]:
    """The metadata that an exported file would have."""
    found: dict[str, Any] = {
        "labels": LABELS,
        "speakers": ["M", "Zo\u00eb"],
        "streams": ["audio"],
        "audio_stream": "audio",
        "absent_streams": [],
        "widths": {"audio": WIDTH},
        "standardisation": {"audio": {"mean": [0.0] * WIDTH, "deviation": [1.0] * WIDTH}},
        "recipe": {"extractor": "opensmile", "set": "x", "columns": ["a", "b"], "versions": {"opensmile": "2"}},
        "window": [5, 5],
        "arm": "arm",
        "protocol": "paper",
        "seed": 24,
        "corpus": {"name": "corpus", "hash": "ab"},
        "run": "abc",
        "versions": {"replicate": "1"},
        "temperature": 1.5,
        "range": {
            "centre": [0.0] * WIDTH,
            "scale": [1.0] * WIDTH,
            "residual": [1.0] * WIDTH,
            "axes": [[1000, 0]],
            "limits": {"1": [5.0, 1.0], "4": [2.0, 1.0]},
        },
    }
    return found | ({"memory": 2, "state": STATE} if stream else {})


def set_metadata(model: onnx.ModelProto, entries: dict[str, str]) -> None:
    """Replace a model's metadata."""
    del model.metadata_props[:]
    helper.set_model_props(model, entries)


def graph(stream: bool, ir: int = IR) -> onnx.ModelProto:
    """A softmax of the features; the state of a stream counts utterances."""
    rows: list[Any] = [1] if stream else ["batch", "utterances"]
    ends = [("audio", TensorProto.FLOAT, [*rows, WIDTH]), ("speaker", TensorProto.INT64, rows)]
    ends += [("state", TensorProto.FLOAT, [STATE])] if stream else [("length", TensorProto.INT64, rows[:1])]
    outputs = [("probability", TensorProto.FLOAT, [*rows, len(LABELS)])]
    nodes = [helper.make_node("MatMul", ["audio", "w"], ["x"]), helper.make_node("Softmax", ["x"], ["probability"])]
    constants = [numpy_helper.from_array(np.eye(WIDTH, dtype=np.float32), "w")]
    if stream:
        outputs += [("new_state", TensorProto.FLOAT, [STATE])]
        nodes += [helper.make_node("Add", ["state", "one"], ["new_state"])]
        constants += [numpy_helper.from_array(np.ones(1, np.float32), "one")]
    values = [[helper.make_tensor_value_info(*end) for end in one] for one in (ends, outputs)]
    opset = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(helper.make_graph(nodes, "small", *values, constants), opset_imports=opset, ir_version=ir)
    texts = {name: json.dumps(value) for name, value in metadata(stream).items()}
    set_metadata(made, {"format": f"{FORMAT_NAME} {FORMAT_VERSION}"} | texts)
    return made


def write(folder: Path, whole: Change = lambda model: None, stream: Change = lambda model: None, ir: int = IR) -> Path:
    """Write a bundle, with whole dialogues and with a stream.

    Args:
        whole, stream: change a graph before its checksum is computed.
        ir: version of ONNX's file format.
    """
    folder.mkdir(parents=True)
    for name, change in (("model.onnx", whole), ("model.stream.onnx", stream)):
        model = graph(name == "model.stream.onnx", ir)
        change(model)
        (folder / name).write_bytes(model.SerializeToString())
    (folder / "model.int8.onnx").write_bytes((folder / "model.onnx").read_bytes())
    (folder / "predict.py").write_text(script.text(), encoding="utf-8")
    return list_files(folder)


def list_files(folder: Path) -> Path:
    """Write the checksums of what is in a bundle, as somebody would who changes it on purpose."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    (folder / CHECKSUMS).write_text(json.dumps({name: sha256(folder / name) for name in names}))
    return folder
