"""Time an exported model against PyTorch on the same inputs, and measure each engine's F1 and memory."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from export.benchmark import base, engines, flops, memory, peers
from export.benchmark.base import COMPILED, FLOOR, FP32, QUANTISED, Engine
from export.benchmark.engines import available, make
from export.benchmark.flops import NodeTime
from export.benchmark.measurements import EngineSummary, Place, Shape, Timing
from export.bundle.opening import open_run
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import Inputs, on_corpus
from export.predictor import INT8, MODEL, STREAM
from export.validate.dialogue import TOLERANCE, example
from replicate.corpus.types import Corpus
from replicate.machine import PEAK, by_clock, peak
from replicate.training.metrics import weighted_f1

BATCHES, LENGTHS = (1, 8, 32, 128), (10, 30, 110, 500)
USUAL_LENGTH = 30
# Each engine is called this often before the next one: enough for warm caches, and few enough that a slower machine
# slows all engines alike.
CALLS_IN_A_ROW, WARM_UP = 20, 3
# The lower bound keeps the results of all products in memory, so it is not measured for larger batches.
FLOOR_ROWS = 4096


def shapes(batches: Sequence[int], lengths: Sequence[int], full: bool) -> list[Shape]:
    """Return every batch size at the usual length and every length at the smallest batch, or all combinations."""
    usual = USUAL_LENGTH if USUAL_LENGTH in lengths else lengths[0]
    chosen = [Shape(b, n) for b in batches for n in lengths if full or b == min(batches) or n == usual]
    return sorted(chosen, key=lambda shape: (shape.batch, shape.utterances))


def load_of_others() -> float | None:
    """Return the load of the last minute if it leaves too few cores for the benchmark, else None."""
    if not hasattr(os, "getloadavg"):
        return None
    load = os.getloadavg()[0]
    return load if load > (os.cpu_count() or 1) - 0.5 else None


def time_all(
    bundle: Path,
    cases: Sequence[Shape],
    places: Sequence[Place],
    calls: int,
    with_peers: bool = False,
    on_progress: Callable[[int, int, str], None] = lambda done, total, case: None,
) -> tuple[list[Timing], list[str]]:
    """Time every engine for every shape in every place, alternating on the same inputs; then the streaming model.

    An engine that fails for a shape, or whose output differs from the first engine's, is not timed there.

    Args:
        with_peers: also time what else a user would pick, see ``export.benchmark.peers``; on the CPU only.
        on_progress: called with the utterances computed so far, those in all, and what is timed next.

    Returns:
        The timings, and a sentence for each engine that failed.
    """
    run = open_run(bundle)
    model = SpeechModel(run.model(), run.scaling())
    operations = flops.flops(bundle / MODEL)
    before, done = torch.get_num_threads(), 0
    total = len(places) * sum(case.rows for case in cases)
    timings: list[Timing] = []
    failed: dict[tuple[str, str], list[str]] = {}
    try:
        for place in places:
            torch.set_num_threads(place.threads or before)
            names = [name for name, why in _available(bundle, place.device, with_peers).items() if why is None]
            made = {name: make(name, bundle, place.threads or 1, place.device) for name in names}
            best = peak(place.device)
            for case in cases:
                words = f"batch {case.batch}, {case.utterances} utterances, {place}"
                on_progress(done, total, words)
                inputs = example((case.utterances,) * case.batch, model)
                wrong = _failures(made, inputs)
                for name, why in wrong.items():
                    failed.setdefault((name, why), []).append(words)
                timers = {name: engine.timer(inputs) for name, engine in made.items() if name not in wrong}
                if place.threads and case.rows <= FLOOR_ROWS:
                    timers[FLOOR] = by_clock(flops.products_alone(bundle / MODEL, case.rows, place.threads))
                timings += _timings(_alternate(timers | {"peak": best}, calls), case, place, operations)
                done += case.rows
            if place.threads and (bundle / STREAM).is_file():
                timer = by_clock(engines.next_utterance(bundle / STREAM, place.threads))
                timings += _timings(_alternate({base.STREAMED: timer}, calls), Shape(1, 1), place, operations)
    finally:
        torch.set_num_threads(before)
    return timings, [_failure(name, why, where) for (name, why), where in failed.items()]


def _available(bundle: Path, device: str, with_peers: bool) -> dict[str, str | None]:
    return available(bundle, device) | (peers.available() if with_peers and device == "cpu" else {})


def profiles(bundle: Path, longest: int) -> dict[int, list[NodeTime]]:
    """Profile onnxruntime for one dialogue of the usual length, and of the longest if it is longer, on one thread."""
    run = open_run(bundle)
    speech = SpeechModel(run.model(), run.scaling())
    lengths = sorted({USUAL_LENGTH, max(USUAL_LENGTH, longest)})
    return {length: flops.profile(bundle / MODEL, example((length,), speech)) for length in lengths}


def summarise(
    bundle: Path, corpus: Corpus | None, longest: int, devices: Sequence[str], with_peers: bool = False
) -> list[EngineSummary]:
    """Measure every engine's weighted F1 on test (one dialogue at a time), the size of its file, and its memory.

    Peers are exported for each shape, so that only the reason why one is missing is part of the result.
    """
    run = open_run(bundle)
    found = []
    for device in devices:
        for name, why in _available(bundle, device, with_peers).items():
            if why is not None:
                found.append(EngineSummary(name, device, why))
                continue
            if name in peers.PEERS:
                continue
            f1 = None
            if corpus is not None and name != COMPILED:  # compiling for each length takes minutes
                probabilities = on_corpus(make(name, bundle, 1, device).predict, corpus, run.audio_stream, "test")
                f1 = weighted_f1(run.labels("test"), probabilities)
            file = {FP32: MODEL, QUANTISED: INT8}.get(name)
            size = (bundle / file).stat().st_size / 1e6 if file else None
            peak_megabytes = memory.peak(bundle, name, longest, device)
            found.append(EngineSummary(name, device, None, f1, size, longest, peak_megabytes))
    return found


def _failure(name: str, why: str, where: list[str]) -> str:
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    return f"{name}: not timed for {where[0]}{more}, {why}."


def _failures(made: dict[str, Engine], inputs: Inputs) -> dict[str, str]:
    """Return the engines that fail on these inputs or differ from the first that does not, with the reasons."""
    first, expected, wrong = "", None, {}
    for name, engine in made.items():
        try:
            found = engine.predict(inputs)
        except Exception as error:  # compilers and runtimes have exception classes of their own for every stage
            wrong[name] = f"{type(error).__name__}: {textwrap.shorten(' '.join(str(error).split()), 80)}"
            continue
        if expected is None:
            first, expected = name, found
        difference = float(np.abs(found - expected).max())
        if name != QUANTISED and not difference <= TOLERANCE:
            wrong[name] = f"it differs by {difference:.1e} from {first}"
    return wrong


def _timings(seconds: dict[str, list[float]], case: Shape, place: Place, operations: int) -> list[Timing]:
    """Make percentiles of every engine's seconds; "peak" holds those of the product that measures the peak speed."""
    best = 2 * PEAK[place.device] ** 3 / float(np.median(seconds.pop("peak", [np.inf])))
    found = []
    for name, own in seconds.items():
        p50, p90, p99 = (float(p) for p in np.percentile(np.array(own) * 1e3, [50, 90, 99]))
        share = operations * case.rows / (p50 / 1e3) / best if name in (FP32, FLOOR) else None
        found.append(Timing(name, place, case.batch, case.utterances, p50, p90, p99, len(own), share))
    return found


def _alternate(timers: dict[str, Callable[[], float]], calls: int) -> dict[str, list[float]]:
    """Return the seconds of ``calls`` calls of each timer, ``CALLS_IN_A_ROW`` at a time in a rotating order."""
    seconds: dict[str, list[float]] = {name: [] for name in timers}
    order = list(timers)
    for timer in timers.values():
        for _ in range(WARM_UP * WARM_UP):
            timer()
    while len(seconds[order[0]]) < calls:
        for name in order:
            for _ in range(WARM_UP):
                timers[name]()
            seconds[name] += [timers[name]() for _ in range(min(CALLS_IN_A_ROW, calls - len(seconds[name])))]
        order = order[1:] + order[:1]
    return seconds
