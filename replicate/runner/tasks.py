"""Runs as a task graph: students after their teachers, every run once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from replicate.corpus.types import Corpus
from replicate.model.config import ModelConfig
from replicate.store.keys import run_key
from replicate.training.config import RunSpec


@dataclass(frozen=True)
class Task:
    """One run on one corpus.

    Attributes:
        key: the run's name in the store.
        corpus: hash of the corpus.
        teachers: keys of the runs that must be in the store first, as the arm lists them.
    """

    key: str
    spec: RunSpec
    corpus: str
    teachers: tuple[str, ...]

    @property
    def name(self) -> str:
        """For progress and errors; a reading is named where single knobs are turned."""
        reading = self.spec.protocol.name
        turned = "" if reading.isidentifier() else f" ({reading})"
        return f"{self.spec.arm.name}{turned}, seed {self.spec.seed}"


def graph(wanted: Iterable[tuple[RunSpec, Corpus]], device: str) -> dict[str, Task]:
    """All tasks that ``wanted`` needs by key, every teacher before its students."""
    tasks: dict[str, Task] = {}

    def add(spec: RunSpec, corpus: Corpus) -> str:
        key = run_key(spec, corpus, device)
        if key not in tasks:
            teachers = tuple(add(teacher, corpus) for teacher in spec.teachers)
            tasks[key] = Task(key, spec, corpus.hash, teachers)
        return key

    for spec, corpus in wanted:
        add(spec, corpus)
    return tasks


def units(tasks: Iterable[Task]) -> list[tuple[Task, ...]]:
    """Tasks by the program that trains them: those of a stack together, every other one alone; in their order."""
    found: dict[object, list[Task]] = defaultdict(list)
    for task in tasks:
        found[(replace(task.spec, seed=0), task.corpus) if task.spec.seed_group else task.key].append(task)
    return [tuple(unit) for unit in found.values()]


def share(tasks: Sequence[Task], corpora: Mapping[str, Corpus], part: int, parts: int) -> list[Task]:
    """One of so many shares of a task list (part 1, 2, ... parts), of about equal work; the same at every call.

    What hangs together is in one share, so that none waits for another: teachers with students, stacks as a whole.
    """
    leader = {task.key: task.key for task in tasks}

    def led_by(key: str) -> str:
        while leader[key] != key:
            key = leader[key]
        return key

    for unit in units(tasks):
        for task in unit:
            for other in (unit[0].key, *task.teachers):
                leader[led_by(task.key)] = led_by(other)
    groups: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        groups[led_by(task.key)].append(task)
    work = {key: sum(cost(task, corpora[task.corpus]) for task in group) for key, group in groups.items()}
    shares: list[list[str]] = [[] for _ in range(parts)]
    for key in sorted(groups, key=lambda key: -work[key]):
        min(shares, key=lambda keys: sum(map(work.__getitem__, keys))).append(key)
    return [task for task in tasks if led_by(task.key) in shares[part - 1]]


def cost(task: Task, corpus: Corpus) -> float:
    """Roughly how much work a task is: epochs times the encoder's layers by their width, and the graph part."""
    arm, spec = task.spec.arm, task.spec
    width = sum(
        ModelConfig.hidden if name == spec.projected else corpus.widths.get(name, 0)
        for name in (*arm.streams, *arm.auxiliary_streams)
    )
    return spec.budget.epochs * (150 + arm.context_layers * (50 + width))
