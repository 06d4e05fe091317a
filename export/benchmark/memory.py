"""Peak memory of a process that runs one engine: ``python -m export.benchmark.memory BUNDLE ENGINE LENGTH DEVICE``.

Each engine runs in a process of its own, because the benchmark's process has PyTorch loaded, which onnxruntime does not
need.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from replicate.machine import peak_memory


def peak(bundle: Path, engine: str, utterances: int, device: str = "cpu") -> float | None:
    """Measure the memory for one dialogue in megabytes (10^6 bytes); None if the engine fails.

    On the CPU this is the peak of the process. On a GPU it is the difference of free memory before and after, since
    libraries keep memory once they have used it; other programs on the GPU disturb it.
    """
    command = [sys.executable, "-m", "export.benchmark.memory", str(bundle), engine, str(utterances), device]
    done = subprocess.run(command, capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def _run_deployed(bundle: Path, int8: bool, utterances: int) -> None:
    """Run onnxruntime without PyTorch, as a deployed bundle does."""
    from export.predictor import DialogueFeatures, Predictor

    predictor = Predictor(bundle, int8=int8)
    features = np.zeros((utterances, predictor.width), np.float32)
    predictor.predict([DialogueFeatures("", [predictor.speakers[0]] * utterances, features)])


def _run_engine(bundle: Path, engine: str, utterances: int, device: str) -> None:
    from export.benchmark.engines import make
    from export.bundle.opening import open_run
    from export.onnx.session import Inputs

    run = open_run(bundle)
    width = len(run.scaling()[run.audio_stream].mean)
    inputs: Inputs = {
        "audio": np.zeros((1, utterances, width), np.float32),
        "speaker": np.zeros((1, utterances), np.int64),
        "length": np.array([utterances]),
    }
    make(engine, bundle, 1, device).predict(inputs)


def _on_gpu(bundle: Path, engine: str, utterances: int) -> float:
    import torch

    before = torch.cuda.mem_get_info()[0]
    _run_engine(bundle, engine, utterances, "cuda")
    torch.cuda.synchronize()
    return (before - torch.cuda.mem_get_info()[0]) / 1e6


def _main(bundle: Path, engine: str, utterances: int, device: str) -> float:
    if device != "cpu":
        return _on_gpu(bundle, engine, utterances)
    if engine.startswith("onnxruntime"):
        _run_deployed(bundle, engine.endswith("int8"), utterances)
    else:
        _run_engine(bundle, engine, utterances, device)
    return peak_memory() / 1e6


if __name__ == "__main__":
    print(_main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
