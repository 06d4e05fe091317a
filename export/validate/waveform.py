"""The checks of files that take waveforms: against the extractor and the model in PyTorch, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch

from export.limited_session import LimitedSession
from export.onnx import save, streaming_graph
from export.onnx.deployed_model import SpeechModel
from export.onnx.fitted import of_file
from export.onnx.session import Inputs, torch_outputs
from export.validate.check import Check, Wrong, attempt
from export.validate.checks import runs, same_metadata, valid_onnx
from export.validate.dialogue import TOLERANCE
from replicate.corpus.types import Corpus
from replicate.features.acoustic import Acoustic, columns
from replicate.features.audio import RATE
from replicate.rng import deterministic, generator
from replicate.store.run import Run

# Seconds of the utterances of each example: one, a conversation, and sounds shorter than a window.
SECONDS = ((3.0,), (0.5, 2.0, 1.0, 4.0, 0.3), (0.05, 0.01, 1.0))


def run_waveform_checks(
    path: Path, run: Run, corpus: Corpus | None, stream: bool = False, model: Path | None = None
) -> list[Check]:
    """Check a file for waveforms against the run that it was exported from.

    Args:
        corpus: that of the run.
        model: the bundle's ``MODEL``, whose temperature must be the same.
    """
    name = "waveforms, stream" if stream else "waveforms"
    first = attempt(
        f"{name}: onnxruntime",
        lambda: runs(path, _started(next(_examples(run)), run) if stream else next(_examples(run))),
    )
    if not first.passed:
        return [first]
    about = save.stream_metadata if stream else save.metadata
    return [
        first,
        attempt(f"{name}: onnx checker", lambda: valid_onnx(path)),
        attempt(f"{name}: operators of ONNX alone", lambda: _portable(path)),
        attempt(f"{name}: metadata", lambda: same_metadata(path, run, corpus, of_file(model or path), about)),
        attempt(f"{name} against PyTorch", lambda: _parity(path, run, stream)),
    ]


def _examples(run: Run) -> Iterator[Inputs]:
    """Yield made-up voices with noise, as dialogues; padding is noise."""
    speakers = run.record.model.speakers
    for seconds in SECONDS:
        draws = generator(0, f"voices {seconds}")
        samples = [round(RATE * each) for each in seconds]
        wave = 0.02 * torch.randn(len(samples), max(samples), generator=draws)
        time = torch.arange(max(samples)) / RATE
        for row, pitch in enumerate((100 + 200 * torch.rand(len(samples), generator=draws)).tolist()):
            voice = torch.sin(2 * torch.pi * pitch * (1 + 0.1 * torch.sin(2 * time)) * time)
            wave[row, : samples[row]] += (0.1 * voice)[: samples[row]]
        speaker = torch.randint(speakers, (len(samples),), generator=draws)
        yield {"waveform": wave.numpy(), "samples": np.array(samples), "speaker": speaker.numpy()}


def _started(given: Inputs, run: Run) -> Inputs:
    """Return the first utterance of an example at the start of a stream."""
    size = streaming_graph.state_size(run.record.model)
    first = {name: values[:1] for name, values in given.items()}
    return first | {"state": np.zeros(size, np.float32)}


def _portable(path: Path) -> str:
    model = onnx.load(path, load_external_data=False)
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if foreign:
        raise Wrong(f"it has operators of {', '.join(foreign)}")
    return f"opset {model.opset_import[0].version}"


def _parity(path: Path, run: Run, stream: bool) -> str:
    """Compare probabilities with those of PyTorch."""
    model, extractor, runner = (
        SpeechModel(run.model(), run.scaling(), "reference", of_file(path).temperature),
        Acoustic().eval(),
        LimitedSession(path),
    )
    places = [columns().index(name) for name in (save.recipe(run) or {})["columns"]]
    wrong, largest = [], 0.0
    for given in _examples(run):
        with deterministic(), torch.no_grad():
            features = extractor(torch.from_numpy(given["waveform"]), torch.from_numpy(given["samples"])).numpy()
        count = len(features)
        inputs = {"audio": features[None, :, places], "speaker": given["speaker"][None], "length": np.array([count])}
        with deterministic():
            expected = torch_outputs(model, inputs)[0]
        found = _steps(runner, given, run) if stream else runner.run(given, count)[0]
        difference = float(np.abs(found - expected).max())
        largest = max(largest, difference)
        if not difference <= TOLERANCE:  # also fails for NaN
            wrong.append(f"{count} utterances: {difference:.1e}")
    if wrong:
        raise Wrong(f"more than {TOLERANCE:g} for {'; '.join(wrong)}")
    return f"largest difference {largest:.1e} in {len(SECONDS)} dialogues (limit {TOLERANCE:g})"


def _steps(runner: LimitedSession, given: Inputs, run: Run) -> np.ndarray:
    """Predict the utterances of a dialogue one by one."""
    state, found = _started(given, run)["state"], []
    for i, size in enumerate(given["samples"]):
        own = {name: values[i : i + 1] for name, values in given.items()}
        own["waveform"] = own["waveform"][:, :size]
        probability, state, _ = runner.run(own | {"state": state})
        found.append(probability[0])
    return np.stack(found)
