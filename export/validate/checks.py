"""The checks of every exported file: it runs, is valid ONNX, has the run's metadata."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from export.limited_session import LimitedSession
from export.metadata import check_fitted
from export.onnx import save
from export.onnx.fitted import Fitted
from export.onnx.session import Inputs
from export.predictor import FORMAT_NAME, FORMAT_VERSION, BadBundle
from export.validate.check import Wrong
from replicate.corpus.types import Corpus
from replicate.store.run import Run

Metadata = Callable[[Run, tuple[str, ...], Fitted], dict[str, Any]]


def valid_onnx(path: Path) -> str:
    """Check that onnx's own checker accepts the file."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path, load_external_data=False)
    return f"opset {model.opset_import[0].version}, {len(model.graph.node)} nodes"


def runs(path: Path, inputs: Inputs) -> str:
    """Check that a file has nothing but what the exporter writes, all weights inside, and that onnxruntime runs it."""
    try:
        LimitedSession(path).run(inputs)
    except BadBundle as error:
        raise Wrong(str(error)) from error
    return f"{path.stat().st_size / 1e6:.1f} MB, one file"


def same_metadata(
    path: Path, run: Run, corpus: Corpus | None, fitted: Fitted, expected_of: Metadata = save.metadata
) -> str:
    """Check that the file's metadata are those of the run; without the corpus, speaker names are not compared.

    Args:
        fitted: of ``MODEL``, which a bundle's other files have in common with it.
    """
    entries = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    if entries.pop("format", None) != f"{FORMAT_NAME} {FORMAT_VERSION}":
        raise Wrong("it was not exported by this version")
    found = {name: json.loads(value) for name, value in entries.items()} | check_fitted(entries)
    speakers = corpus.speakers if corpus else tuple(found.get("speakers", ()))
    if len(speakers) != run.record.model.speakers:
        raise Wrong(f"it names {len(speakers)} speakers, but the run has {run.record.model.speakers}")
    expected = json.loads(json.dumps(expected_of(run, speakers, fitted)))
    for content in (found, expected):
        dict.pop(content.get("versions", {}), "exported with", None)
    wrong = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    if wrong:
        raise Wrong(f"{', '.join(wrong)} differ from the run's")
    return f"run {run.record.key}"
