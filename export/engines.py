"""What is timed: the same model in PyTorch and in onnxruntime, each as a function of a padded batch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.bundle import open_run
from export.check import Inputs, as_function, session
from export.predictor import INT8, MODEL
from export.speech import SpeechModel
from replicate.rng import deterministic

Function = Callable[[Inputs], NDArray[np.float32]]
REFERENCE, BANDED, COMPILED = "PyTorch, torch_geometric", "PyTorch, banded", "PyTorch, banded, compiled"
REPLAYED = "PyTorch, banded, graph replay"
FP32, QUANTISED = "onnxruntime", "onnxruntime, int8"
# Answers one utterance, and none of a batch: see ``next_utterance``.
STREAMED = "onnxruntime, stream"
# No engine but a bound for onnxruntime: see ``export.products``.
FLOOR = "onnxruntime, products alone"
ENGINES = (REFERENCE, BANDED, COMPILED, REPLAYED, FP32, QUANTISED)
# Side of the square matrices whose product is a device's peak: large enough to fill it.
PEAK = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class Engine:
    """A form of the model on a device.

    Attributes:
        answer: padded batch to probabilities, both in the host's memory.
        stopwatch: for a padded batch, what runs it once and tells the seconds. On a GPU input and output stay in its
            memory.
    """

    answer: Function
    stopwatch: Callable[[Inputs], Callable[[], float]]


def available(bundle: Path, device: str = "cpu") -> dict[str, str | None]:
    """Every engine that there is for a device, and why it cannot run here where it cannot."""
    missing: dict[str, str | None] = dict.fromkeys(ENGINES)
    if not (bundle / INT8).is_file():
        missing[QUANTISED] = f"the bundle holds no {INT8}"
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        missing[COMPILED] = "torch.compile needs a C++ compiler"
    if device == "cpu":
        del missing[REPLAYED]
        return missing
    from export import gpu

    del missing[QUANTISED]  # its integer products run on CPUs only
    return missing | {FP32: gpu.lacks_provider(bundle / MODEL)}


def make(name: str, bundle: Path, threads: int = 1, device: str = "cpu") -> Engine:
    """The engine of that name; on the CPU PyTorch's take the number of threads that torch is set to."""
    if device != "cpu":
        from export import gpu

        return gpu.onnx_engine(bundle / MODEL) if name == FP32 else gpu.torch_engine(speech(name, bundle), name)
    if name in (FP32, QUANTISED):
        return on_host(as_function(session(bundle / (MODEL if name == FP32 else INT8), threads)))
    model = speech(name, bundle)
    return on_host(eager(compile_anew(model) if name == COMPILED else model))


def speech(name: str, bundle: Path) -> SpeechModel:
    """The bundle's model in the form that a PyTorch engine runs."""
    run = open_run(bundle)
    with deterministic():
        return SpeechModel(run.model(), run.scaling(), "reference" if name == REFERENCE else "banded")


def eager(model: Callable[..., Any]) -> Function:
    """A PyTorch model on the CPU; building the graph is part of each call."""

    def run(inputs: Inputs) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model(*(torch.from_numpy(inputs[name]) for name in ("audio", "speaker", "length"))).numpy()

    return run


def on_host(function: Function) -> Engine:
    """A function that has its result when it returns."""
    return Engine(function, lambda inputs: by_clock(lambda: function(inputs)))


def by_clock(call: Callable[[], Any]) -> Callable[[], float]:
    """Runs ``call`` once and tells the seconds on the host's clock."""

    def once() -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return once


def peak(device: str) -> Callable[[], float]:
    """Runs a product of two square matrices, as fast as the device multiplies; tells the seconds."""
    square = torch.rand(PEAK[device], PEAK[device], device=device)
    if device == "cpu":
        return by_clock(lambda: square @ square)
    from export import gpu

    return gpu.by_events(lambda: square @ square)


def next_utterance(stream: Path, threads: int = 1) -> Callable[[], Any]:
    """Answers one more utterance of a dialogue by a streaming file, all that it can remember being there."""
    runner = session(stream, threads)
    audio, _, state = runner.get_inputs()
    draws = np.random.default_rng(0)
    given: Inputs = {
        "audio": draws.standard_normal(audio.shape, np.float32),
        "speaker": np.zeros(1, np.int64),
        "state": np.zeros(state.shape, np.float32),
    }

    def answer() -> None:
        given["state"] = runner.run(None, given)[1]

    heard = -1.0
    while given["state"][0] > heard:  # the count of what was heard stops where no more of it matters
        heard = given["state"][0]
        answer()
    return answer


def compile_anew(model: SpeechModel) -> Callable[..., Any]:
    """Context extractor and graph layers compiled, for every shape anew; the graph itself is built eagerly.

    torch's compiler fails on the indices of the windows, both with dynamic shapes and as part of the whole model.
    """
    seen: list[torch.Size] = []
    model.model.rnn = torch.compile(model.model.rnn, dynamic=False)  # type: ignore[assignment]
    model.model.classify = torch.compile(model.model.classify, dynamic=False)  # type: ignore[method-assign]

    def run(audio: torch.Tensor, speaker: torch.Tensor, length: torch.Tensor) -> Any:
        if seen != [audio.shape]:
            torch.compiler.reset()  # it keeps eight shapes, and runs further ones uncompiled without a word
            seen[:] = [audio.shape]
        return model(audio, speaker, length)

    return run
