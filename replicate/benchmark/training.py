"""What training costs as corpora, dialogues, models and seeds grow: each point in a process of its own, one thread."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from replicate.config import tables
from replicate.corpus.types import Corpus, Dialogue
from replicate.model.cogmen import COGMEN
from replicate.model.context.packed import blocks, encode
from replicate.model.context.transformer import ContextExtractor
from replicate.model.seed_layers import SeedBatch
from replicate.model.window_graph import build_band
from replicate.training.config import Budget, RunSpec
from replicate.training.loop import model_config, train_seed_group
from replicate.training.trainer import Epoch

ARM = "COGMEN-A"
# Points are timed as the shortest of so many epochs after a first one, longer ones once.
EPOCHS, LONG = 3, 40_000
# Curves of a part of the model.
ALONE = ("layer", "graph")


@dataclass(frozen=True)
class Point:
    """One corpus and one way to train on it.

    Attributes:
        curve: what changes along it, one of the other fields; or "graph" and "layer", the graph part and one layer of
            the context extractor by themselves, over the utterances of a single dialogue.
        jobs: processes that train the same at a time.
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
        """The one that changes."""
        return int(getattr(self, "utterances" if self.curve in ALONE else self.curve))


@dataclass(frozen=True)
class Measured:
    """What one point takes.

    Attributes:
        seconds: of an epoch of one run: of all seeds and jobs together, divided by their number.
        megabytes: at the peak, above what the process had taken before.
        flops: floating-point operations a second in products, from the model's weights; None for a part of it.
    """

    point: Point
    seconds: float
    megabytes: float
    flops: float | None


def points(most: int, cores: int) -> list[Point]:
    """The curves, up to ``most`` utterances an epoch."""
    sizes: dict[str, tuple[int, ...]] = {
        "dialogues": (10, 100, 1_000, 10_000),
        "width": (100, 256, 512, 1024),
        "seeds": (1, 2, 4, 8, 16, 32, 64),
        "jobs": tuple(sorted({1, 2, cores} & set(range(1, cores + 1)))),
    }
    found = []
    for curve, chosen in sizes.items():
        first = Point(curve, dialogues=32) if curve == "seeds" else Point(curve)  # of seeds, a corpus of one batch
        changes: list[dict[str, Any]] = [{curve: size} for size in chosen]
        found += [replace(first, **change) for change in changes]
    lengths = (10, 50, 200, 500, 1_000, 2_000)
    # As many utterances in each corpus, and two dialogues a batch: what grows is the length alone.
    found += [Point("utterances", 4_000 // length, length, batch=2) for length in lengths]
    found += [Point("layer", 1, length) for length in lengths[1:]]
    found += [Point("graph", 1, length) for length in (500, 2_000, 8_000, 32_000)]
    return [point for point in found if point.dialogues * point.utterances * point.seeds <= most]


def measure(chosen: Sequence[Point], listen: Callable[[Point], None]) -> Iterator[Measured]:
    """Measure points one after the other."""
    context = multiprocessing.get_context("spawn")
    for point in chosen:
        listen(point)
        with ProcessPoolExecutor(point.jobs, context) as pool:
            list(pool.map(_warm, range(point.jobs)))
            took = [future.result() for future in [pool.submit(_take, point) for _ in range(point.jobs)]]
        seconds, megabytes, flops = max(took)
        runs = point.seeds * point.jobs
        yield Measured(point, seconds / runs, megabytes, flops and flops * runs / seconds)


def exponent(measured: Sequence[Measured], of: Callable[[Measured], float]) -> float | None:
    """How a cost grows: the slope of log cost over log size, where overhead counts least: a curve's upper half."""
    values = sorted(measured, key=lambda one: one.point.value)
    upper = values[len(values) // 2 :] if len(values) > 3 else values
    if len(upper) < 2 or any(of(one) <= 0 for one in upper):
        return None
    slope, _ = np.polyfit(np.log([one.point.value for one in upper]), np.log([of(one) for one in upper]), 1)
    return float(slope)


def _warm(_: int) -> None:
    """Starts a worker, so that starting is not timed."""
    time.sleep(0.2)


def _take(point: Point) -> tuple[float, float, float | None]:
    """Seconds of an epoch, megabytes, and operations of one epoch of one run."""
    torch.set_num_threads(1)
    corpus = _corpus(point)
    spec = _spec(point)
    if point.curve in ALONE:
        return _part(point, spec, corpus)
    epochs = 2 if point.dialogues * point.utterances * point.seeds > LONG else 1 + EPOCHS
    specs = [replace(spec, seed=seed, budget=replace(spec.budget, epochs=epochs)) for seed in range(point.seeds)]
    told: list[float] = []

    def listen(spec: RunSpec, epoch: Epoch) -> None:
        if spec.seed == point.seeds - 1:
            told.append(time.perf_counter())

    before = _resident(anew=True)
    train_seed_group(specs, corpus, on_epoch=listen)
    weights = sum(p.numel() for p in COGMEN(model_config(spec, corpus)).parameters() if p.dim() > 1)
    # Two for each weight and utterance forward, four backward; dev is a single dialogue.
    operations = 6.0 * weights * point.dialogues * point.utterances
    return float(np.diff(told).min()), _resident() - before, operations


def _part(point: Point, spec: RunSpec, corpus: Corpus) -> tuple[float, float, None]:
    """Forward and backward through a part of the model, for one dialogue."""
    model = COGMEN(model_config(spec, corpus)).train()
    count, lengths = point.utterances, torch.tensor([point.utterances])
    assert isinstance(model.rnn, ContextExtractor)
    config, layer = model.config, model.rnn.transformer_encoder.layers[0]
    band = build_band(torch.zeros(count).long(), torch.arange(count) % 2, config.past, config.future)
    rows = SeedBatch.one(1, count, lengths.device)
    given = blocks(lengths, rows)
    run = {
        "graph": lambda x: model.classify(x, band).log_prob,
        "layer": lambda x: encode(layer, x, given, rows),
    }[point.curve]
    x, before, taken = torch.rand(count, config.hidden), _resident(anew=True), []
    for _ in range(1 + EPOCHS):
        began = time.perf_counter()
        run(x).sum().backward()
        taken.append(time.perf_counter() - began)
    return min(taken[1:]), _resident() - before, None


def _spec(point: Point) -> RunSpec:
    return RunSpec(tables.arms()[ARM], tables.protocol("paper"), Budget(batch=point.batch), 0)


def _corpus(point: Point) -> Corpus:
    """Noise of the point's sizes; one dialogue each of dev and test."""
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


def _resident(anew: bool = False) -> float:
    """Megabytes that this process took at its peak, or, on Linux, since it was asked for ``anew``."""
    status, switch = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if status.exists():
        if anew:
            switch.write_text("5")
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
