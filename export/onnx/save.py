"""Write a run's model for speech alone as one ONNX file, with metadata that describe it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from export.onnx import streaming_graph, waveform_graph
from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import build
from export.onnx.fitted import UNFITTED, Fitted
from export.predictor import FORMAT_NAME, FORMAT_VERSION
from replicate.corpus.provenance import Recipe
from replicate.errors import NotExportable
from replicate.features import acoustic
from replicate.model.context.base import context_extractor
from replicate.rng import deterministic
from replicate.store.run import Run
from replicate.store.versions import code_version


def write(run: Run, speakers: tuple[str, ...], path: Path, portable: bool = False, fitted: Fitted = UNFITTED) -> None:
    """Write the model of a run that can be used on speech alone; ``export.validate`` checks the file.

    Args:
        speakers: the name of each speaker number.
        portable: use no operators of onnxruntime's own.
        fitted: what the corpus adds to the weights; by default nothing, which is enough to measure speed and F1.

    Raises:
        NotExportable: its context extractor cannot be exported, or it has one per stream.
    """
    kind = run.record.model.context
    if run.record.model.stream_widths:
        raise NotExportable(
            f"run {run.record.key} ({run.record.arm.name}) has late fusion, a context extractor per stream, and only "
            "early fusion is exported: choose another arm with --arm"
        )
    if not context_extractor(kind).exportable:
        raise NotExportable(
            f"run {run.record.key} ({run.record.arm.name}) has the context extractor {kind}, and only "
            "transformers are exported: choose another arm with --arm"
        )
    with deterministic():
        model = build(_deployed(run, fitted), portable)
    _save(model, metadata(run, speakers, fitted), path)


def streams(run: Run) -> bool:
    """Return whether the run's model is causal, so that it can predict utterance by utterance."""
    return run.record.model.causal


def write_stream(
    run: Run, speakers: tuple[str, ...], path: Path, portable: bool = False, fitted: Fitted = UNFITTED
) -> None:
    """Write the model of a causal run as a graph that predicts utterance by utterance."""
    with deterministic():
        model = streaming_graph.build(_deployed(run, fitted), portable)
    _save(model, stream_metadata(run, speakers, fitted), path)


def takes_waveforms(run: Run) -> bool:
    """Return whether the features of the run's model can be computed in its graph: by this version's own extractor."""
    found = recipe(run) or {}
    return (found.get("extractor"), found.get("version")) == ("acoustic", acoustic.VERSION)


def write_wav(run: Run, speakers: tuple[str, ...], path: Path, stream: bool = False, fitted: Fitted = UNFITTED) -> None:
    """Write extractor and model of a run for which ``takes_waveforms``, as one portable graph.

    Args:
        stream: predict utterance by utterance, for a causal run.
    """
    columns = (recipe(run) or {})["columns"]
    builder, about = (waveform_graph.build_stream, stream_metadata) if stream else (waveform_graph.build, metadata)
    with deterministic():
        model = builder(_deployed(run, fitted), columns)
    _save(model, about(run, speakers, fitted), path)


def _deployed(run: Run, fitted: Fitted) -> SpeechModel:
    return SpeechModel(run.model(), run.scaling(), temperature=fitted.temperature)


def _save(model: onnx.ModelProto, entries: dict[str, Any], path: Path) -> None:
    texts = {name: json.dumps(value) for name, value in entries.items()}
    onnx.helper.set_model_props(model, {"format": f"{FORMAT_NAME} {FORMAT_VERSION}"} | texts)
    onnx.save(model, path)


def stream_metadata(run: Run, speakers: tuple[str, ...], fitted: Fitted) -> dict[str, Any]:
    """Return metadata of a streaming file: ``metadata``, how many utterances a layer attends to, the state's size."""
    config = run.record.model
    return metadata(run, speakers, fitted) | {"memory": config.memory, "state": streaming_graph.state_size(config)}


def recipe(run: Run) -> Recipe | None:
    """Return how the features of the model's audio stream were extracted; None if the corpus came with features."""
    return run.record.corpus.recipes.get(run.audio_stream)


def absent_streams(run: Run) -> list[str]:
    """Return the streams that the model was trained on and that are zeros where it is deployed."""
    return [name for name in run.record.streams if name != run.audio_stream]


def metadata(run: Run, speakers: tuple[str, ...], fitted: Fitted) -> dict[str, Any]:
    """Return metadata of an exported file: what its inputs and outputs mean, and which run it comes from."""
    record, scaling = run.record, run.scaling()
    corpus, scale = record.corpus, scaling[run.audio_stream]
    return {
        "labels": corpus.labels,
        "speakers": speakers,
        "streams": record.streams,
        "audio_stream": run.audio_stream,
        "absent_streams": absent_streams(run),
        "widths": {name: len(scale.mean) for name, scale in scaling.items()},
        "standardisation": {run.audio_stream: {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()}},
        "recipe": recipe(run),
        "window": [record.model.past, record.model.future],
        "arm": record.arm.name,
        "protocol": record.protocol.name,
        "seed": record.seed,
        "corpus": {"name": corpus.name, "hash": corpus.hash},
        "run": record.key,
        "versions": record.versions | {"exported with": code_version()},
    } | fitted.entries()
