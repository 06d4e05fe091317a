"""What every timed engine is: a name and a function of a padded batch."""

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
# Answers one utterance, and none of a batch: see ``next_utterance``.
STREAMED = "onnxruntime, stream"
# No engine but a bound for onnxruntime: see ``export.benchmark.flops``.
FLOOR = "onnxruntime, products alone"
ENGINES = (REFERENCE, BANDED, COMPILED, REPLAYED, FP32, QUANTISED)


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
