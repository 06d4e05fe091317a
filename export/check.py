"""The parity gate: an ONNX file against the PyTorch reference, on single dialogues and mixed batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from export.speech import SpeechModel
from replicate.errors import ExportFailed
from replicate.rng import generator

TOLERANCE = 1e-4
LENGTHS = (1, 2, 7, 30, 110)
BATCHES = ((2, 1), (7, 30, 1), (110, 7, 30, 2, 1), (30,) * 8)

Inputs = dict[str, NDArray[np.generic]]


def session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An onnxruntime session on the CPU with a fixed number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def check_file(path: Path, reference: SpeechModel, shown: Path) -> float:
    """The largest difference of probabilities over all lengths and batches; ``shown`` is what errors call the file.

    Raises:
        ExportFailed: naming every case above 1e-4, or what onnx or onnxruntime refuse.
    """
    failed, largest = [], 0.0
    try:
        onnx.checker.check_model(str(path), full_check=True)
        runner = session(path)
        for lengths in [*((n,) for n in LENGTHS), *BATCHES]:
            inputs = example(lengths, reference)
            ours = runner.run(None, inputs)[0]
            difference = max(
                float(np.abs(ours[i, :n] - expected).max())
                for i, (n, expected) in enumerate(zip(lengths, _alone(reference, inputs, lengths), strict=True))
            )
            largest = max(largest, difference)
            if not difference <= TOLERANCE:  # a NaN fails, too
                failed.append(f"lengths {', '.join(map(str, lengths))}: {difference:.1e}")
    except OSError:
        raise
    except Exception as error:
        # onnx and onnxruntime raise classes of their own without a common base.
        reason = " ".join(str(error).split())[:300]
        raise ExportFailed(f"{shown} cannot be run and is not to be used ({type(error).__name__}: {reason})") from error
    if failed:
        raise ExportFailed(
            f"{shown} is not to be used: it differs from PyTorch by more than {TOLERANCE:g} for {'; '.join(failed)}; "
            "compare your torch, onnx and onnxruntime with constraints.txt and export again"
        )
    return largest


def example(lengths: tuple[int, ...], model: SpeechModel) -> Inputs:
    """Random dialogues of the given lengths at the scale of the training features; padding is noise on purpose.

    Shapes:
        audio (B, L, features) float32, speaker (B, L) int64, length (B,) int64.
    """
    draws = generator(0, f"example {lengths}")
    shape = (len(lengths), max(lengths))
    audio = torch.randn(*shape, len(model.mean), generator=draws) * model.deviation + model.mean
    speaker = torch.randint(model.model.config.speakers, shape, generator=draws)
    return {"audio": audio.numpy(), "speaker": speaker.numpy(), "length": np.array(lengths)}


@torch.no_grad()
def _alone(reference: SpeechModel, inputs: Inputs, lengths: tuple[int, ...]) -> Iterator[NDArray[np.float32]]:
    """What the reference says of each dialogue when it comes alone, without padding."""
    for i, n in enumerate(lengths):
        audio = torch.from_numpy(inputs["audio"][i : i + 1, :n])
        speaker = torch.from_numpy(inputs["speaker"][i : i + 1, :n])
        yield reference(audio, speaker, torch.tensor([n]))[0].numpy()
