"""The engines on a CUDA device: timed with CUDA events, with inputs and outputs in GPU memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.benchmark.base import COMPILED, REPLAYED, Engine, compile_for_each_shape
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, session
from replicate.machine import by_clock, by_events

PROVIDER = "CUDAExecutionProvider"
# Full float32 products, as in PyTorch; with TF32 rounding it would not compute the same.
EXACT = (PROVIDER, {"use_tf32": "0"})


def lacks_provider(model: Path) -> str | None:
    """Return why onnxruntime cannot run the model on the GPU, or None; it would fall back to the CPU silently."""
    if PROVIDER not in onnxruntime.get_available_providers():
        return f"onnxruntime here has no {PROVIDER}: pip install onnxruntime-gpu"
    if PROVIDER not in session(model, providers=[EXACT]).get_providers():
        return f"onnxruntime cannot load its {PROVIDER}: its CUDA and cuDNN libraries are missing or of another version"
    return None


def torch_engine(model: SpeechModel, name: str) -> Engine:
    """Make a PyTorch engine on the device: eager (each call also builds the edges), compiled, or as a CUDA graph."""
    model = model.cuda()
    function = compile_for_each_shape(model) if name == COMPILED else model
    prepare = _capture if name == REPLAYED else _call

    def predict(inputs: Inputs) -> NDArray[np.float32]:
        with torch.inference_mode():
            result: Tensor = prepare(function, inputs)()
            return result.cpu().numpy()

    def timer(inputs: Inputs) -> Callable[[], float]:
        with torch.inference_mode():
            once = by_events(prepare(function, inputs))
        return torch.inference_mode()(once)

    return Engine(predict, timer)


def _call(function: Callable[..., Tensor], inputs: Inputs) -> Callable[[], Tensor]:
    placed = _placed(inputs)
    return lambda: function(*placed)


def _capture(function: Callable[..., Tensor], inputs: Inputs) -> Callable[[], Tensor]:
    """Record the whole model as one CUDA graph for these shapes, and return a function that replays it."""
    placed = _placed(inputs)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # the first calls initialise libraries, which must not be recorded
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
    """Make the onnxruntime engine on the device, with inputs and outputs bound to GPU memory; runs are synchronous."""
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

    def predict(inputs: Inputs) -> NDArray[np.float32]:
        binding = bind(inputs)
        run(binding)
        return np.asarray(binding.copy_outputs_to_cpu()[0])

    def timer(inputs: Inputs) -> Callable[[], float]:
        binding = bind(inputs)
        return by_clock(lambda: run(binding))

    return Engine(predict, timer)
