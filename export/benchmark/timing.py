"""Times an exported model against PyTorch on the same inputs, and measures what each gets on the test set."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.benchmark import base, engines, flops, memory
from export.benchmark.base import COMPILED, FLOOR, FP32, QUANTISED, Engine
from export.benchmark.engines import available, make
from export.bundle.bundle import open_run
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, on_corpus
from export.predictor import INT8, MODEL, STREAM
from export.validate.dialogue import TOLERANCE, example
from replicate.corpus.types import Corpus
from replicate.machine import PEAK, by_clock, peak
from replicate.training.metrics import weighted_f1

BATCHES, LENGTHS = (1, 8, 32, 128), (10, 30, 110, 500)
USUAL_LENGTH = 30
# Calls in a row before the next engine's turn: long enough for warm caches, short enough that a machine that
# slows down slows all engines.
TURN, WARM = 20, 3
# The floor keeps the results of all products in memory: for more utterances than these it is not measured.
FLOOR_ROWS = 4096


@dataclass(frozen=True)
class Shape:
    """A kind of input: dialogues in a batch, utterances in each."""

    batch: int
    utterances: int

    @property
    def rows(self) -> int:
        """Utterances in all."""
        return self.batch * self.utterances


@dataclass(frozen=True)
class Place:
    """Where a model runs: ``cpu`` with so many threads, or ``cuda`` (threads None)."""

    device: str
    threads: int | None = None

    def __str__(self) -> str:
        if self.threads is None:
            return "GPU"
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class Timing:
    """Latency of one engine on one kind of input; milliseconds per call of the whole batch.

    Attributes:
        share_of_peak: products with weights per second, as a share of this place's matrix-multiply peak, measured in
            turns with the engines; for 32-bit onnxruntime and its floor.
    """

    engine: str
    place: Place
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
    """One engine on one device beside its times; ``missing`` says why it did not run.

    Attributes:
        megabytes: of its file. peak_megabytes: what a process that runs one dialogue of ``longest`` utterances takes of
            the device's memory.
    """

    engine: str
    device: str
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


def load_of_others() -> float | None:
    """The machine's load over the last minute where it leaves too few cores for the benchmark, else None."""
    if not hasattr(os, "getloadavg"):
        return None
    load = os.getloadavg()[0]
    return load if load > (os.cpu_count() or 1) - 0.5 else None


def time_all(
    bundle: Path,
    cases: Sequence[Shape],
    places: Sequence[Place],
    calls: int,
    listen: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[list[Timing], list[str]]:
    """Time every engine on every shape in every place, in turns on the same inputs; then a stream's next utterance.

    An engine that fails on a shape, or answers otherwise than the first one, is not timed there; the second list says
    so. ``listen`` hears how many utterances were computed of how many, and what is timed now.
    """
    run = open_run(bundle)
    shape = SpeechModel(run.model(), run.scaling())
    operations = flops.flops(bundle / MODEL)
    before, done = torch.get_num_threads(), 0
    total = len(places) * sum(case.rows for case in cases)
    timings: list[Timing] = []
    failed: dict[tuple[str, str], list[str]] = {}
    try:
        for place in places:
            torch.set_num_threads(place.threads or before)
            names = [name for name, why in available(bundle, place.device).items() if why is None]
            made = {name: make(name, bundle, place.threads or 1, place.device) for name in names}
            best = peak(place.device)
            for case in cases:
                words = f"batch {case.batch}, {case.utterances} utterances, {place}"
                listen(done, total, words)
                inputs = example((case.utterances,) * case.batch, shape)
                wrong = _failures(made, inputs)
                for name, why in wrong.items():
                    failed.setdefault((name, why), []).append(words)
                watches = {name: engine.stopwatch(inputs) for name, engine in made.items() if name not in wrong}
                if place.threads and case.rows <= FLOOR_ROWS:
                    watches[FLOOR] = by_clock(flops.alone(bundle / MODEL, case.rows, place.threads))
                timings += _timings(_in_turns(watches | {"peak": best}, calls), case, place, operations)
                done += case.rows
            if place.threads and (bundle / STREAM).is_file():
                watch = by_clock(engines.next_utterance(bundle / STREAM, place.threads))
                timings += _timings(_in_turns({base.STREAMED: watch}, calls), Shape(1, 1), place, operations)
    finally:
        torch.set_num_threads(before)
    return timings, [_failure(name, why, where) for (name, why), where in failed.items()]


def profile(bundle: Path) -> list[flops.Spent]:
    """Where onnxruntime spends its time on one dialogue of the usual length, on one thread."""
    run = open_run(bundle)
    return flops.profile(bundle / MODEL, example((USUAL_LENGTH,), SpeechModel(run.model(), run.scaling())))


def describe(bundle: Path, corpus: Corpus | None, longest: int, devices: Sequence[str]) -> list[Row]:
    """Every engine's weighted F1 on test, each dialogue alone, the size of its file, and its memory."""
    run = open_run(bundle)
    rows = []
    for device in devices:
        for name, why in available(bundle, device).items():
            if why is not None:
                rows.append(Row(name, device, why))
                continue
            f1 = None
            if corpus is not None and name != COMPILED:  # minutes for so many lengths; its eager form has its score
                found = on_corpus(make(name, bundle, 1, device).answer, corpus, run.audio_stream, "test")
                f1 = weighted_f1(run.labels("test"), found)
            file = {FP32: MODEL, QUANTISED: INT8}.get(name)
            size = (bundle / file).stat().st_size / 1e6 if file else None
            rows.append(Row(name, device, None, f1, size, longest, memory.peak(bundle, name, longest, device)))
    return rows


def as_json(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any]) -> dict[str, Any]:
    """The benchmark as other programs read it."""
    return {
        **about,
        "profile": [asdict(spent) for spent in about["profile"]],
        "milliseconds": [_flat(timing) for timing in timings],
        "engines": [asdict(row) for row in rows],
    }


