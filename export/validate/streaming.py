"""The checks of a streaming file: it is valid, of the same run, and agrees with the file for whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.graph_check import check_probabilities
from export.limited_session import LimitedSession
from export.onnx import save
from export.onnx.deployed_model import SpeechModel
from export.onnx.fitted import of_file
from export.onnx.session import Inputs, limited
from export.validate.check import Check, Wrong, attempt
from export.validate.checks import runs, same_metadata, valid_onnx
from export.validate.dialogue import LENGTHS, SPEAKERS, TOLERANCE, example
from replicate.corpus.types import Corpus
from replicate.store.run import Run

# A state holds the last utterances of every layer: thousands of numbers, see ``state_size``.
MOST_STATE = 1 << 24


def run_stream_checks(stream: Path, model: Path, run: Run, corpus: Corpus | None) -> list[Check]:
    """Check a streaming file against the file for whole dialogues and the run that both were exported from."""
    first = attempt("stream: onnxruntime", lambda: runs(stream, _first_inputs(stream, run)))
    if not first.passed:
        return [first]
    return [
        first,
        attempt("stream: onnx checker", lambda: valid_onnx(stream)),
        attempt("stream: metadata", lambda: same_metadata(stream, run, corpus, of_file(model), save.stream_metadata)),
        attempt("stream against whole dialogues", lambda: _same_predictions(stream, model, run)),
    ]


def _first_inputs(stream: Path, run: Run) -> Inputs:
    """Return the first utterance of a dialogue, with a state of the file's size: another run's may differ."""
    inputs = example((1,), SpeechModel(run.model(), run.scaling()))
    (size,) = LimitedSession(stream).session.get_inputs()[2].shape
    if not isinstance(size, int) or size > MOST_STATE:
        raise Wrong(f"its state has {size} numbers, more than any model of this package")
    state = np.zeros(size, np.float32)
    return {"audio": inputs["audio"][0], "speaker": inputs["speaker"][0], "state": state}


def step_by_step(runner: Any) -> Callable[[Inputs], NDArray[Any]]:
    """Make a streaming session a function of a padded batch; each dialogue starts with a state of zeros.

    Args:
        runner: an onnxruntime session, or what has its methods.
    """
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


class _Limited:
    """A streaming file from anybody with the methods of an onnxruntime session that ``step_by_step`` calls."""

    def __init__(self, path: Path) -> None:
        self._runner = LimitedSession(path)
        self.get_inputs, self.get_outputs = self._runner.session.get_inputs, self._runner.session.get_outputs

    def run(self, _names: None, inputs: Inputs) -> list[NDArray[Any]]:
        """Return probabilities and the new state of one utterance. Raises: Wrong: they are not, or not finite."""
        probabilities, state = self._runner.run(inputs)
        try:
            check_probabilities(probabilities, (1, *probabilities.shape[1:]))
        except ValueError as error:
            raise Wrong(str(error)) from error
        if not np.isfinite(state).all():
            raise Wrong("its state has numbers that are not finite")
        return [probabilities, state]


def _same_predictions(stream: Path, model: Path, run: Run) -> str:
    """Check that both files give the same probabilities, for all lengths and speakers of the examples."""
    whole, steps = limited(model), step_by_step(_Limited(stream))
    shape = SpeechModel(run.model(), run.scaling())
    wrong, largest = [], 0.0
    for n in LENGTHS:
        for speakers in SPEAKERS:
            inputs = example((n,), shape, speakers)
            difference = float(np.abs(whole(inputs) - steps(inputs)).max())
            largest = max(largest, difference)
            if not difference <= TOLERANCE:  # also fails for NaN
                wrong.append(f"length {n}, speakers {speakers}: {difference:.1e}")
    if wrong:
        raise Wrong(f"more than {TOLERANCE:g} for {'; '.join(wrong)}")
    return f"largest difference {largest:.1e} in {len(LENGTHS) * len(SPEAKERS)} cases (limit {TOLERANCE:g})"
