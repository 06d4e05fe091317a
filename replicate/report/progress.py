"""Progress on stderr: a bar with the time left in a terminal, a line per finished run elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from replicate.corpus.types import Corpus
from replicate.experiment.schedule import Listener, Progress
from replicate.training.settings import RunSpec


@contextmanager
def training(specs: Sequence[RunSpec], corpus: Corpus, console: Console) -> Iterator[Listener]:
    """A listener for ``schedule.run_all`` that shows how far ``specs`` are."""
    # An epoch's cost grows roughly with the input's width; the constant stands for the graph part.
    cost = {spec: 200 + sum(corpus.widths.get(name, 0) for name in spec.arm.streams) for spec in specs}
    total = sum(cost[spec] * spec.budget.epochs for spec in specs)
    finished = 0
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with RichProgress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(f"0/{len(specs)} runs", total=total)

            def show(progress: Progress) -> None:
                nonlocal finished
                if progress.epoch is None:
                    finished += 1
                    bar.update(task, description=f"{finished}/{len(specs)} runs")
                else:
                    bar.advance(task, cost[progress.spec])

            yield show
        return
    began, done = time.monotonic(), 0

    def tell(progress: Progress) -> None:
        nonlocal finished, done
        if progress.epoch is not None:
            done += cost[progress.spec]
            return
        finished += 1
        left = (time.monotonic() - began) * (total - done) / max(done, 1)
        name = f"{progress.spec.arm.name}, seed {progress.spec.seed}"
        console.print(
            f"run {finished}/{len(specs)} finished: {name}; about {_minutes(left)} left",
            highlight=False,
            soft_wrap=True,
        )

    yield tell


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
