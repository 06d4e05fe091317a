"""Measure what the models of a table are as exported files, in 32 and in 8 bits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from export.benchmark import memory
from export.benchmark.base import FP32, QUANTISED
from export.benchmark.latency import ROUNDS, Latency, example, latencies
from export.onnx import quantise, save
from export.onnx.session import as_function, on_corpus, session
from export.predictor import CHECKSUMS, INT8, MODEL
from replicate.config.requirements import lacking
from replicate.config.tables import Table
from replicate.corpus.types import Corpus, Split
from replicate.errors import NothingToMeasure
from replicate.experiment.completed import CompletedRuns
from replicate.files import sha256
from replicate.machine import processor
from replicate.model.config import ModelConfig
from replicate.results.deployments import FORMAT, Deployment, Deployments, Precision
from replicate.results.resources import median_length
from replicate.store.run import Run
from replicate.training.metrics import weighted_f1

# File and engine of each precision.
_FILES: dict[Precision, tuple[str, str]] = {"fp32": (MODEL, FP32), "int8": (INT8, QUANTISED)}
_SPLITS: tuple[Split, ...] = ("dev", "test")


@dataclass(frozen=True)
class _Row:
    """The runs of a row, and weighted F1 of each by precision and split."""

    table: str
    name: str
    runs: list[Run]
    f1: dict[tuple[Precision, Split], tuple[float, ...]]

    @property
    def model(self) -> ModelConfig:
        """The configuration that all its runs have; latency, size and memory are the same for all of them."""
        return self.runs[0].record.model


def measure(completed: CompletedRuns, calls: int, on_step: Callable[[str], None] = lambda _: None) -> Deployments:
    """Measure the rows of all tables that compare deployments.

    The scores in 32 bits are those of the runs, which `replicate export onnx` checks the files against.

    Args:
        calls: timed calls of each model.
        on_step: called with what is done next.

    Raises:
        NothingToMeasure: the runs are of folds. CorruptRun: a run is missing. NotExportable: a row's model cannot be
            exported.
    """
    plan = completed.plan
    if plan.folds:
        raise NothingToMeasure("models of folds are not deployed: run the table without --folds")
    with tempfile.TemporaryDirectory() as temporary:
        folders: dict[ModelConfig, Path] = {}
        rows = []
        for table in plan.tables:
            if table.deployments:
                rows += _rows(completed, table, Path(temporary), folders, on_step)
        utterances = median_length(plan.corpus)
        inputs = {row.model: example(row.runs[0], utterances) for row in rows}
        files = {
            (config, precision): (folder / file, inputs[config])
            for config, folder in folders.items()
            for precision, (file, _) in _FILES.items()
        }
        on_step(f"timing {len(files)} files")
        times = latencies(files, calls)
        peaks: dict[tuple[ModelConfig, Precision], float | None] = {}
        for config, precision in files:
            on_step(f"measuring memory, {len(peaks) + 1} of {len(files)}")
            peaks[config, precision] = memory.peak(folders[config], _FILES[precision][1], utterances)
        found = [
            _deployment(row, precision, times[row.model, precision], files[row.model, precision][0], peaks)
            for row in rows
            for precision in _FILES
        ]
    return Deployments(
        FORMAT, processor(), onnxruntime.__version__, -(-calls // ROUNDS) * ROUNDS, utterances, tuple(found)
    )


def _rows(
    completed: CompletedRuns,
    table: Table,
    temporary: Path,
    folders: dict[ModelConfig, Path],
    on_step: Callable[[str], None],
) -> list[_Row]:
    """Score the rows of a table; the files of the first run of each configuration are kept, as a bundle's."""
    corpus = completed.plan.corpus_of(table)
    without = lacking(table.rows, corpus)
    found = []
    for row in table.rows:
        if row.name in without or completed.failure(table, row):
            continue
        runs = completed.of_row(table, row)
        scores = []
        for run in runs:
            on_step(f"scoring {row.name}, seed {run.record.seed}")
            folder = folders.setdefault(run.record.model, temporary / str(len(folders)))
            used = temporary / "scored" if folder.exists() else folder
            _export(run, corpus, used)
            scores.append({(precision, split): _f1(run, corpus, used, precision, split)
                           for precision in _FILES for split in _SPLITS})  # fmt: skip
        found.append(_Row(table.name, row.name, runs, {key: tuple(one[key] for one in scores) for key in scores[0]}))
    return found


def _export(run: Run, corpus: Corpus, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    save.write(run, corpus.speakers, folder / MODEL)
    quantise.quantise(folder / MODEL, folder / INT8)
    sums = {name: sha256(folder / name) for name in (MODEL, INT8)}
    (folder / CHECKSUMS).write_text(json.dumps(sums), encoding="utf-8")


def _f1(run: Run, corpus: Corpus, folder: Path, precision: Precision, split: Split) -> float:
    if precision == "fp32":
        return weighted_f1(run.labels(split), run.log_prob(split, "A"))
    outputs = on_corpus(as_function(session(folder / INT8)), corpus, run.audio_stream, split)
    return weighted_f1(run.labels(split), outputs)


def _deployment(
    row: _Row,
    precision: Precision,
    time: Latency,
    file: Path,
    peaks: dict[tuple[ModelConfig, Precision], float | None],
) -> Deployment:
    return Deployment(
        row.table,
        row.name,
        precision,
        tuple(run.record.key for run in row.runs),
        row.f1[precision, "dev"],
        row.f1[precision, "test"],
        time.p50,
        time.p90,
        file.stat().st_size / 1e6,
        peaks[row.model, precision],
    )
