"""Progress on stderr: a bar with the time left in a terminal, a line per finished run elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from replicate.corpus.types import Corpus
from replicate.runner.tasks import Task, cost
from replicate.runner.worker import Progress, ProgressCallback

log = logging.getLogger(__name__)


@contextmanager
def training(tasks: Sequence[Task], corpus: Corpus, console: Console) -> Iterator[ProgressCallback]:
    """A listener for ``schedule.run_all`` that shows how far ``tasks`` are."""
    # What this process trains counts by the epoch, what another one trained as a whole.
    left = {task.key: cost(task, corpus) for task in tasks}
    by_epoch = {task.key: left[task.key] / task.spec.budget.epochs for task in tasks}
    total = sum(left.values())
    finished = 0
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(f"0/{len(tasks)} runs", total=total)

            def show(progress: Progress) -> None:
                nonlocal finished
                if progress.epoch is None:
                    finished += 1
                    bar.advance(task, left.pop(progress.task.key, 0))
                    bar.update(task, description=f"{finished}/{len(tasks)} runs")
                    log.debug("run %d/%d complete: %s", finished, len(tasks), progress.task.name)
                else:
                    bar.advance(task, by_epoch[progress.task.key])
                    left[progress.task.key] -= by_epoch[progress.task.key]

            yield show
        return
    began, done = time.monotonic(), 0.0

    def tell(progress: Progress) -> None:
        nonlocal finished, done, total
        if progress.epoch is not None:
            done += by_epoch[progress.task.key]
            left[progress.task.key] -= by_epoch[progress.task.key]
            return
        finished += 1
        total -= left.pop(progress.task.key, 0)
        remaining = (time.monotonic() - began) * (total - done) / max(done, 1)
        time_left = _minutes(remaining)
        log.info("run %d/%d complete: %s; about %s left", finished, len(tasks), progress.task.name, time_left)

    yield tell


@contextmanager
def steady(what: str, total: float, console: Console) -> Iterator[Callable[[float], None]]:
    """A function that is told of every part of ``total`` that is done; elsewhere a line every tenth of it."""
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda part: bar.advance(task, part)
        return
    began, done, told = time.monotonic(), 0.0, 0

    def tell(part: float) -> None:
        nonlocal done, told
        done += part
        tenths = int(10 * done / total + 1e-9) if total else 10
        if tenths > told:
            told = tenths
            remaining = (time.monotonic() - began) * (total - done) / max(done, 1e-9)
            log.info("%s: %d %% done; about %s left", what, 10 * tenths, _minutes(max(remaining, 0)))

    yield tell


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
