"""The ladder that an exported model has to climb: file, shapes, lengths, batches, the table's own score.

Every rung is tried and every failure named, so that a reader sees all that is wrong at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from export.onnx import save
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, as_function, on_corpus, session, torch_outputs
from export.predictor import FORMAT_NAME, FORMAT_VERSION
from replicate.corpus.types import Corpus
from replicate.rng import deterministic, generator
from replicate.store.run import Run
from replicate.training.metrics import weighted_f1

TOLERANCE, ALONE_TOLERANCE = 1e-4, 1e-5
# Of quantised probabilities, in the mean: ten times what sound files show, and less than sums that overflow do.
INT8_TOLERANCE = 0.01
LENGTHS = (1, 2, 7, 30, 110, 500)
BATCHES = ((2, 1), (7, 30, 1), (110, 7, 30, 2, 1), (30,) * 8)
# Who speaks: dialogues of one speaker have other relations than those of two.
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

About = Callable[[Run, tuple[str, ...]], dict[str, Any]]


@dataclass(frozen=True)
class Check:
    """One check: its name, whether it holds (None: it could not be tried), and what was found."""

    name: str
    holds: bool | None
    found: str


def run_checks(path: Path, run: Run, corpus: Corpus | None) -> list[Check]:
    """Every rung for a file and the run that it was made of; ``corpus`` is what that run was trained on."""
    with deterministic():
        reference = SpeechModel(run.model(), run.scaling(), "reference")
        banded = SpeechModel(run.model(), run.scaling())
        checks = [attempt("onnx checker", lambda: checker(path)), attempt("one file", lambda: one_file(path))]
        checks.append(attempt("names and dynamic axes", lambda: _axes(path, len(reference.mean), run)))
        checks.append(attempt("metadata", lambda: same_metadata(path, run, corpus)))
        try:
            runner = session(path)
        except Exception as error:  # onnxruntime's exceptions have no common base
            return [*checks, Check("onnxruntime", False, _reason(error))]
        checks += _parity(runner, reference, banded)
        checks.append(attempt("alone and in a batch", lambda: _alone_or_not(runner, reference)))
        if corpus is None:
            return [*checks, Check("test F1", None, f"needs the corpus {run.record.corpus.name}: --data FILE")]
        return [*checks, attempt("test F1", lambda: _test_f1(runner, reference, run, corpus))]


def example(lengths: tuple[int, ...], model: SpeechModel, speakers: str = "drawn") -> Inputs:
    """Random dialogues of the given lengths at the scale of the training features; padding is noise on purpose.

    Shapes:
        audio (B, L, features) float32, speaker (B, L) int64, length (B,) int64.
    """
    draws = generator(0, f"example {lengths}")
    shape = (len(lengths), max(lengths))
    audio = torch.randn(*shape, len(model.mean), generator=draws) * model.deviation + model.mean
    known = model.model.config.speakers
    speaker = torch.randint(known, shape, generator=draws)
    chosen = SPEAKERS[speakers]
    if chosen is not None:
        speaker = torch.tensor([chosen(i) % known for i in range(shape[1])]).expand(shape).contiguous()
    return {"audio": audio.numpy(), "speaker": speaker.numpy(), "length": np.array(lengths)}


def attempt(name: str, check: Callable[[], str]) -> Check:
    """A rung whose check returns what it found, or raises what is wrong."""
    try:
        return Check(name, True, check())
    except OSError:  # the disk's fault, not the file's
        raise
    except Exception as error:  # whatever onnx, onnxruntime or torch say of a bad file, the ladder goes on
        return Check(name, False, _reason(error))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, Wrong) else f"{type(error).__name__}: {text}"


class Wrong(Exception):
    """What a rung found wrong; its text is all that is said."""


def checker(path: Path) -> str:
    """onnx's own checker accepts the file."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path, load_external_data=False)
    return f"opset {model.opset_import[0].version}, {len(model.graph.node)} nodes"


def one_file(path: Path) -> str:
    """Its weights are inside."""
    model = onnx.load(path, load_external_data=False)
    outside = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise Wrong(f"weights lie in another file: {', '.join(outside[:5])}")
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _axes(path: Path, width: int, run: Run) -> str:
    graph = onnx.load(path, load_external_data=False).graph
    last = {"audio": [width], "probability": [len(run.record.corpus.labels)]}
    expected = {name: axes + last.get(name, []) for name, axes in AXES.items()}
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    if found != expected:
        raise Wrong(f"{found} where {expected} is needed")
    return ", ".join(found)


