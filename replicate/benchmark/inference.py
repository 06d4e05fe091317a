"""Time how long models take to predict one dialogue on one thread of the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch

from replicate.config.tables import Table
from replicate.errors import NothingToMeasure
from replicate.experiment import collect
from replicate.experiment.completed import CompletedRuns
from replicate.machine import by_clock, processor
from replicate.model.config import ModelConfig
from replicate.results.counting import example, resources
from replicate.results.timings import FORMAT, Timing, Timings
from replicate.rng import deterministic

# The calls of a model are divided into so many rounds, between which the others are called: a machine that becomes
# slower slows all of them.
ROUNDS = 10
WARM_UP = 3


def models(completed: CompletedRuns) -> list[tuple[ModelConfig, int]]:
    """Return the models of all tables that show resources, each once, with the length of their dialogue.

    Raises:
        NothingToMeasure: there is no such table. CorruptRun: a run is missing.
    """
    tables: Iterable[Table] = [table for table in completed.plan.tables if table.resources]
    if not tables:
        raise NothingToMeasure("no table of these results shows resources: run `replicate run cost`, or deploy, first")
    found = (pair for table in tables for pair in collect.models(completed, table).values())
    return list(dict.fromkeys(found))


def measure(
    found: list[tuple[ModelConfig, int]],
    calls: int,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> Timings:
    """Time all models, one after the other in every round, on random dialogues and with random weights.

    Args:
        calls: timed calls of each model, rounded up to whole rounds.
        on_round: called with the number of rounds that are complete, and of all.
    """
    per_round = -(-calls // ROUNDS)
    milliseconds: list[list[float]] = [[] for _ in found]
    with deterministic(), torch.inference_mode():
        examples = [example(config, length) for config, length in found]
        timers = [by_clock(partial(model, **inputs)) for model, inputs in examples]
        for done in range(ROUNDS):
            for timer, times in zip(timers, milliseconds, strict=True):
                for _ in range(WARM_UP):
                    timer()
                times += [1e3 * timer() for _ in range(per_round)]
            on_round(done + 1, ROUNDS)
    timings = []
    for (config, length), times in zip(found, milliseconds, strict=True):
        p50, p90 = np.percentile(times, [50, 90]).tolist()
        timings.append(Timing(resources(config, length).model, length, p50, p90))
    return Timings(FORMAT, processor(), torch.__version__, per_round * ROUNDS, tuple(timings))
