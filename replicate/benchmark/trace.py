"""Where an epoch's time goes: a trace of PyTorch's profiler, for chrome://tracing or https://ui.perfetto.dev."""

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


class _Done(Exception):
    """Ends a training that was only watched."""


def write(spec: RunSpec, corpus: Corpus, device: str, target: Path) -> float:
    """Train a run without teacher for two epochs, and write a trace of the second; returns how long that took.

    The first epoch warms up and is not traced. Nothing is stored. Seconds are the trace's: tracing itself takes time.

    Raises:
        CannotWrite: ``target`` cannot be written.
    """
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    watched = profile(activities=activities)

    def listen(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            watched.start()
        else:
            watched.stop()
            raise _Done

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as every run has
    with atomic_path(target) as temporary:
        try:
            train(replace(spec, budget=replace(spec.budget, epochs=2), seed_group=()), corpus, device, listen)
        except _Done:
            watched.export_chrome_trace(str(temporary))
        finally:
            torch.set_num_threads(threads)
    events = watched.events()
    assert events is not None
    return (max(event.time_range.end for event in events) - min(event.time_range.start for event in events)) / 1e6