def _failure(name: str, why: str, where: list[str]) -> str:
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    return f"{name}: not timed for {where[0]}{more}, {why}."


def _flat(timing: Timing) -> dict[str, Any]:
    values = asdict(timing)
    place = values.pop("place")
    return {"engine": values.pop("engine"), **place, **values, "utterances_per_second": round(timing.per_second, 1)}


def _failures(made: dict[str, Engine], inputs: Inputs) -> dict[str, str]:
    """Engines that cannot run these inputs, or say something else than the first that can: their times mean nothing."""
    first, expected, wrong = "", None, {}
    for name, engine in made.items():
        try:
            found = engine.answer(inputs)
        except Exception as error:  # compilers and runtimes have exception classes of their own for every stage
            wrong[name] = f"{type(error).__name__}: {textwrap.shorten(' '.join(str(error).split()), 80)}"
            continue
        if expected is None:
            first, expected = name, found
        difference = float(np.abs(found - expected).max())
        if name != QUANTISED and not difference <= TOLERANCE:
            wrong[name] = f"it differs by {difference:.1e} from {first}"
    return wrong


def _timings(taken: dict[str, list[float]], case: Shape, place: Place, operations: int) -> list[Timing]:
    """Percentiles of every engine; the peak's, where it was timed, are what the 32-bit run is held against."""
    best = 2 * PEAK[place.device] ** 3 / float(np.median(taken.pop("peak", [np.inf])))
    found = []
    for name, seconds in taken.items():
        p50, p90, p99 = (float(p) for p in np.percentile(np.array(seconds) * 1e3, [50, 90, 99]))
        share = operations * case.rows / (p50 / 1e3) / best if name in (FP32, FLOOR) else None
        found.append(Timing(name, place, case.batch, case.utterances, p50, p90, p99, len(seconds), share))
    return found


def _in_turns(watches: dict[str, Callable[[], float]], calls: int) -> dict[str, list[float]]:
    """Seconds per call, ``calls`` of each engine, in turns of ``TURN`` with a changing order."""
    taken: dict[str, list[float]] = {name: [] for name in watches}
    order = list(watches)
    for watch in watches.values():
        for _ in range(WARM * WARM):
            watch()
    while len(taken[order[0]]) < calls:
        for name in order:
            for _ in range(WARM):
                watches[name]()
            taken[name] += [watches[name]() for _ in range(min(TURN, calls - len(taken[name])))]
        order = order[1:] + order[:1]
    return taken
