"""A bundle whose model is a softmax of two features, to test what surrounds a model without training one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from export import predictor
from export.onnx.builder import IR, OPSET
from replicate.files import sha256

METADATA = {
    "labels": ["calm", "excited"],
    "speakers": ["M", "Zo\u00eb"],
    "widths": {"audio": 2},
    "audio_stream": "audio",
    "corpus": {"name": "tiny"},
    "state": 1,
}
HEADER = "dialogue,speaker,f0,f1\n"


def write(folder: Path, ir: int = IR) -> Path:
    """Write the bundle, with whole dialogues and with a stream.

    Args:
        ir: version of ONNX's file format.
    """
    folder.mkdir(parents=True)
    whole = {"audio": ["b", "n", 2], "speaker": ["b", "n"], "length": ["b"]}
    one = {"audio": [1, 2], "speaker": [1], "state": [1]}
    softmax = helper.make_node("Softmax", ["audio"], ["probability"], axis=-1)
    _save(folder / predictor.MODEL, whole, [softmax], {"probability": ["b", "n", 2]}, ir)
    keep = helper.make_node("Identity", ["state"], ["new_state"])
    _save(folder / predictor.STREAM, one, [softmax, keep], {"probability": [1, 2], "new_state": [1]}, ir)
    shutil.copyfile(predictor.__file__, folder / "predict.py")
    list_files(folder)
    return folder


def list_files(folder: Path) -> None:
    """Write the checksums of the files that are there."""
    files = [path for path in folder.iterdir() if path.name != predictor.CHECKSUMS]
    (folder / predictor.CHECKSUMS).write_text(json.dumps({path.name: sha256(path) for path in files}))


def _save(
    path: Path,
    inputs: dict[str, list[str | int]],
    nodes: list[onnx.NodeProto],
    outputs: dict[str, list[str | int]],
    ir: int,
) -> None:
    values = [
        [
            helper.make_tensor_value_info(
                name, TensorProto.INT64 if name in ("speaker", "length") else TensorProto.FLOAT, shape
            )
            for name, shape in ends.items()
        ]
        for ends in (inputs, outputs)
    ]
    model = helper.make_model(helper.make_graph(nodes, "tiny", *values), opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = ir
    about = {key: json.dumps(value) for key, value in METADATA.items()}
    helper.set_model_props(model, about | {"format": f"{predictor.FORMAT_NAME} {predictor.FORMAT_VERSION}"})
    path.write_bytes(model.SerializeToString())
