"""What is timed: the same model in PyTorch and in onnxruntime, each as a function of a padded batch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
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

Engine = Callable[[Inputs], NDArray[np.float32]]
REFERENCE, BANDED, COMPILED = "PyTorch, torch_geometric", "PyTorch, banded", "PyTorch, banded, compiled"
FP32, QUANTISED = "onnxruntime", "onnxruntime, int8"
ENGINES = (REFERENCE, BANDED, COMPILED, FP32, QUANTISED)


def available(bundle: Path) -> dict[str, str | None]:
    """Every engine, and why it cannot run here where it cannot."""
    missing: dict[str, str | None] = dict.fromkeys(ENGINES)
    if not (bundle / INT8).is_file():
        missing[QUANTISED] = f"the bundle holds no {INT8}"
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        missing[COMPILED] = "torch.compile needs a C++ compiler"
    return missing


def make(name: str, bundle: Path, threads: int) -> Engine:
    """The engine of that name; the PyTorch ones take the number of threads that torch is set to."""
    if name in (FP32, QUANTISED):
        return as_function(session(bundle / (MODEL if name == FP32 else INT8), threads))
    run = open_run(bundle)
    with deterministic():
        model = SpeechModel(run.model(), run.scaling(), "reference" if name == REFERENCE else "banded")
    return _compiled(model) if name == COMPILED else eager(model)


def eager(model: Callable[..., Any]) -> Engine:
    """A PyTorch model on the CPU; building the graph is part of each call."""

    def run(inputs: Inputs) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model(*(torch.from_numpy(inputs[name]) for name in ("audio", "speaker", "length"))).numpy()

    return run


def _compiled(model: SpeechModel) -> Engine:
    """Compiled anew for every shape of input: with dynamic shapes torch's compiler fails on the windows' indices."""
    seen: list[tuple[int, ...]] = []
    run = eager(torch.compile(model, dynamic=False))

    def compiled(inputs: Inputs) -> NDArray[np.float32]:
        shape = inputs["audio"].shape
        if seen != [shape]:
            torch.compiler.reset()  # it keeps eight shapes, and runs further ones uncompiled without a word
            seen[:] = [shape]
        return run(inputs)

    return compiled
