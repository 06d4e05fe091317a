"""Measure time and memory of training for growing corpora, dialogues, inputs and numbers of seeds.

Each point runs in processes of its own, with one thread each.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from replicate.config.arms import arms
from replicate.config.protocols import protocol
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import WorkerDied
from replicate.machine import PEAK, peak, peak_memory, processor, reset_peak_memory
from replicate.model.cogmen import COGMEN
from replicate.model.context.packed import blocks, encode
from replicate.model.context.transformer import TransformerExtractor
from replicate.model.seed_layers import SeedBatch
from replicate.model.window_graph import build_band
from replicate.runner import local
from replicate.training.config import Budget, RunSpec
from replicate.training.loop import model_config, train_seed_group
from replicate.training.trainer import Epoch

ARM = "COGMEN-A"
# An epoch of at most LONG utterances is measured EPOCHS times after a first one, and the shortest counts; a longer one
# is measured once.
EPOCHS, LONG = 3, 40_000
# Curves that measure a single component of the model.
ALONE = ("layer", "graph")


@dataclass(frozen=True)
class Point:
    """A corpus of noise, and how to train on it.

    Attributes:
        curve: the field that changes along the curve; or "graph" or "layer", where only the graph layers or one layer
            of the context extractor run, for a growing dialogue.
        dialogues, utterances, width: size of the corpus: dialogues for training, utterances in each, feature columns.
        seeds: seeds that are trained as one program.
        jobs: processes that train the same at the same time.
        batch: dialogues in a batch.
    """

    curve: str
    dialogues: int = 100
    utterances: int = 20
    width: int = 100
    seeds: int = 1
    jobs: int = 1
    batch: int = 32

    @property
    def value(self) -> int:
        """The value of the field that changes."""
        return int(getattr(self, "utterances" if self.curve in ALONE else self.curve))


@dataclass(frozen=True)
class Machine:
    """The machine of a measurement: its processor's name, and its peak in operations per second on one thread."""

    processor: str
    peak: float


@dataclass(frozen=True)
class Measured:
    """The cost of one point.

    Attributes:
        seconds: for an epoch of one run: the time of all seeds and jobs, divided by their number.
        megabytes: peak memory (in units of 2^20 bytes) above that of the process before the training.
        flops: floating-point operations per second in products with weights; None for a single component.
    """

    point: Point
    seconds: float
    megabytes: float
    flops: float | None


