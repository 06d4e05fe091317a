"""Time exported files against each other: one dialogue at a time, on one thread of the CPU."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from export.onnx.session import Inputs, as_function, session
from replicate.machine import by_clock
from replicate.store.run import Run

# The calls are divided into so many rounds, in which every file has its share: a slower machine slows all of them.
ROUNDS = 10
WARM_UP = 3

K = TypeVar("K", bound=Hashable)


class Latency(NamedTuple):
    """Milliseconds of one call: median and 90th percentile."""

    p50: float
    p90: float


def example(run: Run, utterances: int) -> Inputs:
    """Return a random dialogue as the input of a run's exported file."""
    width = len(run.scaling()[run.audio_stream].mean)
    draws = np.random.default_rng(24)
    return {
        "audio": draws.standard_normal((1, utterances, width), np.float32),
        "speaker": draws.integers(0, run.record.model.speakers, (1, utterances)),
        "length": np.array([utterances]),
    }


def latencies(
    files: Mapping[K, tuple[Path, Inputs]],
    calls: int,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> dict[K, Latency]:
    """Return the latency of each file on its input.

    Args:
        calls: timed calls of each file, rounded up to whole rounds.
        on_round: called with the number of rounds that are complete, and of all.
    """
    timers = {}
    for name, (path, inputs) in files.items():
        run = as_function(session(path))
        timers[name] = by_clock(lambda run=run, inputs=inputs: run(inputs))  # type: ignore[misc]
    seconds: dict[K, list[float]] = {name: [] for name in files}
    for done in range(ROUNDS):
        for name, timer in timers.items():
            for _ in range(WARM_UP):
                timer()
            seconds[name] += [timer() for _ in range(-(-calls // ROUNDS))]
        on_round(done + 1, ROUNDS)
    return {name: Latency(*(1e3 * np.percentile(each, [50, 90])).tolist()) for name, each in seconds.items()}
