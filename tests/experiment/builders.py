"""A prepared command as one object, and its runs without training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from replicate.corpus.types import Corpus
from replicate.experiment import collect, wording
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext
from replicate.experiment.manifest import Manifest
from replicate.experiment.plan import Plan
from replicate.experiment.prepare import Options
from replicate.experiment.prepare import prepare as prepare_command
from replicate.experiment.resume import write_manifest
from replicate.results.aggregate import TableResult
from replicate.runner.tasks import Task
from replicate.store.store import Store
from replicate.training.config import RunSpec
from tests import planted


@dataclass(frozen=True)
class Command:
    """A plan and the context that it is carried out in."""

    plan: Plan
    context: CommandContext

    def change(self, **fields: Any) -> Command:
        """The same command with other fields of its plan."""
        return replace(self, plan=replace(self.plan, **fields))

    @property
    def store(self) -> Store:
        return self.context.store

    @property
    def folder(self) -> Path:
        return self.context.folder(self.plan)

    @property
    def completed(self) -> CompletedRuns:
        return CompletedRuns(self.plan, self.store)

    @property
    def text(self) -> str:
        """The command that repeats the tables."""
        return wording.command(self.plan, self.context)

    def tables(self) -> list[TableResult]:
        return collect.tables(self.completed)

    def values(self) -> list[dict[str, dict[str, tuple[float, ...]]]]:
        """The values of all cells of every table, by row and context."""
        found = (result.rows.items() for result in self.tables())
        return [
            {row: {context: cell.values for context, cell in cells.items()} for row, cells in rows} for rows in found
        ]

    def missing(self, repair: bool = False) -> list[Task]:
        return self.context.missing(self.plan.graph, repair)

    def remarks(self) -> list[str]:
        return wording.remarks(self.plan, self.store)

    def write_manifest(self, seconds: float = 1.0) -> Manifest:
        return write_manifest(self.completed, self.context, seconds)


def prepare(
    out: Path, tables: Iterable[str] = ("table2",), data: str | Path | Corpus | None = None, **options: Any
) -> Command:
    """A command with the smoke profile, on the CPU and in one process."""
    given = {"profile": "smoke", "device": "cpu", "jobs": 1, "data": data, **options}
    return Command(*prepare_command(list(tables), Options(out=out, **given)))


def plant(command: Command, wrong: Callable[[RunSpec], int] = lambda spec: 0) -> None:
    """Save all runs of a command without training; ``wrong`` gives the number of wrong test predictions of a run."""
    for task in command.plan.tasks.values():
        corpus = command.plan.graph.corpora[task.corpus]
        result = planted.result(task.spec, corpus, {"test": wrong(task.spec)})
        command.store.put(task.key, task.spec, corpus, command.plan.device, result, task.teachers)
