"""Writes a speech-only model as one ONNX file, and only if it computes what PyTorch computes."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from export.check import check_file
from export.select import Choice
from export.speech import SpeechModel
from replicate.errors import ExportFailed
from replicate.files import atomic_path
from replicate.model.graph import BLOCK
from replicate.rng import deterministic

# What every exporter since torch 2.6 writes without converting; onnxruntime 1.20 and later run it.
OPSET = 18
INPUTS, OUTPUT = ("audio", "speaker", "length"), "probability"


def write(choice: Choice, path: Path) -> float:
    """Export the chosen run to ``path``; returns the largest difference to the PyTorch reference.

    Raises:
        ExportFailed: some length or batch differs by more than 1e-4; ``path`` is not written.
    """
    with deterministic():
        scaling = choice.run.scaling()
        banded = SpeechModel(choice.run.model(), scaling)
        reference = SpeechModel(choice.run.model(), scaling, "reference")
        with atomic_path(path) as temporary:
            _export(banded, temporary)
            _describe(temporary, choice)
            return check_file(temporary, reference, path)


def _export(model: SpeechModel, path: Path) -> None:
    width = model.mean.shape[0]
    # Every size of the example must be at least 2, else the exporter freezes it, silently: batch, utterances, and
    # the number of blocks that the band cuts their product into.
    shape = (3, BLOCK)
    example = (torch.zeros(*shape, width), torch.zeros(shape, dtype=torch.int64), torch.tensor([BLOCK, 2, 1]))
    # Without a bound, torch 2.6 refuses a size that could be the largest integer; onnxruntime knows no bound.
    batch, utterances = torch.export.Dim("batch", max=1 << 20), torch.export.Dim("utterances", max=1 << 20)
    shapes = ({0: batch, 1: utterances}, {0: batch, 1: utterances}, {0: batch})
    try:
        with _quiet():
            torch.onnx.export(
                model,
                example,
                str(path),
                input_names=INPUTS,
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                dynamic_shapes=shapes,
                verbose=False,
            )
    except OSError:
        raise
    except Exception as error:
        # The exporter has dozens of exception classes of its own; whichever it is, no file must be left.
        reason = " ".join(str(error).split())[:300]
        raise ExportFailed(
            f"torch could not export the model ({type(error).__name__}: {reason}): compare your "
            "torch, onnx and onnxscript with constraints.txt"
        ) from error


def _describe(path: Path, choice: Choice) -> None:
    """Say inside the file what it is."""
    record = choice.run.record
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        # Some versions of torch call these axes s0 and s1.
        for axis, name in zip(value.type.tensor_type.shape.dim, ("batch", "utterances"), strict=False):
            if axis.HasField("dim_param"):
                axis.dim_param = name
    onnx.helper.set_model_props(
        model,
        {
            "labels": json.dumps(record["corpus"]["labels"]),
            "corpus": json.dumps({key: record["corpus"][key] for key in ("name", "hash")}),
            "arm": record["arm"]["name"],
            "protocol": record["protocol"]["name"],
            "seed": str(record["seed"]),
            "run": record["key"],
            "versions": json.dumps(record["versions"]),
        },
    )
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own deprecations and logs each optional package it misses."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
