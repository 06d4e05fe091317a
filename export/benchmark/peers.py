"""What a user would pick in place of our ONNX file: PyTorch's own exporters, run by onnxruntime, OpenVINO, AOTInductor.

Each is exported for every input shape by itself, which favours it: an export with dynamic axes is slower. With
them is our portable graph, which has dynamic axes.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from export.benchmark.base import Function
from export.onnx import deployed_model, dialogue_graph
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, as_function, options
from replicate.model.window_graph import BLOCK, Band

PLAIN, OPENVINO, AOT = "torch.onnx export, onnxruntime", "torch.onnx export, OpenVINO", "AOTInductor"
PORTABLE, PORTABLE_OPENVINO = "portable graph, onnxruntime", "portable graph, OpenVINO"
PEERS = (PORTABLE, PORTABLE_OPENVINO, PLAIN, OPENVINO, AOT)
NAMES = ("audio", "speaker", "length")


def available() -> dict[str, str | None]:
    """Return every peer, with the reason if it cannot run on this machine, else None."""
    missing: dict[str, str | None] = dict.fromkeys(PEERS)
    if find_spec("openvino") is None:
        missing[OPENVINO] = missing[PORTABLE_OPENVINO] = "openvino is not installed"
    if find_spec("onnxscript") is None:
        missing[PLAIN] = missing[OPENVINO] = "torch.onnx needs onnxscript, which is not installed"
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        missing[AOT] = "AOTInductor needs a C++ compiler"
    return missing


def make(name: str, model: SpeechModel, threads: int = 1) -> Function:
    """Make the peer of that name from the banded form; it is exported anew when the input's shape changes."""
    if name in (PORTABLE, PORTABLE_OPENVINO):
        content = dialogue_graph.build(model, portable=True).SerializeToString()
        return (_onnxruntime if name == PORTABLE else _openvino)(content, threads)
    build = {PLAIN: _plain, OPENVINO: _plain_openvino, AOT: _aot}[name]
    made: dict[tuple[int, ...], Function] = {}

    def run(inputs: Inputs) -> NDArray[np.float32]:
        shape = inputs["audio"].shape
        if shape not in made:
            made.clear()
            with _quiet():
                made[shape] = build(model, inputs, threads)
        return made[shape](inputs)

    return run


def _plain(model: SpeechModel, inputs: Inputs, threads: int) -> Function:
    return _onnxruntime(_exported(model, inputs), threads)


def _plain_openvino(model: SpeechModel, inputs: Inputs, threads: int) -> Function:
    return _openvino(_exported(model, inputs), threads)


def _onnxruntime(content: bytes, threads: int) -> Function:
    return as_function(onnxruntime.InferenceSession(content, options(threads), providers=["CPUExecutionProvider"]))


def _openvino(content: bytes, threads: int) -> Function:
    import openvino

    # Without the hint it rounds to 16 bits on processors that have instructions for these.
    chosen = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    request = core.compile_model(core.read_model(io.BytesIO(content)), "CPU", chosen)
    request = request.create_infer_request()
    return lambda given: request.infer(given)["probability"]


def _aot(model: SpeechModel, inputs: Inputs, threads: int) -> Function:
    """Compile by AOTInductor, whose threads are torch's."""
    arguments = tuple(torch.from_numpy(inputs[name]) for name in NAMES)
    config = model.model.config
    band = _band_of_constants(inputs["speaker"].size, config.past, config.future)
    with (
        torch.no_grad(),
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(deployed_model, "build_band", band),
    ):
        program = torch.export.export(model, arguments)
        package = torch._inductor.aoti_compile_and_package(program, package_path=str(Path(folder) / "model.pt2"))
        compiled = torch._inductor.aoti_load_package(package)
    return lambda given: compiled(*(torch.from_numpy(given[name]) for name in NAMES)).numpy()


def _band_of_constants(rows: int, past: int, future: int) -> Callable[..., Band]:
    """Make ``build_band`` for a fixed number of rows: AOTInductor fails on indices that are computed."""
    receiver = torch.arange(0, rows, BLOCK)[:, None] + torch.arange(BLOCK)
    sender = torch.arange(0, rows, BLOCK)[:, None] + torch.arange(-future, BLOCK + past)
    offset = sender[:, None, :] - receiver[:, :, None]
    near = (offset >= -future) & (offset <= past) & ((sender >= 0) & (sender < rows))[:, None, :]
    itself, order = offset == 0, (offset >= 0).long()
    receiver, sender = receiver.clamp(max=rows - 1), sender.clamp(0, rows - 1)

    def band(dialogue: torch.Tensor, speaker: torch.Tensor, past: int, future: int, speakers: int) -> Band:
        same = dialogue[sender][:, None, :] == dialogue[receiver][:, :, None]
        relation = 2 * speakers * speaker[sender][:, None, :] + 2 * speaker[receiver][:, :, None] + order
        return Band(sender, (same & near) | itself, relation, future)

    return band


def _exported(model: SpeechModel, inputs: Inputs) -> bytes:
    arguments = tuple(torch.from_numpy(inputs[name]) for name in NAMES)
    program = torch.onnx.export(
        model,
        arguments,
        input_names=NAMES,
        output_names=["probability"],
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    assert program is not None
    return program.model_proto.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters' warnings and log lines, which do not concern a comparison of times."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
