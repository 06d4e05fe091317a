"""Peak memory of a process that runs a single engine.

``python -m export.benchmark.memory BUNDLE ENGINE LENGTH DEVICE`` starts one.

A process of its own, since PyTorch in the benchmark's would hide that onnxruntime needs none of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np


def peak(bundle: Path, engine: str, utterances: int, device: str = "cpu") -> float | None:
    """Megabytes (10^6 bytes) of the device's memory that one dialogue of that length took, None if none can be told.

    On a GPU, what is taken there after the run, for its memory is kept once it was needed; other programs that use the
    GPU meanwhile spoil it.
    """
    command = [sys.executable, "-m", "export.benchmark.memory", str(bundle), engine, str(utterances), device]
    done = subprocess.run(command, capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def _deployed(bundle: Path, int8: bool, utterances: int) -> None:
    """onnxruntime without PyTorch, as it is deployed."""
    from export.predictor import DialogueFeatures, Predictor

    predictor = Predictor(bundle, int8=int8)
    features = np.zeros((utterances, predictor.width), np.float32)
    predictor.predict([DialogueFeatures("", [predictor.speakers[0]] * utterances, features)])


def _engine(bundle: Path, engine: str, utterances: int, device: str) -> None:
    from export.benchmark.engines import make
    from export.bundle.bundle import open_run
    from export.onnx.session import Inputs

    run = open_run(bundle)
    width = len(run.scaling()[run.audio_stream].mean)
    inputs: Inputs = {
        "audio": np.zeros((1, utterances, width), np.float32),
        "speaker": np.zeros((1, utterances), np.int64),
        "length": np.array([utterances]),
    }
    make(engine, bundle, 1, device).answer(inputs)


def _on_gpu(bundle: Path, engine: str, utterances: int) -> float:
    """Megabytes that the GPU has less free after the run than before."""
    import torch

    before = torch.cuda.mem_get_info()[0]
    _engine(bundle, engine, utterances, "cuda")
    torch.cuda.synchronize()
    return (before - torch.cuda.mem_get_info()[0]) / 1e6


def _megabytes() -> float:
    """This process's peak. Linux counts in ``getrusage`` what the parent held before it started us, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _main(bundle: Path, engine: str, utterances: int, device: str) -> float:
    if device != "cpu":
        return _on_gpu(bundle, engine, utterances)
    if engine.startswith("onnxruntime"):
        _deployed(bundle, engine.endswith("int8"), utterances)
    else:
        _engine(bundle, engine, utterances, device)
    return _megabytes()


if __name__ == "__main__":
    print(_main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
