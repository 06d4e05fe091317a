"""Tables that are printed while others are still trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable

from replicate.experiment import collect
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext
from replicate.report import outputs
from replicate.results.aggregate import TableResult
from replicate.runner.progress import Progress, ProgressCallback
from replicate.runner.tasks import Task


class Stream:
    """Computes and shows each table of a plan as soon as all of its runs are complete.

    A table of which a run failed is never among them.

    Args:
        todo: the runs that are still to be trained.
        show: prints a table.
        names: of the tables that it is for.

    Attributes:
        results: the tables that were computed, by name.
        shown: names of those that could be printed.
    """

    def __init__(
        self,
        completed: CompletedRuns,
        context: CommandContext,
        todo: Iterable[Task],
        show: Callable[[TableResult], None],
        names: Collection[str],
    ) -> None:
        self.results: dict[str, TableResult] = {}
        self.shown: set[str] = set()
        self._completed, self._context, self._show = completed, context, show
        lacking = {task.key for task in todo}
        self._tables = {table.name: table for table in completed.plan.tables if table.name in names}
        self._needs = {name: set(completed.plan.runs_of(table) & lacking) for name, table in self._tables.items()}

    def show_complete(self) -> None:
        """Show the tables whose runs are complete, and that were not shown before.

        Raises:
            CorruptRun: a run is missing or damaged.
        """
        for name in [name for name, keys in self._needs.items() if not keys]:
            del self._needs[name]
            result = collect.one(self._completed, self._tables[name])
            self.results[name] = outputs.with_measurements(result, self._completed, self._context)
            with contextlib.suppress(OSError):  # of stdout: it does not end the training, only the command after it
                self._show(self.results[name])
                self.shown.add(name)

    def after(self, callback: ProgressCallback) -> ProgressCallback:
        """Return a callback for the runner that calls ``callback``, and then shows the tables that are complete."""

        def on_progress(progress: Progress) -> None:
            callback(progress)
            if progress.epoch is None:
                for keys in self._needs.values():
                    keys.discard(progress.task.key)
                self.show_complete()

        return on_progress
