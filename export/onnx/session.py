"""Run exported graphs and PyTorch models on padded batches and on whole splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from export import graph_check
from export.bundle_files import BadBundle
from export.graph_check import shown
from export.limited_session import LimitedSession
from export.onnx.deployed_model import SpeechModel
from replicate.corpus.types import Corpus, Split

Inputs = dict[str, NDArray[Any]]


def options(threads: int = 1) -> onnxruntime.SessionOptions:
    """Return options of an onnxruntime session with a fixed number of threads."""
    found = onnxruntime.SessionOptions()
    found.intra_op_num_threads, found.inter_op_num_threads = threads, 1
    return found


def session(path: Path, threads: int = 1, providers: Sequence[Any] = ()) -> onnxruntime.InferenceSession:
    """Open an onnxruntime session with a fixed number of threads, on the CPU unless other providers are given."""
    return onnxruntime.InferenceSession(path, options(threads), providers=[*providers, "CPUExecutionProvider"])


def limited(path: Path) -> Callable[[Inputs], NDArray[Any]]:
    """Open a file that may be from anybody as a function from a padded batch to its first output.

    Raises:
        predictor.BadBundle: it has what no exported file has. The function: it needs too much memory or time, or gives
            no probabilities.
    """
    runner = LimitedSession(path)

    def run(inputs: Inputs) -> NDArray[Any]:
        found = runner.run(inputs, inputs["speaker"].size)[0]
        check_probabilities(found, inputs, str(path))
        return found

    return run


def check_probabilities(found: NDArray[Any], inputs: Inputs, name: str) -> None:
    """Check what a model gives for a padded batch; padding may be anything.

    Args:
        name: of the model, for the message.

    Raises:
        predictor.BadBundle: they are no probabilities.
    """
    try:
        if found.ndim != 3 or found.shape[:2] != inputs["speaker"].shape:
            raise ValueError(f"its output has the shape {found.shape} for utterances {inputs['speaker'].shape}")
        for row, length in zip(found, inputs["length"], strict=True):
            graph_check.check_probabilities(row[:length], (length, found.shape[-1]))
    except ValueError as error:
        raise BadBundle(f"{name} is no model of `replicate export onnx`: {error}; export again") from error


def as_function(runner: onnxruntime.InferenceSession) -> Callable[[Inputs], NDArray[Any]]:
    """Make a session a function from a padded batch to its first output."""
    return lambda inputs: runner.run(None, inputs)[0]


def on_corpus(run: Callable[[Inputs], NDArray[Any]], corpus: Corpus, stream: str, split: Split) -> NDArray[Any]:
    """Run a function on each dialogue of a split.

    Shapes: returns probabilities (utterances of the split, classes).

    Raises:
        predictor.BadBundle: what it gives for a dialogue are no probabilities.
    """
    found = []
    for dialogue in corpus.split(split):
        inputs: Inputs = {
            "audio": dialogue.features[stream][None],
            "speaker": dialogue.speakers[None],
            "length": np.array([len(dialogue)]),
        }
        found.append(run(inputs)[0])
        check_probabilities(found[-1][None], inputs, f"the model for dialogue {shown(dialogue.id)}")
    return np.concatenate(found)


@torch.no_grad()
def torch_outputs(model: SpeechModel, inputs: Inputs) -> NDArray[np.float32]:
    """Run a PyTorch model on a padded batch. Shapes: returns probabilities (batch, utterances, classes)."""
    return model(*(torch.from_numpy(inputs[name]) for name in ("audio", "speaker", "length"))).numpy()
