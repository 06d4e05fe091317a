"""The checks of an exported model: its file, its shapes, its outputs for many lengths and batches, its F1 on test.

All checks run even if one fails, so that every failure is reported at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.onnx import fitted
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, limited, on_corpus, torch_outputs
from export.onnx.training_range import same_range
from export.scores import weighted_f1
from export.validate.check import Check, Wrong, attempt, reason
from export.validate.checks import runs, same_metadata, valid_onnx
from replicate.corpus.types import Corpus
from replicate.rng import deterministic, generator
from replicate.store.run import Run

# Largest allowed difference of a probability: to PyTorch, and between a dialogue alone and in a batch.
TOLERANCE, ALONE_TOLERANCE = 1e-4, 1e-5
# Largest allowed mean difference of quantised probabilities: ten times that of correct files, less than that of sums
# that overflow.
INT8_TOLERANCE = 0.01
# Largest allowed relative difference of a temperature or a range that another machine fitted.
FIT_TOLERANCE = 0.01
LENGTHS = (1, 2, 7, 30, 110, 500)
BATCHES = ((2, 1), (7, 30, 1), (110, 7, 30, 2, 1), (30,) * 8)
# Speakers of the examples: dialogues of one speaker have other relations than those of two.
SPEAKERS: dict[str, Callable[[int], int] | None] = {
    "drawn": None,
    "all the first": lambda i: 0,
    "all the second": lambda i: 1,
    "alternating": lambda i: i % 2,
}
AXES: dict[str, list[str]] = {
    "audio": ["batch", "utterances"],
    "speaker": ["batch", "utterances"],
    "length": ["batch"],
    "probability": ["batch", "utterances"],
}


def run_checks(path: Path, run: Run, corpus: Corpus | None) -> list[Check]:
    """Check a file against the run that it was exported from; ``corpus`` is the one that the run was trained on."""
    with deterministic():
        shape = SpeechModel(run.model(), run.scaling())
        # Nothing else opens a file that fails this: it could take any amount of memory or time.
        checks = [attempt("onnxruntime", lambda: runs(path, example((1,), shape)))]
        if not checks[0].passed:
            return checks
        try:
            own = fitted.of_file(path)
        except ValueError as error:
            return [*checks, Check("metadata", False, str(error))]
        reference, banded = (
            SpeechModel(run.model(), run.scaling(), form, own.temperature) for form in ("reference", "banded")
        )
        checks.append(attempt("onnx checker", lambda: valid_onnx(path)))
        checks.append(attempt("names and dynamic axes", lambda: _axes(path, len(reference.mean), run)))
        checks.append(attempt("metadata", lambda: same_metadata(path, run, corpus, own)))
        runner = limited(path)
        checks += _parity(runner, reference, banded)
        checks.append(attempt("alone and in a batch", lambda: _independent_of_batch(runner, reference)))
        if corpus is None:
            return [*checks, Check("test F1", None, f"needs the corpus {run.record.corpus.name}: --data FILE")]
        checks.append(attempt("test F1", lambda: _test_f1(runner, reference, run, corpus)))
        return [*checks, attempt("temperature and range", lambda: _fitted(own, run, corpus))]


def example(lengths: tuple[int, ...], model: SpeechModel, speakers: str = "drawn") -> Inputs:
    """Make random dialogues of the given lengths, scaled like the training features; padding is noise, not zeros.

    Shapes:
        audio (B, L, features) float32, speaker (B, L) int64, length (B,) int64.
    """
    draws = generator(0, f"example {lengths}")  # changing the purpose changes the examples
    shape = (len(lengths), max(lengths))
    audio = torch.randn(*shape, len(model.mean), generator=draws) * model.deviation + model.mean
    known = model.model.config.speakers
    speaker = torch.randint(known, shape, generator=draws)
    chosen = SPEAKERS[speakers]
    if chosen is not None:
        speaker = torch.tensor([chosen(i) % known for i in range(shape[1])]).expand(shape).contiguous()
    return {"audio": audio.numpy(), "speaker": speaker.numpy(), "length": np.array(lengths)}


def _axes(path: Path, width: int, run: Run) -> str:
    graph = onnx.load(path, load_external_data=False).graph
    last = {"audio": [width], "probability": [len(run.record.corpus.labels)]}
    expected = {name: axes + last.get(name, []) for name, axes in AXES.items()}
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    if found != expected:
        raise Wrong(f"{found} instead of {expected}")
    return ", ".join(found)


def nearly_the_same(int8: Path, model: Path, run: Run) -> str:
    """Check that the quantised file's probabilities are near those of the other file, in the mean over all cases."""
    shape = SpeechModel(run.model(), run.scaling())
    both = [limited(path) for path in (int8, model)]
    differences = []
    for _, lengths, speakers in _cases():
        ours, theirs = (function(example(lengths, shape, speakers)) for function in both)
        differences.append(float(np.abs(ours - theirs).mean()))
    found = f"mean difference {np.mean(differences):.1e} (limit {INT8_TOLERANCE:g})"
    if not np.mean(differences) <= INT8_TOLERANCE:
        raise Wrong(found)
    return found


