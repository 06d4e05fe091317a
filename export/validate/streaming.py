"""The rungs of a streaming file: it is sound, of the same run, and says what the file for whole dialogues says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.onnx import save
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, as_function, session
from export.validate.dialogue import (
    LENGTHS,
    SPEAKERS,
    TOLERANCE,
    Check,
    Wrong,
    attempt,
    checker,
    example,
    one_file,
    same_metadata,
)
from replicate.corpus.types import Corpus
from replicate.store.run import Run


def run_stream_checks(stream: Path, model: Path, run: Run, corpus: Corpus | None) -> list[Check]:
    """Every rung for a streaming file, beside the file for whole dialogues and the run that both were made of."""
    return [
        attempt("stream: onnx checker", lambda: checker(stream)),
        attempt("stream: one file", lambda: one_file(stream)),
        attempt("stream: metadata", lambda: same_metadata(stream, run, corpus, save.stream_metadata)),
        attempt("stream against whole dialogues", lambda: _same_answers(stream, model, run)),
    ]


def step_by_step(runner: onnxruntime.InferenceSession) -> Callable[[Inputs], NDArray[Any]]:
    """A streaming session as a function of a padded batch: each dialogue from a state of zeros, one by one."""
    size = runner.get_inputs()[2].shape
    classes = runner.get_outputs()[0].shape[-1]

    def run(inputs: Inputs) -> NDArray[Any]:
        found = np.zeros((*inputs["speaker"].shape, classes), np.float32)
        for row, length in enumerate(inputs["length"]):
            state = np.zeros(size, np.float32)
            for step in range(length):
                own = slice(step, step + 1)
                given = {"audio": inputs["audio"][row, own], "speaker": inputs["speaker"][row, own], "state": state}
                found[row, own], state = runner.run(None, given)
        return found

    return run


def _same_answers(stream: Path, model: Path, run: Run) -> str:
    """Both files say the same of every utterance, whatever the length and whoever speaks."""
    whole, steps = as_function(session(model)), step_by_step(session(stream))
    shape = SpeechModel(run.model(), run.scaling())
    wrong, largest = [], 0.0
    for n in LENGTHS:
        for speakers in SPEAKERS:
            inputs = example((n,), shape, speakers)
            difference = float(np.abs(whole(inputs) - steps(inputs)).max())
            largest = max(largest, difference)
            if not difference <= TOLERANCE:  # a NaN fails, too
                wrong.append(f"length {n}, speakers {speakers}: {difference:.1e}")
    if wrong:
        raise Wrong(f"more than {TOLERANCE:g} for {'; '.join(wrong)}")
    return f"largest difference {largest:.1e} in {len(LENGTHS) * len(SPEAKERS)} cases (limit {TOLERANCE:g})"
