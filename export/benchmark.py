"""Times an exported model against PyTorch on the same inputs, and measures what each gets on the test set."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from export import memory
from export.bundle import open_run
from export.check import Inputs, example, on_corpus
from export.engines import COMPILED, FP32, QUANTISED, Engine, available, make
from export.predictor import INT8, MODEL
from export.speech import SpeechModel
from replicate.corpus.types import Corpus
from replicate.training.metrics import weighted_f1

BATCHES, LENGTHS = (1, 8, 32, 128), (10, 30, 110, 500)
USUAL_LENGTH = 30
# Calls in a row before the next engine's turn: long enough for warm caches, short enough that a machine that
# slows down slows all engines.
TURN, WARM = 20, 3
PEAK = 1024


@dataclass(frozen=True)
class Shape:
    """A kind of input: dialogues in a batch, utterances in each."""

    batch: int
    utterances: int


@dataclass(frozen=True)
class Timing:
    """Latency of one engine on one kind of input; milliseconds per call of the whole batch.

    Attributes:
        share_of_peak: products with weights per second, as a share of this machine's matrix-multiply peak with as
            many threads, measured in turns with the engines; for 32-bit onnxruntime alone.
    """

    engine: str
    threads: int
    batch: int
    utterances: int
    p50: float
    p90: float
    p99: float
    n: int
    share_of_peak: float | None = None

    @property
    def per_second(self) -> float:
        """Utterances per second at the median."""
        return self.batch * self.utterances / self.p50 * 1e3


@dataclass(frozen=True)
class Row:
    """One engine beside its times; ``missing`` says why it did not run.

    Attributes:
        megabytes: of its file. peak_megabytes: of a process that runs one dialogue of ``longest`` utterances.
    """

    engine: str
    missing: str | None
    test_f1: float | None = None
    megabytes: float | None = None
    longest: int = 0
    peak_megabytes: float | None = None


def shapes(batches: Sequence[int], lengths: Sequence[int], full: bool) -> list[Shape]:
    """Every batch at the usual length and every length alone; with ``full``, every batch at every length."""
    usual = USUAL_LENGTH if USUAL_LENGTH in lengths else lengths[0]
    chosen = [Shape(b, n) for b in batches for n in lengths if full or b == min(batches) or n == usual]
    return sorted(chosen, key=lambda shape: (shape.batch, shape.utterances))


def flops(model: Path) -> int:
    """Floating-point operations per utterance in products with weights: two for each weight of the exported file."""
    graph = onnx.load(model).graph
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer if len(tensor.dims) >= 2}
    products = [node.input[1] for node in graph.node if node.op_type in ("Gemm", "MatMul", "Attention")]
    return 2 * sum(sizes.get(name, 0) for name in products)


def load_of_others() -> float | None:
    """The machine's load over the last minute where it leaves too few cores for the benchmark, else None."""
    if not hasattr(os, "getloadavg"):
        return None
    load = os.getloadavg()[0]
    return load if load > (os.cpu_count() or 1) - 0.5 else None


def time_all(
    bundle: Path,
    cases: Sequence[Shape],
    threads: Sequence[int],
    calls: int,
    listen: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[list[Timing], list[str]]:
    """Time every engine on every shape with every number of threads, in turns on the same inputs.

    Also says what could not be compiled. ``listen`` hears how many utterances were computed of how many, and what is
    timed now.
    """
    run = open_run(bundle)
    shape = SpeechModel(run.model(), run.scaling())
    operations = flops(bundle / MODEL)
    before, done = torch.get_num_threads(), 0
    total = len(threads) * sum(case.batch * case.utterances for case in cases)
    timings: list[Timing] = []
    failures: list[str] = []
    try:
        for count in threads:
            torch.set_num_threads(count)
            made = {name: make(name, bundle, count) for name, why in available(bundle).items() if why is None}
            peak = _peak()
            for case in cases:
                words = f"batch {case.batch}, {case.utterances} utterances, {_threads(count)}"
                listen(done, total, words)
                inputs = example((case.utterances,) * case.batch, shape)
                able = dict(made)
                if COMPILED in able and (why := _fails(able[COMPILED], inputs)):
                    failures.append(f"{COMPILED}: torch cannot compile it for {words} ({why}).")
                    del able[COMPILED]
                taken = _in_turns(able | {"peak": peak}, inputs, calls)
                timings += _timings(taken, case, count, operations)
                done += case.batch * case.utterances
    finally:
        torch.set_num_threads(before)
    return timings, failures


def describe(bundle: Path, corpus: Corpus | None, longest: int) -> list[Row]:
    """Every engine's weighted F1 on test, each dialogue alone, the size of its file, and its memory."""
    labels = open_run(bundle).labels("test")
    rows = []
    for name, why in available(bundle).items():
        if why is not None:
            rows.append(Row(name, why))
            continue
        f1 = None
        if corpus is not None and name != COMPILED:  # minutes for as many lengths; its uncompiled form has its score
            f1 = weighted_f1(labels, on_corpus(make(name, bundle, 1), corpus, "test"))
        file = {FP32: MODEL, QUANTISED: INT8}.get(name)
        size = (bundle / file).stat().st_size / 1e6 if file else None
        rows.append(Row(name, None, f1, size, longest, memory.peak(bundle, name, longest)))
    return rows


def as_json(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any]) -> dict[str, Any]:
    """The benchmark as other programs read it."""
    return {
        **about,
        "milliseconds": [asdict(timing) | {"utterances_per_second": round(timing.per_second, 1)} for timing in timings],
        "engines": [asdict(row) for row in rows],
    }


def _fails(engine: Engine, inputs: Inputs) -> str | None:
    """Why the compiler does not get on with this shape; it has exception classes of its own for every stage."""
    try:
        engine(inputs)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:60]}"
    return None


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _timings(taken: dict[str, list[float]], case: Shape, threads: int, operations: int) -> list[Timing]:
    """Percentiles of every engine; the peak's are what the 32-bit run is held against."""
    best = 2 * PEAK**3 / float(np.median(taken.pop("peak")))
    found = []
    for name, seconds in taken.items():
        p50, p90, p99 = (float(p) for p in np.percentile(np.array(seconds) * 1e3, [50, 90, 99]))
        share = operations * case.batch * case.utterances / (p50 / 1e3) / best if name == FP32 else None
        found.append(Timing(name, threads, case.batch, case.utterances, p50, p90, p99, len(seconds), share))
    return found


def _peak() -> Engine:
    """A product of two square matrices: as fast as this machine multiplies."""
    square = torch.rand(PEAK, PEAK)
    return lambda _: (square @ square).numpy()


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
