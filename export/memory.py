"""Peak memory of a process that does nothing but run one engine: ``python -m export.memory BUNDLE ENGINE LENGTH``.

A process of its own, since PyTorch in the benchmark's would hide that onnxruntime needs none of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np


def peak(bundle: Path, engine: str, utterances: int) -> float | None:
    """Megabytes (10^6 bytes) that running one dialogue of that length took at most, None where none can be told."""
    command = [sys.executable, "-m", "export.memory", str(bundle), engine, str(utterances)]
    done = subprocess.run(command, capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def _run(bundle: Path, engine: str, utterances: int) -> None:
    from export.predictor import INT8, MODEL, Predictor, Spoken

    files = {"onnxruntime": MODEL, "onnxruntime, int8": INT8}
    if engine in files:
        predictor = Predictor(bundle, int8=files[engine] == INT8)
        features = np.zeros((utterances, predictor.width), np.float32)
        predictor.predict([Spoken("", [predictor.speakers[0]] * utterances, features)])
        return
    from export.bundle import open_run
    from export.engines import make

    width = len(open_run(bundle).scaling()["audio"].mean)
    make(engine, bundle, 1)(
        {
            "audio": np.zeros((1, utterances, width), np.float32),
            "speaker": np.zeros((1, utterances), np.int64),
            "length": np.array([utterances]),
        }
    )


def _megabytes() -> float:
    """This process's peak. Linux counts in ``getrusage`` what the parent held before it started us, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    _run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print(_megabytes())
