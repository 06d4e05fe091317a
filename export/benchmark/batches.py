"""Measure how many utterances a batch of the predictor should have: ``python -m export.benchmark.batches BUNDLE``.

A batch that is too small repeats the cost of a call. In one that is too large, the feed-forward layers, 2048 columns
wide, leave the cache, and dialogues of different lengths have more padding. ``BATCH_UTTERANCES`` is the result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from export.predictor import BATCH_UTTERANCES, DialogueFeatures, Predictor
from replicate.grids import columns

# Utterances in a batch, padding included; with 1, every dialogue is a batch of its own. The last one is the unit.
SIZES = (1, 64, 128, 256, 384, 512, 1024, 4096)
# Lengths of the dialogues that are predicted: about as different as those of IEMOCAP, and all the same.
WORKLOADS: Mapping[str, Sequence[int]] = {"lengths 5 to 110": tuple(range(5, 111)), "length 30": (30,) * 204}
ROUNDS = 5


def measure(
    predictor: Predictor,
    sizes: Sequence[int] = SIZES,
    workloads: Mapping[str, Sequence[int]] = WORKLOADS,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, dict[int, float]]:
    """Return the median time of each batch size, relative to the last size, by workload and size.

    Sizes alternate, so that a machine that becomes slower slows all of them. The time is that of the processor, which
    other programs disturb less; the predictor must have one thread.
    """
    found = {}
    before = predictor.batch_utterances
    try:
        for name, lengths in workloads.items():
            dialogues = _dialogues(predictor, lengths)
            seconds: dict[int, list[float]] = {size: [] for size in sizes}
            for _ in range(rounds + 1):  # the first round warms up
                for size in sizes:
                    predictor.batch_utterances = size
                    began = clock()
                    predictor.predict(dialogues)
                    seconds[size].append(clock() - began)
            medians = {size: float(np.median(times[1:])) for size, times in seconds.items()}
            found[name] = {size: median / medians[sizes[-1]] for size, median in medians.items()}
    finally:
        predictor.batch_utterances = before
    return found


def report(found: dict[str, dict[int, float]]) -> list[str]:
    """Return the measurement as lines of text; the size in use is marked."""
    sizes = next(iter(found.values()))
    rows = [
        [f"{size:,}" + (" *" if size == BATCH_UTTERANCES else ""), *(f"{times[size]:.2f}" for times in found.values())]
        for size in sizes
    ]
    return columns([["utterances", *found], *rows], range(1, len(found) + 1))


def _dialogues(predictor: Predictor, lengths: Sequence[int]) -> list[DialogueFeatures]:
    """Return random dialogues in a random order."""
    draws = np.random.default_rng(24)
    return [
        DialogueFeatures(
            str(number),
            draws.choice(predictor.speakers, length).tolist(),
            draws.standard_normal((length, predictor.width), np.float32),
        )
        for number, length in enumerate(draws.permutation(lengths))
    ]


if __name__ == "__main__":
    print("\n".join(report(measure(Predictor(Path(sys.argv[1]))))))