def this_machine() -> Machine:
    """Measure the peak speed of one thread: the fastest of 10 products of two large matrices."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    multiply = peak("cpu")
    seconds = min(multiply() for _ in range(10))
    torch.set_num_threads(threads)
    return Machine(processor() or "this machine", 2 * PEAK["cpu"] ** 3 / seconds)


def points(most: int, cores: int) -> list[Point]:
    """Return the points of all curves that have at most ``most`` utterances in an epoch of all seeds."""
    sizes: dict[str, tuple[int, ...]] = {
        "dialogues": (10, 100, 1_000, 10_000),
        "width": (100, 256, 512, 1024),
        "seeds": (1, 2, 4, 8, 16, 32, 64),
        "jobs": tuple(sorted({1, 2, cores} & set(range(1, cores + 1)))),
    }
    found = []
    for curve, chosen in sizes.items():
        first = Point(curve, dialogues=32) if curve == "seeds" else Point(curve)  # for seeds, a corpus of one batch
        changes: list[dict[str, Any]] = [{curve: size} for size in chosen]
        found += [replace(first, **change) for change in changes]
    lengths = (10, 50, 200, 500, 1_000, 2_000)
    # The same number of utterances in each corpus and two dialogues in a batch, so that only the length grows.
    found += [Point("utterances", 4_000 // length, length, batch=2) for length in lengths]
    found += [Point("layer", 1, length) for length in lengths[1:]]
    found += [Point("graph", 1, length) for length in (500, 2_000, 8_000, 32_000)]
    return [point for point in found if point.dialogues * point.utterances * point.seeds <= most]


def measure(chosen: Sequence[Point], on_point: Callable[[Point], None]) -> Iterator[Measured]:
    """Measure points one after the other; ``on_point`` is called before each."""
    context = multiprocessing.get_context("spawn")
    for point in chosen:
        on_point(point)
        pool = ProcessPoolExecutor(point.jobs, context, local.end_with_parent)
        try:
            with local.held_back(signal.SIGINT):  # from the workers: only this process answers Ctrl-C
                started = [pool.submit(_start) for _ in range(point.jobs)]
            for future in started:
                future.result()
            costs = [future.result() for future in [pool.submit(_cost, point) for _ in range(point.jobs)]]
        except BrokenProcessPool as error:
            raise WorkerDied(
                f"a worker was killed from outside at {point.curve} {point.value:,}, perhaps because memory ran out: "
                "run again with a smaller --most"
            ) from error
        finally:
            local.end_workers(pool, grace=0)
        seconds, megabytes, flops = max(costs)
        runs = point.seeds * point.jobs
        yield Measured(point, seconds / runs, megabytes, flops and flops * runs / seconds)


def exponent(measured: Sequence[Measured], of: Callable[[Measured], float]) -> float | None:
    """Fit the power with which a cost grows: the slope of log cost over log size.

    Only the upper half of the curve is used, where fixed overhead has the least effect; None with too few points.
    """
    values = sorted(measured, key=lambda one: one.point.value)
    upper = values[len(values) // 2 :] if len(values) > 3 else values
    if len(upper) < 2 or any(of(one) <= 0 for one in upper):
        return None
    slope, _ = np.polyfit(np.log([one.point.value for one in upper]), np.log([of(one) for one in upper]), 1)
    return float(slope)


def _start() -> None:
    """Start a worker process, so that its start is not timed."""
    time.sleep(0.2)


def _cost(point: Point) -> tuple[float, float, float | None]:
    """Return the seconds of an epoch, the megabytes, and the operations of an epoch of one run."""
    torch.set_num_threads(1)
    corpus = _corpus(point)
    spec = _spec(point)
    if point.curve in ALONE:
        return _component_cost(point, spec, corpus)
    epochs = 2 if point.dialogues * point.utterances * point.seeds > LONG else 1 + EPOCHS
    specs = [replace(spec, seed=seed, budget=replace(spec.budget, epochs=epochs)) for seed in range(point.seeds)]
    ends: list[float] = []

    def on_epoch(spec: RunSpec, epoch: Epoch) -> None:
        if spec.seed == point.seeds - 1:
            ends.append(time.perf_counter())

    before = _megabytes(reset=True)
    train_seed_group(specs, corpus, on_epoch=on_epoch)
    weights = sum(p.numel() for p in COGMEN(model_config(spec, corpus)).parameters() if p.dim() > 1)
    # For each weight and utterance 2 in the forward pass and 4 in the backward pass; dev is a single dialogue.
    operations = 6.0 * weights * point.dialogues * point.utterances
    return float(np.diff(ends).min()), _megabytes() - before, operations


def _component_cost(point: Point, spec: RunSpec, corpus: Corpus) -> tuple[float, float, None]:
    """Run one component of the model forward and backward for one dialogue."""
    model = COGMEN(model_config(spec, corpus)).train()
    count, lengths = point.utterances, torch.tensor([point.utterances])
    assert isinstance(model.rnn, TransformerExtractor)
    config, layer = model.config, model.rnn.transformer_encoder.layers[0]
    band = build_band(torch.zeros(count).long(), torch.arange(count) % 2, config.past, config.future)
    rows = SeedBatch.one(1, count, lengths.device)
    given = blocks(lengths, rows)
    run = {
        "graph": lambda x: model.classify(x, band).log_prob,
        "layer": lambda x: encode(layer, x, given, rows),
    }[point.curve]
    x, before, seconds = torch.rand(count, config.hidden), _megabytes(reset=True), []
    for _ in range(1 + EPOCHS):
        began = time.perf_counter()
        run(x).sum().backward()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:]), _megabytes() - before, None


def _spec(point: Point) -> RunSpec:
    return RunSpec(arms()[ARM], protocol("paper"), Budget(batch=point.batch), 0)


def _corpus(point: Point) -> Corpus:
    """Make a corpus of noise of the point's size, with one dialogue each for dev and test."""
    draws = np.random.default_rng(0)
    splits = ["train"] * point.dialogues + ["dev", "test"]
    dialogues = [
        Dialogue(
            str(number),
            np.arange(point.utterances) % 2,
            draws.integers(0, 4, point.utterances),
            {"audio": draws.standard_normal((point.utterances, point.width), np.float32)},
            split,  # type: ignore[arg-type]
        )
        for number, split in enumerate(splits)
    ]
    return Corpus("noise", ("a", "b", "c", "d"), tuple(dialogues), standardise=False)


def _megabytes(reset: bool = False) -> float:
    if reset:
        reset_peak_memory()
    return peak_memory() / 2**20
