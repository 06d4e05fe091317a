"""Progress on stderr: a bar with the time left in a terminal, otherwise log lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:  # these import torch, which the progress of an extraction does without
    from replicate.corpus.types import Corpus
    from replicate.runner.progress import Progress, ProgressCallback
    from replicate.runner.tasks import Task

log = logging.getLogger(__name__)


class _Remaining:
    """Remaining cost of training some runs, in units of ``replicate.runner.tasks.cost``.

    A run that this process trains counts epoch by epoch, a run of another process only when it is complete.
    """

    def __init__(self, tasks: Sequence[Task], corpora: Mapping[str, Corpus]) -> None:
        from replicate.runner.tasks import cost

        self.runs = len(tasks)
        self.completed = 0
        self._left = {task.key: cost(task, corpora[task.corpus]) for task in tasks}
        self._by_epoch = {task.key: self._left[task.key] / task.spec.epochs(corpora[task.corpus]) for task in tasks}
        self.total = sum(self._left.values())

    def epoch(self, task: Task) -> float:
        """Count one epoch and return its cost."""
        self._left[task.key] -= self._by_epoch[task.key]
        return self._by_epoch[task.key]

    def run(self, task: Task) -> float:
        """Count a completed run and return the cost of its epochs that were not counted."""
        self.completed += 1
        return self._left.pop(task.key, 0)


class TrainingProgress:
    """A callback for the runner, and a way to print while its bar is on the screen."""

    def __init__(self, callback: ProgressCallback, bar: RichProgress | None = None) -> None:
        self._callback, self._bar = callback, bar

    def __call__(self, progress: Progress) -> None:
        """Show the progress of a run."""
        self._callback(progress)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar off the screen inside the block; stdout, which it captures otherwise, is then the terminal's."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextmanager
def training(
    tasks: Sequence[Task], corpora: Mapping[str, Corpus], console: Console, jobs: int = 1
) -> Iterator[TrainingProgress]:
    """Yield a callback for the runner that shows how far the training of ``tasks`` is; ``corpora`` are by hash.

    The time begins with the first epoch that is complete; until then ``jobs`` processes are starting.
    """
    remaining = _Remaining(tasks, corpora)
    if not console.is_terminal:
        yield TrainingProgress(_log_runs(remaining))
        return
    with _bar(console) as bar:
        processes = min(jobs, remaining.runs)
        starting = f"starting {processes} processes" if processes > 1 else "starting"
        shown = bar.add_task(starting if remaining.runs else "", start=False, total=remaining.total)
        started = False

        def advance(progress: Progress) -> None:
            nonlocal started
            if not started:
                started = True
                bar.start_task(shown)
                bar.update(shown, description=f"0/{remaining.runs} runs")
            if progress.epoch is not None:
                bar.advance(shown, remaining.epoch(progress.task))
                return
            bar.advance(shown, remaining.run(progress.task))
            bar.update(shown, description=f"{remaining.completed}/{remaining.runs} runs")
            log.debug("run %d/%d complete: %s", remaining.completed, remaining.runs, progress.task.name)

        yield TrainingProgress(advance, bar)


def _log_runs(remaining: _Remaining) -> ProgressCallback:
    """Log a line per completed run, with the time left."""
    began, done, total = time.monotonic(), 0.0, remaining.total

    def callback(progress: Progress) -> None:
        nonlocal done, total
        if progress.epoch is not None:
            done += remaining.epoch(progress.task)
            return
        # Costs of other processes' runs say nothing about the speed of this one.
        total -= remaining.run(progress.task)
        seconds = (time.monotonic() - began) * (total - done) / max(done, 1)
        name, left = progress.task.name, _minutes(seconds)
        log.info("run %d/%d complete: %s; about %s left", remaining.completed, remaining.runs, name, left)

    return callback


@contextmanager
def steady(what: str, total: float, console: Console) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes each completed amount of ``total``; without a terminal it logs each tenth."""
    if not console.is_terminal:
        yield _log_tenths(what, total)
        return
    with _bar(console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda amount: bar.advance(task, amount)


def _log_tenths(what: str, total: float) -> Callable[[float], None]:
    began, done, logged = time.monotonic(), 0.0, 0

    def advance(amount: float) -> None:
        nonlocal done, logged
        done += amount
        tenths = int(10 * done / total + 1e-9) if total else 10
        if tenths > logged:
            logged = tenths
            seconds = (time.monotonic() - began) * (total - done) / max(done, 1e-9)
            log.info("%s: %d %% done; about %s left", what, 10 * tenths, _minutes(max(seconds, 0)))

    return advance


def _bar(console: Console) -> RichProgress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    return RichProgress(*columns, console=console, transient=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
