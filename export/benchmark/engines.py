"""The engines of a benchmark: the same model in PyTorch and in onnxruntime."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.benchmark import peers
from export.benchmark.base import (
    COMPILED,
    ENGINES,
    FP32,
    QUANTISED,
    REFERENCE,
    REPLAYED,
    Engine,
    Function,
    compile_for_each_shape,
)
from export.bundle.opening import open_run
from export.onnx.deployed_model import SpeechModel
from export.onnx.fitted import of_file
from export.onnx.session import Inputs, as_function, session
from export.predictor import INT8, MODEL
from replicate.machine import by_clock
from replicate.model.cogmen import Form
from replicate.rng import deterministic


def available(bundle: Path, device: str = "cpu") -> dict[str, str | None]:
    """Return every engine of a device, with the reason if it cannot run on this machine, else None."""
    missing: dict[str, str | None] = dict.fromkeys(ENGINES)
    if not (bundle / INT8).is_file():
        missing[QUANTISED] = f"the bundle contains no {INT8}"
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        missing[COMPILED] = "torch.compile needs a C++ compiler"
    if device == "cpu":
        del missing[REPLAYED]
        return missing
    from export.benchmark import cuda

    del missing[QUANTISED]  # its integer products run on CPUs only
    return missing | {FP32: cuda.lacks_provider(bundle / MODEL)}


def make(name: str, bundle: Path, threads: int = 1, device: str = "cpu") -> Engine:
    """Make the engine of that name; PyTorch engines ignore ``threads`` and use ``torch.get_num_threads()``."""
    if device != "cpu":
        from export.benchmark import cuda

        return cuda.onnx_engine(bundle / MODEL) if name == FP32 else cuda.torch_engine(speech(name, bundle), name)
    if name in (FP32, QUANTISED):
        return on_host(as_function(session(bundle / (MODEL if name == FP32 else INT8), threads)))
    model = speech(name, bundle)
    if name in peers.PEERS:
        return on_host(peers.make(name, model, threads))
    return on_host(eager(compile_for_each_shape(model) if name == COMPILED else model))


def speech(name: str, bundle: Path) -> SpeechModel:
    """Load the bundle's model in the form that a PyTorch engine runs."""
    run = open_run(bundle)
    with deterministic():
        form: Form = "reference" if name == REFERENCE else "banded"
        return SpeechModel(run.model(), run.scaling(), form, of_file(bundle / MODEL).temperature)


def eager(model: Callable[..., Any]) -> Function:
    """Make a PyTorch model on the CPU a function of a padded batch; each call also builds the edges."""

    def run(inputs: Inputs) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model(*(torch.from_numpy(inputs[name]) for name in ("audio", "speaker", "length"))).numpy()

    return run


def on_host(function: Function) -> Engine:
    """Make an engine of a function that returns its result in host memory."""
    return Engine(function, lambda inputs: by_clock(lambda: function(inputs)))


def next_utterance(stream: Path, threads: int = 1) -> Callable[[], Any]:
    """Make a function that predicts the next utterance of a stream, whose state is as full as it can be."""
    runner = session(stream, threads)
    audio, _, state = runner.get_inputs()
    draws = np.random.default_rng(0)
    given: Inputs = {
        "audio": draws.standard_normal(audio.shape, np.float32),
        "speaker": np.zeros(1, np.int64),
        "state": np.zeros(state.shape, np.float32),
    }

    def predict() -> None:
        given["state"] = runner.run(None, given)[1]

    count = -1.0
    while given["state"][0] > count:  # the state's first value counts utterances, up to the most that have an effect
        count = given["state"][0]
        predict()
    return predict
