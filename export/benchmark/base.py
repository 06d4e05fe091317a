"""The engines that are compared: their names, and what each must be able to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs

Function = Callable[[Inputs], NDArray[np.float32]]
REFERENCE, BANDED, COMPILED = "PyTorch, torch_geometric", "PyTorch, banded", "PyTorch, banded, compiled"
REPLAYED = "PyTorch, banded, graph replay"
FP32, QUANTISED = "onnxruntime", "onnxruntime, int8"
# Predicts one utterance and takes no batch: see ``export.benchmark.engines.next_utterance``.
STREAMED = "onnxruntime, stream"
# Not an engine, but a lower bound for onnxruntime: see ``export.benchmark.flops``.
FLOOR = "onnxruntime, products alone"
ENGINES = (REFERENCE, BANDED, COMPILED, REPLAYED, FP32, QUANTISED)


@dataclass(frozen=True)
class Engine:
    """One way to run the model on a device.

    Attributes:
        predict: maps a padded batch to probabilities, both in host memory.
        timer: for a padded batch, makes a function that runs it once and returns the seconds. On a GPU, input and
            output stay in GPU memory.
    """

    predict: Function
    timer: Callable[[Inputs], Callable[[], float]]


def compile_for_each_shape(model: SpeechModel) -> Callable[..., Any]:
    """Compile the context extractor and the graph layers anew for each input shape; edges are built eagerly.

    torch's compiler fails on the window's indices, both with dynamic shapes and in the whole model.
    """
    seen: list[torch.Size] = []
    model.model.rnn = torch.compile(model.model.rnn, dynamic=False)  # type: ignore[assignment]
    model.model.classify = torch.compile(model.model.classify, dynamic=False)  # type: ignore[method-assign]

    def run(audio: torch.Tensor, speaker: torch.Tensor, length: torch.Tensor) -> Any:
        if seen != [audio.shape]:
            torch.compiler.reset()  # torch caches eight shapes and silently runs further ones uncompiled
            seen[:] = [audio.shape]
        return model(audio, speaker, length)

    return run
