"""Times PyTorch and onnxruntime on the same inputs, and measures what both get on the test set."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.check import Inputs, check_file, example, session
from export.speech import SpeechModel
from replicate.corpus.types import Corpus
from replicate.experiment.store import StoredRun
from replicate.rng import deterministic
from replicate.training.metrics import weighted_f1

UTTERANCES = 30
BATCHES = (1, 32)
THREADS = (1, 2)
# Calls in a row before the next engine's turn: long enough for warm caches, short enough that a machine that
# slows down slows all engines.
TURN, WARM = 20, 3

Engine = Callable[[Inputs], NDArray[np.float32]]


@dataclass(frozen=True)
class Timing:
    """Latency of one engine on one kind of input; milliseconds per call of the whole batch."""

    engine: str
    threads: int
    batch: int
    utterances: int
    p50: float
    p90: float
    p99: float
    n: int


@dataclass(frozen=True)
class Accuracy:
    """Weighted F1 of one engine on the corpus's test set, each dialogue alone."""

    engine: str
    test_f1: float


def verify(run: StoredRun, model: Path) -> None:
    """Refuse to time a file that does not compute what its run does.

    Raises:
        ExportFailed: see ``check_file``.
    """
    with deterministic():
        check_file(model, SpeechModel(run.model(), run.scaling(), "reference"), model)


def load_of_others() -> float | None:
    """The machine's load over the last minute where it leaves too few cores for the benchmark, else None."""
    if not hasattr(os, "getloadavg"):
        return None
    load = os.getloadavg()[0]
    return load if load > (os.cpu_count() or 1) - 0.5 else None


def engines(run: StoredRun, model: Path) -> dict[str, Callable[[int], Engine]]:
    """What is compared, by name; each makes an engine for a number of threads."""
    with deterministic():
        reference = SpeechModel(run.model(), run.scaling(), "reference")
        banded = SpeechModel(run.model(), run.scaling())
    return {
        "PyTorch, torch_geometric": lambda threads: _torch(reference),
        "PyTorch, banded": lambda threads: _torch(banded),
        "onnxruntime": lambda threads: _onnxruntime(model, threads),
    }


def time_all(run: StoredRun, model: Path, calls: int, listen: Callable[[str], None] = lambda _: None) -> list[Timing]:
    """Time every engine with every number of threads and batch size, in turns on the same inputs.

    ``listen`` hears what is about to be timed.
    """
    makers = engines(run, model)
    shape = SpeechModel(run.model(), run.scaling())
    before = torch.get_num_threads()
    timings = []
    try:
        for threads in THREADS:
            torch.set_num_threads(threads)
            made = {name: make(threads) for name, make in makers.items()}
            for batch in BATCHES:
                listen(f"batch {batch}, {threads} thread{'s' if threads > 1 else ''}")
                seconds = _in_turns(made, example((UTTERANCES,) * batch, shape), calls)
                for name, taken in seconds.items():
                    p50, p90, p99 = (float(p) for p in np.percentile(np.array(taken) * 1e3, [50, 90, 99]))
                    timings.append(Timing(name, threads, batch, UTTERANCES, p50, p90, p99, len(taken)))
    finally:
        torch.set_num_threads(before)
    return timings


def test_f1(run: StoredRun, model: Path, corpus: Corpus) -> list[Accuracy]:
    """Weighted F1 on test of every engine."""
    labels = np.concatenate([dialogue.labels for dialogue in corpus.split("test")])
    found = []
    for name, make in engines(run, model).items():
        engine = make(1)
        rows = [
            engine(
                {
                    "audio": dialogue.features["audio"][None],
                    "speaker": dialogue.speakers[None],
                    "length": np.array([len(dialogue)]),
                }
            )[0]
            for dialogue in corpus.split("test")
        ]
        found.append(Accuracy(name, weighted_f1(labels, np.concatenate(rows))))
    return found


def as_json(timings: list[Timing], accuracy: list[Accuracy], about: dict[str, Any]) -> dict[str, Any]:
    """The benchmark as other programs read it."""
    return {
        **about,
        "milliseconds": [asdict(timing) for timing in timings],
        "test": [asdict(entry) for entry in accuracy],
    }


def _in_turns(made: dict[str, Engine], inputs: Inputs, calls: int) -> dict[str, list[float]]:
    """Seconds per call, ``calls`` of each engine, in turns of ``TURN`` with a changing order."""
    taken: dict[str, list[float]] = {name: [] for name in made}
    order = list(made)
    for engine in made.values():
        for _ in range(WARM * WARM):
            engine(inputs)
    while len(taken[order[0]]) < calls:
        for name in order:
            for _ in range(WARM):
                made[name](inputs)
            for _ in range(min(TURN, calls - len(taken[name]))):
                began = time.perf_counter()
                made[name](inputs)
                taken[name].append(time.perf_counter() - began)
        order = order[1:] + order[:1]
    return taken


def _torch(model: SpeechModel) -> Engine:
    def run(inputs: Inputs) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model(*(torch.from_numpy(inputs[name]) for name in ("audio", "speaker", "length"))).numpy()

    return run


def _onnxruntime(path: Path, threads: int) -> Engine:
    runner = session(path, threads)
    return lambda inputs: runner.run(None, inputs)[0]
