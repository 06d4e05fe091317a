"""Profile an epoch of training with PyTorch's profiler, for chrome://tracing or https://ui.perfetto.dev."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from replicate.corpus.types import Corpus
from replicate.files import atomic_path
from replicate.training.config import RunSpec
from replicate.training.loop import train
from replicate.training.trainer import Epoch


class _Profiled(Exception):
    """Ends the training after the profiled epoch."""


def write(spec: RunSpec, corpus: Corpus, device: str, target: Path) -> float:
    """Train a run without a teacher for two epochs and write a trace of the second; the run itself is not saved.

    Returns:
        Seconds of the second epoch; profiling makes it slower.

    Raises:
        CannotWrite: ``target`` cannot be written.
    """
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    profiler = profile(activities=activities)

    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            profiler.start()
        else:
            profiler.stop()
            raise _Profiled

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in every run
    with atomic_path(target) as temporary:
        try:
            train(replace(spec, budget=replace(spec.budget, epochs=2), seed_group=()), corpus, device, on_epoch)
        except _Profiled:
            profiler.export_chrome_trace(str(temporary))
        finally:
            torch.set_num_threads(threads)
    events = profiler.events()
    assert events is not None
    return (max(event.time_range.end for event in events) - min(event.time_range.start for event in events)) / 1e6
