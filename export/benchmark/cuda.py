"""The engines on a CUDA device: times by its own events, inputs and outputs in its memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.benchmark.base import COMPILED, REPLAYED, Engine, compile_anew
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, session
from replicate.machine import by_clock, by_events

PROVIDER = "CUDAExecutionProvider"
# Products in full float32, as PyTorch's: the rounded ones of the matrix units would not be the same model.
EXACT = (PROVIDER, {"use_tf32": "0"})


def lacks_provider(model: Path) -> str | None:
    """Why onnxruntime cannot run the model on the GPU, None if it can; it falls back to the CPU without an error."""
    if PROVIDER not in onnxruntime.get_available_providers():
        return f"onnxruntime here has no {PROVIDER}: pip install onnxruntime-gpu"
    if PROVIDER not in session(model, providers=[EXACT]).get_providers():
        return f"onnxruntime cannot load its {PROVIDER}: its CUDA and cuDNN libraries are missing or of another version"
    return None


def torch_engine(model: SpeechModel, name: str) -> Engine:
    """A PyTorch form on the device: eager (with the building of the graph in each call), compiled, or replayed."""
    model = model.cuda()
    function = compile_anew(model) if name == COMPILED else model
    prepare = _capture if name == REPLAYED else _call

    def answer(inputs: Inputs) -> NDArray[np.float32]:
        with torch.inference_mode():
            result: Tensor = prepare(function, inputs)()
            return result.cpu().numpy()

    def stopwatch(inputs: Inputs) -> Callable[[], float]:
        with torch.inference_mode():
            once = by_events(prepare(function, inputs))
        return torch.inference_mode()(once)

    return Engine(answer, stopwatch)


def _call(function: Callable[..., Tensor], inputs: Inputs) -> Callable[[], Tensor]:
    placed = _placed(inputs)
    return lambda: function(*placed)


def _capture(function: Callable[..., Tensor], inputs: Inputs) -> Callable[[], Tensor]:
    """The whole model as one launch: recorded once for these shapes, then replayed on the same memory."""
    placed = _placed(inputs)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # libraries set themselves up in their first calls, which must not be recorded
            function(*placed)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function(*placed)

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


def _placed(inputs: Inputs) -> list[Tensor]:
    return [torch.from_numpy(inputs[name]).cuda() for name in ("audio", "speaker", "length")]


def onnx_engine(model: Path) -> Engine:
    """onnxruntime on the device with bound inputs and outputs; a run returns when its result is there."""
    runner = session(model, providers=[EXACT])

    def bind(inputs: Inputs) -> Any:
        binding = runner.io_binding()
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
        binding.bind_output("probability", "cuda")
        return binding

    def run(binding: Any) -> None:
        runner.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def answer(inputs: Inputs) -> NDArray[np.float32]:
        binding = bind(inputs)
        run(binding)
        return np.asarray(binding.copy_outputs_to_cpu()[0])

    def stopwatch(inputs: Inputs) -> Callable[[], float]:
        binding = bind(inputs)
        return by_clock(lambda: run(binding))

    return Engine(answer, stopwatch)
