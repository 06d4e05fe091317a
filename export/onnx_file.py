"""Writes a speech-only model as one ONNX file that says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from export.graph import build
from export.predictor import FORMAT
from export.speech import SpeechModel
from replicate.experiment.keys import code_version
from replicate.experiment.stored import StoredRun
from replicate.rng import deterministic


def write(run: StoredRun, speakers: tuple[str, ...], path: Path) -> None:
    """Write a run for speech alone to ``path``, unchecked; ``speakers`` are the names behind their numbers."""
    with deterministic():
        model = build(SpeechModel(run.model(), run.scaling()))
    said = {name: json.dumps(value) for name, value in about(run, speakers).items()}
    onnx.helper.set_model_props(model, {"format": FORMAT} | said)
    onnx.save(model, path)


def about(run: StoredRun, speakers: tuple[str, ...]) -> dict[str, Any]:
    """What the file says of itself: all that a user needs to feed it, and to know where it comes from."""
    record, scaling = run.record, run.scaling()
    corpus = record["corpus"]
    return {
        "labels": corpus["labels"],
        "speakers": speakers,
        "streams": record["streams"],
        "widths": {name: len(scale.mean) for name, scale in scaling.items()},
        "standardisation": {
            name: {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()}
            for name, scale in scaling.items()
            if name == "audio"
        },
        "window": [record["model"]["past"], record["model"]["future"]],
        "arm": record["arm"]["name"],
        "protocol": record["protocol"]["name"],
        "seed": record["seed"],
        "corpus": {"name": corpus["name"], "hash": corpus["hash"]},
        "run": record["key"],
        "versions": record["versions"] | {"exported with": code_version()},
    }
