"""Write a run that has just been trained: weights, predictions and record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

import replicate
from replicate.corpus.types import SPLITS, Corpus
from replicate.files import sha256
from replicate.provenance import Provenance
from replicate.records import convert
from replicate.store.keys import versions
from replicate.store.record import (
    CHECKPOINT,
    PREDICTIONS,
    CorpusRecord,
    EpochRecord,
    RunRecord,
    digest,
)
from replicate.store.settings_records import ArmRecord, BudgetRecord, ProtocolRecord
from replicate.store.versions import FORMAT
from replicate.training.config import RunSpec
from replicate.training.loop import RunResult
from replicate.training.released_order import apply_feature_order


def write(
    folder: Path,
    key: str,
    spec: RunSpec,
    corpus: Corpus,
    device: str,
    result: RunResult,
    teacher_runs: Sequence[str],
) -> None:
    """Write the files of a run into an empty folder; ``teacher_runs`` as in ``Store.put``.

    Raises:
        ValueError: a value of the record has the wrong type, so that it could not be read. OSError: from the disk.
    """
    scale = {
        f"scale/{name}/{field}": torch.from_numpy(getattr(s, field))
        for name, s in result.scaling.items()
        for field in ("mean", "deviation")
    }
    # Not save_file: a full disk must be an OSError, and safetensors has its own class for it.
    checkpoint = save({name: t.contiguous() for name, t in (result.weights | scale).items()})
    (folder / CHECKPOINT).write_bytes(checkpoint)
    np.savez_compressed(folder / PREDICTIONS, **_predictions(spec, corpus, result))  # type: ignore[arg-type]
    files = {name: sha256(folder / name) for name in (CHECKPOINT, PREDICTIONS)}
    _record(key, spec, corpus, device, result, teacher_runs, files).save(folder)


def _record(
    key: str,
    spec: RunSpec,
    corpus: Corpus,
    device: str,
    result: RunResult,
    teacher_runs: Sequence[str],
    files: Mapping[str, str],
) -> RunRecord:
    """Return the record of a run, including its own hash, as ``RunRecord.load`` would read it."""
    recipes = {name: dict(recipe) for name, recipe in corpus.recipes.items() if name in result.scaling}
    record = RunRecord(
        FORMAT,
        key,
        ArmRecord.of(spec.arm),
        ProtocolRecord.of(spec.protocol),
        BudgetRecord(**asdict(spec.budget)),
        spec.seed,
        spec.precision,
        spec.seed_group,
        tuple(teacher_runs),
        tuple(result.scaling),
        result.model,
        result.best_epoch,
        tuple(EpochRecord(**asdict(epoch)) for epoch in result.curve),
        CorpusRecord(corpus.name, corpus.hash, corpus.labels, recipes, corpus.speakers),
        device,
        {"replicate": replicate.__version__, **versions(spec)},
        round(result.seconds, 3),
        dict(files),
        "",
        Provenance.this(device),
    )
    complete = replace(record, sha256=digest(record.as_json()))
    return convert(json.loads(json.dumps(complete.as_json())), RunRecord)


def _predictions(spec: RunSpec, corpus: Corpus, result: RunResult) -> dict[str, NDArray[Any]]:
    """Return log-probabilities per split and context, and dialogues, speakers and labels: enough for any metric."""
    arrays: dict[str, NDArray[Any]] = {f"{s}/{context}": v for (s, context), v in result.log_prob.items()}
    corpus = apply_feature_order(corpus, spec.arm, spec.protocol)
    for split in SPLITS:
        dialogues = corpus.split(split)
        arrays[f"{split}/dialogue"] = np.repeat([d.id for d in dialogues], [len(d) for d in dialogues])
        arrays[f"{split}/speaker"] = np.concatenate([d.speakers for d in dialogues])
        arrays[f"{split}/label"] = np.concatenate([d.labels for d in dialogues])
    return arrays
