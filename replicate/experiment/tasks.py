"""Runs as a task graph: students after their teachers, every run once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from replicate.corpus.types import Corpus
from replicate.experiment.keys import run_key
from replicate.training.settings import RunSpec


@dataclass(frozen=True)
class Task:
    """One run on one corpus.

    Attributes:
        key: the run's name in the store.
        corpus: hash of the corpus.
        teacher: key of the run that must be in the store first.
    """

    key: str
    spec: RunSpec
    corpus: str
    teacher: str | None

    @property
    def name(self) -> str:
        """For progress and errors; a reading is named where single knobs are turned."""
        reading = self.spec.protocol.name
        turned = "" if reading.isidentifier() else f" ({reading})"
        return f"{self.spec.arm.name}{turned}, seed {self.spec.seed}"


def graph(wanted: Iterable[tuple[RunSpec, Corpus]], device: str) -> dict[str, Task]:
    """All tasks that ``wanted`` needs by key, every teacher before its students."""
    tasks: dict[str, Task] = {}
    for spec, corpus in wanted:
        lineage = [spec]
        while lineage[-1].teacher is not None:
            lineage.append(lineage[-1].teacher)
        teacher = None
        for each in reversed(lineage):
            key = run_key(each, corpus, device)
            tasks.setdefault(key, Task(key, each, corpus.hash, teacher))
            teacher = key
    return tasks
