"""What a worker reports while it trains; without torch, because the process that reads it trains nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from replicate.runner.tasks import Task
from replicate.store.record import EpochRecord


@dataclass(frozen=True)
class Progress:
    """A completed epoch of a run; ``epoch`` is None when the run is in the store."""

    task: Task
    epoch: EpochRecord | None


ProgressCallback = Callable[[Progress], None]
