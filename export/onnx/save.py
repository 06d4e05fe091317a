"""Writes a speech-only model as one ONNX file that says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from export.onnx import streaming_graph
from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import build
from export.predictor import FORMAT
from replicate.corpus.provenance import Recipe
from replicate.errors import NotExportable
from replicate.model.config import ModelConfig
from replicate.rng import deterministic
from replicate.store.keys import code_version
from replicate.store.record import Run


def write(run: Run, speakers: tuple[str, ...], path: Path) -> None:
    """Write a run for speech alone to ``path``, unchecked; ``speakers`` are the names behind their numbers.

    Raises:
        NotExportable: its context extractor is not a transformer.
    """
    kind = run.record["model"].get("context", "transformer")  # runs of older versions do not say
    if kind != "transformer":
        raise NotExportable(
            f"run {run.record['key']} ({run.record['arm']['name']}) has the context extractor {kind}, and only "
            "transformers are exported: choose another arm with --arm"
        )
    with deterministic():
        model = build(SpeechModel(run.model(), run.scaling()))
    _save(model, about(run, speakers), path)


def streams(run: Run) -> bool:
    """Whether the run's model can answer utterance by utterance."""
    return bool(run.record["model"].get("causal"))


def write_stream(run: Run, speakers: tuple[str, ...], path: Path) -> None:
    """Write the form of a causal run that answers utterance by utterance, unchecked."""
    with deterministic():
        model = streaming_graph.build(SpeechModel(run.model(), run.scaling()))
    _save(model, about_stream(run, speakers), path)


def _save(model: onnx.ModelProto, said: dict[str, Any], path: Path) -> None:
    entries = {name: json.dumps(value) for name, value in said.items()}
    onnx.helper.set_model_props(model, {"format": FORMAT} | entries)
    onnx.save(model, path)


def about_stream(run: Run, speakers: tuple[str, ...]) -> dict[str, Any]:
    """What a streaming file says of itself: ``about``, how many utterances a layer attends to, the state's size."""
    config = ModelConfig(**run.record["model"])
    return about(run, speakers) | {"memory": config.memory, "state": streaming_graph.state_size(config)}


def recipe(run: Run) -> Recipe | None:
    """How the features that the run's model hears were extracted; None where the corpus came with its features."""
    return run.record["corpus"].get("recipes", {}).get(run.audio_stream)


def about(run: Run, speakers: tuple[str, ...]) -> dict[str, Any]:
    """What the file says of itself: all that a user needs to feed it, and to know where it comes from."""
    record, scaling = run.record, run.scaling()
    corpus, audio_stream = record["corpus"], scaling[run.audio_stream]
    return {
        "labels": corpus["labels"],
        "speakers": speakers,
        "streams": record["streams"],
        "heard": run.audio_stream,
        "widths": {name: len(scale.mean) for name, scale in scaling.items()},
        "standardisation": {
            run.audio_stream: {"mean": audio_stream.mean.tolist(), "deviation": audio_stream.deviation.tolist()}
        },
        "recipe": recipe(run),
        "window": [record["model"]["past"], record["model"]["future"]],
        "arm": record["arm"]["name"],
        "protocol": record["protocol"]["name"],
        "seed": record["seed"],
        "corpus": {"name": corpus["name"], "hash": corpus["hash"]},
        "run": record["key"],
        "versions": record["versions"] | {"exported with": code_version()},
    }