def same_metadata(path: Path, run: Run, corpus: Corpus | None, about: About = save.metadata) -> str:
    """What the file says of itself is what the run says; without the corpus nobody knows its speakers' names."""
    stored = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    if stored.pop("format", None) != f"{FORMAT_NAME} {FORMAT_VERSION}":
        raise Wrong("it was not exported by this version")
    said = {name: json.loads(value) for name, value in stored.items()}
    speakers = corpus.speakers if corpus else tuple(said.get("speakers", ()))
    if len(speakers) != run.record.model.speakers:
        raise Wrong(f"it names {len(speakers)} speakers where the run knows {run.record.model.speakers}")
    expected = json.loads(json.dumps(about(run, speakers)))
    for content in (said, expected):
        dict.pop(content.get("versions", {}), "exported with", None)
    wrong = sorted(name for name in {*said, *expected} if said.get(name) != expected.get(name))
    if wrong:
        raise Wrong(f"{', '.join(wrong)} differ from the run's")
    return f"run {run.record.key}"


def nearly_the_same(int8: Path, model: Path, run: Run) -> str:
    """The quantised file's probabilities are near the other's, in the mean over all cases."""
    shape = SpeechModel(run.model(), run.scaling())
    both = [as_function(session(path)) for path in (int8, model)]
    apart = []
    for _, lengths, speakers in _cases():
        ours, theirs = (function(example(lengths, shape, speakers)) for function in both)
        apart.append(float(np.abs(ours - theirs).mean()))
    found = f"mean difference {np.mean(apart):.1e} (limit {INT8_TOLERANCE:g})"
    if not np.mean(apart) <= INT8_TOLERANCE:
        raise Wrong(found)
    return found


def _cases() -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Name, lengths and speakers of every input that the forms are compared on."""
    for n in LENGTHS:
        for speakers in SPEAKERS:
            yield f"length {n}, speakers {speakers}", (n,), speakers
    for lengths in BATCHES:
        yield f"batch of lengths {', '.join(map(str, lengths))}", lengths, "drawn"


def _parity(runner: onnxruntime.InferenceSession, reference: SpeechModel, banded: SpeechModel) -> list[Check]:
    """Banded form and file against the reference: largest difference of probabilities, and the same emotion."""
    wrong: dict[str, list[str]] = {"banded form": [], "onnxruntime": []}
    largest = dict.fromkeys(wrong, 0.0)
    cases = 0
    for name, lengths, speakers in _cases():
        inputs = example(lengths, reference, speakers)
        expected = torch_outputs(reference, inputs)
        forms: dict[str, Callable[[Inputs], NDArray[Any]]] = {
            "banded form": lambda i: torch_outputs(banded, i),
            "onnxruntime": as_function(runner),
        }
        cases += 1
        for form, outputs in forms.items():
            try:
                ours = outputs(inputs)
                difference = float(np.abs(ours - expected).max())
            except Exception as error:  # see attempt
                wrong[form].append(f"{name}: {_reason(error)[:80]}")
                continue
            largest[form] = max(largest[form], difference)
            if not difference <= TOLERANCE:  # a NaN fails, too
                wrong[form].append(f"{name}: {difference:.1e}")
            elif (ours.argmax(-1) != expected.argmax(-1)).any():
                wrong[form].append(f"{name}: another emotion")
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


def _alone_or_not(runner: onnxruntime.InferenceSession, model: SpeechModel) -> str:
    """A dialogue gives the same alone and inside a batch, whatever stands in the padding."""
    wrong, largest = [], 0.0
    for lengths in BATCHES:
        inputs = example(lengths, model)
        together = runner.run(None, inputs)[0]
        for i, n in enumerate(lengths):
            one = {"audio": inputs["audio"][i : i + 1, :n], "speaker": inputs["speaker"][i : i + 1, :n]}
            alone = runner.run(None, one | {"length": np.array([n])})[0][0]
            difference = float(np.abs(together[i, :n] - alone).max())
            largest = max(largest, difference)
            if not difference <= ALONE_TOLERANCE:
                wrong.append(f"length {n} of {', '.join(map(str, lengths))}: {difference:.1e}")
    if wrong:
        raise Wrong("; ".join(wrong))
    return f"largest difference {largest:.1e} (limit {ALONE_TOLERANCE:g})"


def _test_f1(runner: onnxruntime.InferenceSession, reference: SpeechModel, run: Run, corpus: Corpus) -> str:
    """The file's F1 on test is the table's; under attention to padding, which deployment leaves out, the model's."""
    labels = run.labels("test")
    ours = weighted_f1(labels, on_corpus(as_function(runner), corpus, run.audio_stream, "test"))
    table = weighted_f1(labels, run.log_prob("test", "A"))
    if run.record.protocol.attend_padding:
        expected = weighted_f1(
            labels, on_corpus(lambda i: torch_outputs(reference, i), corpus, run.audio_stream, "test")
        )
        said = f"{ours:.4f}, as PyTorch without padding; the table's, with padding: {table:.4f}"
    else:
        expected, said = table, f"{ours:.4f}, as in the table"
    if ours != expected:
        raise Wrong(f"{ours:.4f} where {expected:.4f} is expected")
    return said