def _cases() -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield name, lengths and speakers of every input on which implementations are compared."""
    for n in LENGTHS:
        for speakers in SPEAKERS:
            yield f"length {n}, speakers {speakers}", (n,), speakers
    for lengths in BATCHES:
        yield f"batch of lengths {', '.join(map(str, lengths))}", lengths, "drawn"


def _parity(runner: Callable[[Inputs], NDArray[Any]], reference: SpeechModel, banded: SpeechModel) -> list[Check]:
    """Compare the banded form and the file with the reference: probabilities within the tolerance, and equal labels."""
    wrong: dict[str, list[str]] = {"banded form": [], "onnxruntime": []}
    largest = dict.fromkeys(wrong, 0.0)
    cases = 0
    for name, lengths, speakers in _cases():
        inputs = example(lengths, reference, speakers)
        expected = torch_outputs(reference, inputs)
        forms: dict[str, Callable[[Inputs], NDArray[Any]]] = {
            "banded form": lambda i: torch_outputs(banded, i),
            "onnxruntime": runner,
        }
        cases += 1
        for form, outputs in forms.items():
            try:
                ours = outputs(inputs)
                difference = float(np.abs(ours - expected).max())
            except Exception as error:  # as in ``attempt``
                wrong[form].append(f"{name}: {reason(error)[:80]}")
                continue
            largest[form] = max(largest[form], difference)
            if not difference <= TOLERANCE:  # also fails for NaN
                wrong[form].append(f"{name}: {difference:.1e}")
            elif (ours.argmax(-1) != expected.argmax(-1)).any():
                wrong[form].append(f"{name}: another label")
    return [
        Check(
            f"{form} against torch_geometric",
            not wrong[form],
            f"more than {TOLERANCE:g} for {'; '.join(wrong[form])}"
            if wrong[form]
            else f"largest difference {largest[form]:.1e} in {cases} cases (limit {TOLERANCE:g})",
        )
        for form in wrong
    ]


def _independent_of_batch(runner: Callable[[Inputs], NDArray[Any]], model: SpeechModel) -> str:
    """Check that a dialogue's output is the same alone and in a batch, with noise as padding."""
    wrong, largest = [], 0.0
    for lengths in BATCHES:
        inputs = example(lengths, model)
        batch = runner(inputs)
        for i, n in enumerate(lengths):
            one = {"audio": inputs["audio"][i : i + 1, :n], "speaker": inputs["speaker"][i : i + 1, :n]}
            alone = runner(one | {"length": np.array([n])})[0]
            difference = float(np.abs(batch[i, :n] - alone).max())
            largest = max(largest, difference)
            if not difference <= ALONE_TOLERANCE:
                wrong.append(f"length {n} of {', '.join(map(str, lengths))}: {difference:.1e}")
    if wrong:
        raise Wrong("; ".join(wrong))
    return f"largest difference {largest:.1e} (limit {ALONE_TOLERANCE:g})"


def _fitted(own: fitted.Fitted, run: Run, corpus: Corpus) -> str:
    """Check that the file's temperature is the one that dev gives, and its range the one of train."""
    expected = fitted.fit(run, corpus)
    if not abs(own.temperature - expected.temperature) <= FIT_TOLERANCE * expected.temperature:
        raise Wrong(f"temperature {own.temperature:g} instead of {expected.temperature:g}")
    if own.range is not None and not same_range(own.range, expected.range, FIT_TOLERANCE):
        raise Wrong("the range of features is not the one of the training")
    return f"temperature {own.temperature:g}, as fitted on dev"


def _test_f1(runner: Callable[[Inputs], NDArray[Any]], reference: SpeechModel, run: Run, corpus: Corpus) -> str:
    """Check that the file's F1 on test is that of the table.

    A model that attended to padding in training does not when it is deployed: then it must be that of PyTorch without
    padding.
    """
    labels, classes = run.labels("test"), corpus.labels
    ours = weighted_f1(labels, on_corpus(runner, corpus, run.audio_stream, "test"), classes)
    table = run.f1("A", "test")
    if run.record.protocol.attend_padding:
        expected = weighted_f1(
            labels, on_corpus(lambda i: torch_outputs(reference, i), corpus, run.audio_stream, "test"), classes
        )
        found = f"{ours:.4f}, as PyTorch without padding; the table's, with padding: {table:.4f}"
    else:
        expected, found = table, f"{ours:.4f}, as in the table"
    if ours != expected:
        raise Wrong(f"{ours:.4f} instead of {expected:.4f}")
    return found
